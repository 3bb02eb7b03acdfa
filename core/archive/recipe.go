package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// Frame is a frame that a recipe takes chunks from.
type Frame struct {
	Volume uint32 // in Recipe.Volumes
	Stored uint32 // bytes
	Raw    uint32 // bytes of its chunks
	Offset int64  // of the stored frame in its volume
}

// validPartName reports whether s can be a part's name: elements between single slashes, none of them
// "." or "..", in UTF-8 and without control characters.
func validPartName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && path.Clean("/"+s) == "/"+s &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// Part is a named part of a stream. Parts stand in the order of their names' bytes, so no two have one name.
type Part struct {
	Name  string
	First int64 // its first chunk
	Count int64 // chunks
	Skip  int64 // bytes at its start that belong to its header
	Size  int64 // bytes of content behind the header
}

// Entry is one chunk of a stream: where it stands in the stream and where it is stored.
type Entry struct {
	ID     ID
	At     int64  // offset in the stream
	Base   int64  // its position in the full index that it was copied from, or -1
	Frame  uint32 // in Recipe.Frames
	Offset uint32 // in the frame's content
	Length uint32
}

// entrySize is an Entry's size in scratch space.
const entrySize = 64

// Recipe says how one component's stream is put together from chunks. Its entries lie in a scratch
// file, 64 bytes each, so that a store of any size takes little memory.
type Recipe struct {
	ChunkSize int
	Size      int64             // of the stream
	SHA256    [sha256.Size]byte // of the stream
	Volumes   []VolumeID
	Frames    []Frame
	Parts     []Part
	Facts     []byte // canonical JSON; only where a sealed index holds it

	full  *Base // the full index that the entries' Base counts in; nil: no entry has one
	file  *os.File
	count int64
	page  entryPage // the end of the file that is not written yet
}

// entryPage is a window of encoded entries.
type entryPage struct {
	first int64
	data  []byte
}

const pageEntries = 1024

func newRecipe(scratch string, chunkSize int) (*Recipe, error) {
	f, err := scratchFile(scratch, "recipe")
	if err != nil {
		return nil, err
	}
	return &Recipe{ChunkSize: chunkSize, file: f}, nil
}

// Close gives the scratch space back.
func (r *Recipe) Close() error {
	if r == nil {
		return nil
	}
	return r.file.Close()
}

// Base names the full index that a patch for this recipe can be made on: the recipe's own, when it was
// read from a full one, or its parent's. It is nil for a stream that was packed without a parent, and
// where the base describes so large a stream that a reader would refuse it.
func (r *Recipe) Base() *Base {
	if r.full == nil || r.full.Size > BaseLimit(r.Size) {
		return nil
	}
	return r.full
}

// Chunks is the number of chunks in the stream.
func (r *Recipe) Chunks() int64 { return r.count }

// add appends an entry; At is set by it.
func (r *Recipe) add(e Entry) error {
	e.At = r.Size
	var b [entrySize]byte
	copy(b[:], e.ID[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(e.At))
	binary.LittleEndian.PutUint64(b[40:], uint64(e.Base))
	binary.LittleEndian.PutUint32(b[48:], e.Frame)
	binary.LittleEndian.PutUint32(b[52:], e.Offset)
	binary.LittleEndian.PutUint32(b[56:], e.Length)
	r.page.data = append(r.page.data, b[:]...)
	r.count++
	r.Size += int64(e.Length)
	if len(r.page.data) == pageEntries*entrySize {
		return r.flush()
	}
	return nil
}

// flush makes all entries readable.
func (r *Recipe) flush() error {
	if len(r.page.data) == 0 {
		return nil
	}
	if _, err := r.file.WriteAt(r.page.data, r.page.first*entrySize); err != nil {
		return fmt.Errorf("write a recipe to scratch space: %w", err)
	}
	r.page.first = r.count
	r.page.data = r.page.data[:0]
	return nil
}

// cursor reads entries, best in order. It is for one goroutine; many may read one recipe.
type cursor struct {
	r    *Recipe
	page entryPage
}

func (r *Recipe) cursor() *cursor { return &cursor{r: r} }

// at returns the entry at a position below Chunks.
func (c *cursor) at(i int64) (Entry, error) {
	if i < c.page.first || i >= c.page.first+int64(len(c.page.data)/entrySize) {
		if err := c.load(i, pageEntries); err != nil {
			return Entry{}, err
		}
	}
	return decodeEntry(c.page.data[(i-c.page.first)*entrySize:]), nil
}

// one returns the entry at a position without reading its neighbours.
func (c *cursor) one(i int64) (Entry, error) {
	if i >= c.page.first && i < c.page.first+int64(len(c.page.data)/entrySize) {
		return c.at(i)
	}
	var b [entrySize]byte
	if _, err := c.r.file.ReadAt(b[:], i*entrySize); err != nil {
		return Entry{}, fmt.Errorf("read a recipe from scratch space: %w", unexpectedEOF(err))
	}
	return decodeEntry(b[:]), nil
}

func (c *cursor) load(i, n int64) error {
	n = min(n, c.r.count-i)
	if i < 0 || n <= 0 {
		return fmt.Errorf("chunk %d of a recipe of %d", i, c.r.count)
	}
	if cap(c.page.data) < int(n*entrySize) {
		c.page.data = make([]byte, pageEntries*entrySize)
	}
	c.page.first, c.page.data = i, c.page.data[:n*entrySize]
	if _, err := c.r.file.ReadAt(c.page.data, i*entrySize); err != nil {
		c.page.data = c.page.data[:0]
		return fmt.Errorf("read a recipe from scratch space: %w", unexpectedEOF(err))
	}
	return nil
}

func decodeEntry(b []byte) (e Entry) {
	copy(e.ID[:], b)
	e.At = int64(binary.LittleEndian.Uint64(b[32:]))
	e.Base = int64(binary.LittleEndian.Uint64(b[40:]))
	e.Frame = binary.LittleEndian.Uint32(b[48:])
	e.Offset = binary.LittleEndian.Uint32(b[52:])
	e.Length = binary.LittleEndian.Uint32(b[56:])
	return e
}

// each calls f for every entry in order.
func (r *Recipe) each(f func(i int64, e Entry) error) error {
	c := r.cursor()
	for i := range r.count {
		e, err := c.at(i)
		if err != nil {
			return err
		}
		if err := f(i, e); err != nil {
			return err
		}
	}
	return nil
}
