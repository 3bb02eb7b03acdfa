package archive

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/atocore/holdfast/core/source"
)

// benchStream is n bytes of pages of words, about as compressible as a database of notes.
func benchStream(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	words := bytes.Fields([]byte("memory project vector the a of snapshot decision note entity because register of with {\"id\": \"tags\": [] null 2026-04-11T09:46:46Z"))
	b := make([]byte, 0, n+64)
	for len(b) < n {
		b = append(append(b, words[rng.IntN(len(words))]...), ' ')
		if rng.IntN(6) == 0 {
			b = append(b, byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()))
		}
	}
	return b[:n]
}

const benchSize = 64 << 20

func BenchmarkHash(b *testing.B) {
	data := benchStream(FrameRaw)
	b.SetBytes(FrameRaw)
	for b.Loop() {
		for at := 0; at < len(data); at += 4096 {
			sha256.Sum256(data[at : at+4096])
		}
	}
}

func BenchmarkFrameEncode(b *testing.B) {
	enc, err := newFrameEncoder()
	if err != nil {
		b.Fatal(err)
	}
	defer enc.close()
	for name, data := range map[string][]byte{"text": benchStream(FrameRaw), "noise": noise(FrameRaw, "bench")} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(FrameRaw)
			var out []byte
			for b.Loop() {
				if out, err = enc.encode(out[:0], data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data))/float64(len(out)), "ratio")
		})
	}
}

func BenchmarkFrameDecode(b *testing.B) {
	enc, err := newFrameEncoder()
	if err != nil {
		b.Fatal(err)
	}
	defer enc.close()
	data := benchStream(FrameRaw)
	stored, err := enc.encode(nil, data)
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.SetBytes(FrameRaw)
	for b.Loop() {
		if out, err = enc.dec.decode(out, stored, FrameRaw); err != nil {
			b.Fatal(err)
		}
	}
}

// packed is the bench stream in a store, with its recipe.
func packed(b *testing.B) (store, *Recipe) {
	s := store{}
	p, err := Pack(b.Context(), []source.Part{bytesPart("", nil, benchStream(benchSize), 0)}, 4096, []*Parent{nil},
		PackOptions{Scratch: b.TempDir(), Workers: 2, Rand: chacha("bench"), Emit: s.emit})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	return s, p.Members[0].Recipe
}

func BenchmarkIndexEncode(b *testing.B) {
	_, r := packed(b)
	dir := b.TempDir()
	b.SetBytes(benchSize)
	for b.Loop() {
		x, err := WriteIndex(dir, r, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(x.Size), "bytes")
		x.Close()
	}
}

func BenchmarkIndexDecode(b *testing.B) {
	_, r := packed(b)
	dir := b.TempDir()
	x, err := WriteIndex(dir, r, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	b.SetBytes(benchSize)
	for b.Loop() {
		again, err := ReadIndex(dir, io.NewSectionReader(x, 0, x.Size), nil, nil, Limits{ChunkSize: 4096, Size: benchSize})
		if err != nil {
			b.Fatal(err)
		}
		again.Close()
	}
}

func BenchmarkPack(b *testing.B) {
	data := benchStream(benchSize)
	_, r := packed(b)
	for name, parent := range map[string]*Parent{"first": nil, "unchanged": NewParent(r, nil)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(benchSize)
			b.ReportAllocs()
			for b.Loop() {
				p, err := Pack(b.Context(), []source.Part{bytesPart("", nil, data, 0)}, 4096, []*Parent{parent},
					PackOptions{Scratch: b.TempDir(), Workers: 2, Rand: chacha("bench"), Emit: store{}.emit})
				if err != nil {
					b.Fatal(err)
				}
				p.Close()
			}
		})
	}
}

// discard is a place that bytes may be written to.
type discard struct{}

func (discard) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func BenchmarkRead(b *testing.B) {
	s, r := packed(b)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		if err := Read(b.Context(), r, ReadOptions{Open: s.open, To: discard{}, Workers: 2}); err != nil {
			b.Fatal(err)
		}
	}
}
