package local

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/atocore/holdfast/core/target"
)

// volume is the size of the largest usual object.
const volume = 32 << 20

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // documented never to fail
	return b
}

func BenchmarkPut32MiB(b *testing.B) {
	x := create(b, b.TempDir())
	body := random(volume)
	o := optionsFor(body)
	b.SetBytes(volume)
	for i := 0; b.Loop(); i++ {
		if _, err := x.Put(b.Context(), fmt.Sprintf("s/%d/v", i), bytes.NewReader(body), o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet32MiB(b *testing.B) {
	x := create(b, b.TempDir())
	body := random(volume)
	o := optionsFor(body)
	if _, err := x.Put(b.Context(), "v", bytes.NewReader(body), o); err != nil {
		b.Fatal(err)
	}
	s := target.Open("bench", x, target.Options{})
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(volume)
		for b.Loop() {
			drain(b, s.Open(b.Context(), "v", 0, volume))
		}
	})
	b.Run("verified", func(b *testing.B) {
		b.SetBytes(volume)
		for b.Loop() {
			drain(b, s.OpenVerified(b.Context(), "v", volume, o.SHA256))
		}
	})
}

func drain(b *testing.B, r io.ReadCloser) {
	if n, err := io.Copy(io.Discard, r); n != volume || err != nil {
		b.Fatal(n, err)
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkList20000(b *testing.B) {
	x := create(b, b.TempDir())
	o := optionsFor(nil)
	for i := range 20000 {
		if _, err := x.Put(b.Context(), fmt.Sprintf("s/archives/%04d/%d", i/4, i), bytes.NewReader(nil), o); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := 0
		for _, err := range x.List(b.Context(), "", "") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 20000 {
			b.Fatal(n)
		}
	}
}
