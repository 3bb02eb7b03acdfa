package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"testing"
)

// typed fails for an error that does not say what is wrong with the bytes.
func typed(t *testing.T, err error) {
	t.Helper()
	var bad *FormatError
	if err != nil && !errors.As(err, &bad) {
		t.Fatalf("an error without an identifier: %v", err)
	}
}

// FuzzFrame: a frame that decodes has the size that was asked for, and its content makes a frame again.
func FuzzFrame(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.header["kind"] == "frame" {
			size, err := strconv.Atoi(v.header["raw"])
			if err != nil {
				f.Fatal(err)
			}
			f.Add(v.data, size)
		}
	}
	dec, err := newFrameDecoder()
	if err != nil {
		f.Fatal(err)
	}
	enc, err := newFrameEncoder()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(dec.close)
	f.Cleanup(enc.close)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		raw, err := dec.decode(nil, b, size)
		typed(t, err)
		if err != nil || size == 0 {
			return
		}
		again, err := enc.encode(nil, raw)
		if err != nil || len(again) > frameStored || len(raw) != size {
			t.Fatalf("%d bytes, stored %d: %v", len(raw), len(again), err)
		}
		back, err := dec.decode(nil, again, size)
		if err != nil || !bytes.Equal(back, raw) {
			t.Fatalf("the content came back changed: %v", err)
		}
	})
}

// FuzzMessage: the messages of an index have one encoding.
func FuzzMessage(f *testing.F) {
	f.Add(1, encodeMessage(nil, goodHeader()))
	f.Add(2, encodeMessage(nil, goodSegment()))
	f.Add(3, encodeMessage(nil, &wirePart{[]byte("a"), 0, 2, 512, 100}))
	f.Add(5, encodeMessage(nil, goodTrailer()))
	f.Add(1, []byte{0x08, 0x81, 0, 0x10, 0x80, 0x20, 0x1a, 0, 0x20, 0})
	f.Fuzz(func(t *testing.T, kind int, b []byte) {
		m := map[int]message{1: &indexHeader{}, 2: &segment{}, 3: &wirePart{}, 5: &trailer{}}[kind]
		if m == nil {
			return
		}
		err := decodeMessage(b, m)
		typed(t, err)
		if err != nil {
			return
		}
		if again := encodeMessage(nil, m); !bytes.Equal(again, b) {
			t.Fatalf("%x comes back as %x", b, again)
		}
		if s, ok := m.(*segment); ok {
			typed(t, s.check(4096))
		}
	})
}

// fuzzIndex: an index that is accepted, written again and read again, is the same recipe.
func fuzzIndex(f *testing.F, patch bool) {
	full := readVector(f, filepath.Join(vectorDir, "index-good")).data
	sum := sha256.Sum256(full)
	enc := newTestEncoder(f)
	for _, v := range readVectors(f) {
		if v.header["kind"] == "index" && (v.header["base"] != "") == patch {
			if plain, err := decompress(v.data); err == nil {
				f.Add(plain)
			}
		}
	}
	limits := Limits{ChunkSize: 4096, Size: 1 << 20, Sealed: true}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) > 1<<20 {
			return
		}
		var base *Recipe
		var baseSum *[sha256.Size]byte
		if patch {
			r, err := ReadIndex(dir, bytes.NewReader(full), nil, nil, limits)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			base, baseSum = r, &sum
		}
		r, err := ReadIndex(dir, bytes.NewReader(enc.EncodeAll(plain, nil)), base, baseSum, limits)
		typed(t, err)
		if err != nil {
			return
		}
		defer r.Close()
		if r.Size > limits.Size {
			t.Fatalf("a stream of %d bytes", r.Size)
		}
		var on *Base
		if patch {
			on = r.Base()
		}
		x, err := WriteIndex(dir, r, on)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		again, err := ReadIndex(dir, io.NewSectionReader(x, 0, x.Size), base, baseSum, limits)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		checkEqual(t, again, r)
		if !bytes.Equal(again.Facts, r.Facts) {
			t.Fatal("other facts")
		}
	})
}

func FuzzIndexFull(f *testing.F)  { fuzzIndex(f, false) }
func FuzzIndexPatch(f *testing.F) { fuzzIndex(f, true) }
