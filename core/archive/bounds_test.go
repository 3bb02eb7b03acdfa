package archive

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// manyParts is n names of the given length, in order.
func manyParts(n, length int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%05x%s", i, strings.Repeat("x", length-5))
	}
	return names
}

// TestMostParts: reader and writer take as many parts, and as long names, as the format allows and no more.
func TestMostParts(t *testing.T) {
	for _, c := range []struct {
		names []string
		fits  bool
	}{
		{manyParts(manifest.MaxParts, 5), true},
		{manyParts(manifest.MaxParts+1, 5), false},
		{manyParts(manifest.MaxPartNames/maxName, maxName), true},
		{append(manyParts(manifest.MaxPartNames/maxName, maxName), "y"), false},
	} {
		what := fmt.Sprintf("%d names of %d bytes", len(c.names), len(c.names[0]))
		var parts []source.Part
		for _, name := range c.names {
			parts = append(parts, source.Part{Name: name, Header: make([]byte, 512)})
		}
		if _, err := newChunker(parts, 4096); (err == nil) != c.fits {
			t.Errorf("cut %s: %v", what, err)
		}
		r, err := ReadIndex(t.TempDir(), bytes.NewReader(partsIndex(t, c.names)), nil, nil, Limits{ChunkSize: 4096, Size: 1 << 30})
		var format *FormatError
		if c.fits != (err == nil) || err != nil && (!errors.As(err, &format) || format.ID != TooLong) {
			t.Errorf("read %s: %v", what, err)
		}
		if err != nil {
			continue
		}
		x, err := WriteIndex(t.TempDir(), r, nil)
		if err != nil {
			t.Errorf("write %s: %v", what, err)
		}
		x.Close()
		r.Parts = append(r.Parts, Part{Name: "z"}, Part{Name: strings.Repeat("z", maxName)})
		if _, err := WriteIndex(t.TempDir(), r, nil); err == nil {
			t.Errorf("write %s and two more: no error", what)
		}
		r.Close()
	}
}

// partsIndex is an index in which every part is a header of one chunk, and all chunks are the same.
func partsIndex(t *testing.T, names []string) []byte {
	records := []record{rec(fieldHeader, goodHeader())}
	for left := len(names); left > 0; left -= segmentChunks {
		n := min(left, segmentChunks)
		s := &segment{
			copyFrom: []uint64{0}, copyCount: []uint64{0}, newCount: []uint64{uint64(n)}, ids: make([]byte, n*32),
			length: make([]uint64, n), frame: make([]uint64, n), offset: make([]uint64, n), volumes: make([]byte, 8),
			frameVolume: []uint64{0}, frameOffset: []uint64{0}, frameSt: []uint64{100}, frameRaw: []uint64{512},
		}
		for i := range s.length {
			s.length[i] = 512
		}
		records = append(records, rec(fieldSegment, s))
	}
	for i, name := range names {
		records = append(records, rec(fieldPart, &wirePart{[]byte(name), uint64(i), 1, 512, 0}))
	}
	n := uint64(len(names))
	records = append(records, rec(fieldTrailer, &trailer{chunks: n, parts: n, size: 512 * n, sha256: streamSum()}))
	return vectorWriter{t: t, enc: newTestEncoder(t)}.compress(records...)
}
