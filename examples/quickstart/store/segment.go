package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The shape of Chroma's persisted HNSW segments (hnswlib's, little endian), as the recorded directory has it.
const (
	maxM             = 16
	maxM0            = 2 * maxM
	offsetData       = 4 + 4*maxM0
	labelOffset      = offsetData + 4*dimension
	elementSize      = labelOffset + 8
	efConstruction   = 100
	levelRatio       = 16 // every 16th element of a level is in the next one
	nearNeighbours   = 4  // on either side
	randomNeighbours = 8
)

// writeSegment writes the five files of a vector segment with n elements, in the order in which a server persists
// them. The graph is a ring with random chords on every level: any search finds a way through it, and its lists
// compress like real ones.
func writeSegment(ctx context.Context, dir string, a *author, collection string, n int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	lengths := make([]float32, n)
	for i, f := range []struct {
		name  string
		write func(*bufio.Writer) error
	}{
		{"header.bin", func(w *bufio.Writer) error { return writeHeader(w, n) }},
		{"data_level0.bin", func(w *bufio.Writer) error { return writeElements(ctx, w, a, lengths) }},
		{"length.bin", func(w *bufio.Writer) error { return binary.Write(w, binary.LittleEndian, lengths) }},
		{"link_lists.bin", func(w *bufio.Writer) error { return writeLinkLists(w, n) }},
		{"index_metadata.pickle", func(w *bufio.Writer) error { return writePickle(w, collection, n) }},
	} {
		path := filepath.Join(dir, f.name)
		if err := writeFile(path, f.write); err != nil {
			return err
		}
		written := epoch.Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(path, written, written); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(*bufio.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// level is the highest level of the graph that element i is in.
func level(i int) int {
	l := 0
	for i++; i%levelRatio == 0; i /= levelRatio {
		l++
	}
	return l
}

// top returns the highest level of a graph of n elements and an element on it.
func top(n int) (maxLevel, element int) {
	span := 1
	for span*levelRatio <= n {
		span *= levelRatio
		maxLevel++
	}
	return maxLevel, span - 1
}

func writeHeader(w *bufio.Writer, n int) error {
	maxLevel, enter := top(n)
	return binary.Write(w, binary.LittleEndian, struct {
		Version                                                int32
		OffsetLevel0, MaxElements, Count, Element, Label, Data uint64
		MaxLevel                                               int32
		EnterPoint                                             uint32
		MaxM, MaxM0, M                                         uint64
		Mult                                                   float64
		EfConstruction                                         uint64
	}{
		1, 0, uint64(n), uint64(n), elementSize, labelOffset, offsetData,
		int32(maxLevel), uint32(enter), maxM, maxM0, maxM, 1 / math.Log(maxM), efConstruction,
	})
}

// writeElements writes data_level0.bin: for each element its links on level 0, its vector (of length 1, for the
// cosine metric) and its label; labels begin with 1. It fills lengths with the vectors' lengths before that.
func writeElements(ctx context.Context, w *bufio.Writer, a *author, lengths []float32) error {
	n := len(lengths)
	element := make([]byte, elementSize)
	vector := make([]float64, dimension)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		clear(element)
		links := ringLinks(i, 1, n)
		for range randomNeighbours {
			if j := a.IntN(n); j != i && !slices.Contains(links, j) {
				links = append(links, j)
			}
		}
		putLinks(element, links)
		sum := 0.0
		for d := range vector {
			vector[d] = a.NormFloat64()
			sum += vector[d] * vector[d]
		}
		lengths[i] = float32(math.Sqrt(sum))
		for d, v := range vector {
			binary.LittleEndian.PutUint32(element[offsetData+4*d:], math.Float32bits(float32(v/math.Sqrt(sum))))
		}
		binary.LittleEndian.PutUint64(element[labelOffset:], uint64(i+1))
		if _, err := w.Write(element); err != nil {
			return err
		}
	}
	return nil
}

// ringLinks returns the neighbours of element i, without i itself or doubles, on the level whose elements stand span
// apart: the nearest ones on either side.
func ringLinks(i, span, n int) []int {
	var links []int
	for d := 1; d <= nearNeighbours; d++ {
		for _, j := range []int{i - d*span, i + d*span} {
			if j >= 0 && j < n {
				links = append(links, j)
			}
		}
	}
	return links
}

// putLinks writes a list of links: their number, then each as 4 bytes.
func putLinks(to []byte, links []int) {
	binary.LittleEndian.PutUint32(to, uint32(len(links)))
	for k, j := range links {
		binary.LittleEndian.PutUint32(to[4+4*k:], uint32(j))
	}
}

// writeLinkLists writes link_lists.bin: for each element the length of its lists above level 0, then the lists.
func writeLinkLists(w *bufio.Writer, n int) error {
	const list = 4 + 4*maxM
	for i := range n {
		lists := make([]byte, 4+level(i)*list)
		binary.LittleEndian.PutUint32(lists, uint32(len(lists)-4))
		span := 1
		for l := range level(i) {
			span *= levelRatio
			putLinks(lists[4+l*list:], ringLinks(i, span, n))
		}
		if _, err := w.Write(lists); err != nil {
			return err
		}
	}
	return nil
}

// writePickle writes index_metadata.pickle: a plain dict in protocol 3, with the opcodes that a 1.x server uses.
func writePickle(w *bufio.Writer, collection string, n int) error {
	str := func(s string) {
		w.WriteByte('X') // BINUNICODE
		binary.Write(w, binary.LittleEndian, uint32(len(s)))
		w.WriteString(s)
	}
	num := func(i int) {
		w.WriteByte('J') // BININT
		binary.Write(w, binary.LittleEndian, int32(i))
	}
	const none, dict, end = "N", "}(", "u" // NONE; EMPTY_DICT MARK; SETITEMS
	w.WriteString("\x80\x03" + dict)       // PROTO 3
	str("dimensionality")
	w.WriteString(none)
	str("total_elements_added")
	num(n)
	str("max_seq_id")
	w.WriteString(none)
	str("id_to_label")
	w.WriteString(dict)
	for i := range n {
		str(vectorID(collection, i))
		num(i + 1)
	}
	w.WriteString(end)
	str("label_to_id")
	w.WriteString(dict)
	for i := range n {
		num(i + 1)
		str(vectorID(collection, i))
	}
	w.WriteString(end)
	str("id_to_seq_id")
	w.WriteString(dict + end)
	_, err := w.WriteString(end + ".") // STOP; a bufio.Writer keeps its first error
	return err
}
