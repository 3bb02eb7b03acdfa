package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"testing"

	"github.com/atocore/holdfast/core/source"
)

// store is volumes in memory, and what a manifest says of them.
type store map[VolumeID][]byte

func (s store) emit(_ context.Context, v *Volume) error {
	defer v.Close()
	b := make([]byte, v.Size)
	if _, err := v.ReadAt(b, 0); err != nil {
		return err
	}
	if sha256.Sum256(b) != v.SHA256 {
		return fmt.Errorf("volume %s has another hash", v.ID)
	}
	s[v.ID] = b
	return nil
}

// emitCounting is emit, which notes the raw bytes as well.
func (s store) emitCounting(raw map[VolumeID]int64) func(context.Context, *Volume) error {
	return func(ctx context.Context, v *Volume) error {
		raw[v.ID] = v.Raw
		return s.emit(ctx, v)
	}
}

func (s store) open(_ context.Context, v VolumeID, off, n int64) (io.ReadCloser, error) {
	b, ok := s[v]
	if !ok {
		return nil, os.ErrNotExist
	}
	if off+n > int64(len(b)) {
		n = int64(len(b)) - off
	}
	return io.NopCloser(bytes.NewReader(b[off : off+n])), nil
}

func (s store) size() (n int) {
	for _, b := range s {
		n += len(b)
	}
	return n
}

func bytesPart(name string, header, content []byte, pad int) source.Part {
	return source.Part{
		Name: name, Header: header, Size: int64(len(content)), Pad: int64(pad),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

func streamOf(parts []source.Part) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		b.Write(p.Header)
		if p.Size > 0 {
			r, _ := p.Open()
			io.Copy(&b, r)
		}
		b.Write(make([]byte, p.Pad))
	}
	return b.Bytes()
}

// buffer is an io.WriterAt in memory.
type buffer []byte

func (b buffer) WriteAt(p []byte, off int64) (int, error) { return copy(b[off:], p), nil }

// snapshot packs parts on a parent, writes and reads the index, reads the stream back, and returns the
// recipe as a reader of the index sees it.
func snapshot(t *testing.T, s store, parts []source.Part, parents ...*Parent) (*Packed, []*Recipe) {
	t.Helper()
	dir := t.TempDir()
	if len(parents) == 0 {
		parents = []*Parent{nil}
	}
	p, err := Pack(t.Context(), parts, 4096, parents, PackOptions{Scratch: dir, Workers: 3, Rand: rand.Reader, Emit: s.emit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	want := streamOf(parts)
	if p.Size != int64(len(want)) || p.SHA256 != sha256.Sum256(want) {
		t.Fatalf("packed %d bytes, want %d", p.Size, len(want))
	}
	var recipes []*Recipe
	for _, m := range p.Members {
		x, err := WriteIndex(dir, m.Recipe, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ReadIndex(dir, io.NewSectionReader(x, 0, x.Size), nil, nil, Limits{ChunkSize: 4096, Size: p.Size})
		if err != nil {
			t.Fatal(err)
		}
		x.Close()
		t.Cleanup(func() { r.Close() })
		got := make(buffer, p.Size)
		if err := Read(t.Context(), r, ReadOptions{Open: s.open, To: got}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("the stream came back changed")
		}
		recipes = append(recipes, r)
	}
	return p, recipes
}

func TestRoundTrip(t *testing.T) {
	seed := mrand.Uint64()
	t.Logf("seed %d", seed)
	rng := mrand.New(mrand.NewPCG(seed, 1))
	data := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.IntN(16))
		}
		return b
	}
	db := data(5<<20 + 4096)
	parts := []source.Part{bytesPart("", nil, db, 0)}
	s := store{}
	_, first := snapshot(t, s, parts)
	full := s.size()

	same, _ := snapshot(t, s, parts, NewParent(first[0], nil))
	if !same.Members[0].Same || s.size() != full || same.Raw != 0 {
		t.Fatalf("an unchanged stream stored %d bytes, same %v", same.Raw, same.Members[0].Same)
	}

	for range 20 {
		copy(db[rng.IntN(len(db)/4096)*4096:], data(4096))
	}
	changed, _ := snapshot(t, s, parts, NewParent(first[0], nil))
	if changed.Raw > 20*4096 || changed.Raw == 0 {
		t.Fatalf("20 changed pages stored %d bytes", changed.Raw)
	}
}
