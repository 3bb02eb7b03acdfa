package manifest

import (
	"bytes"
	"errors"
	"testing"
)

// fuzz checks, for what one decoder accepts, that it encodes to the same bytes again, and for what it
// refuses, that the error has an identifier.
func fuzz(f *testing.F, kind string) {
	for _, v := range readVectors(f) {
		if v.kind == kind {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := decodeAgain(kind, b)
		var bad *DecodeError
		switch {
		case errors.As(err, &bad):
		case err != nil:
			t.Fatalf("an error without an identifier: %v", err)
		case !bytes.Equal(again, b):
			t.Fatalf("%q comes back as %q", b, again)
		}
	})
}

func FuzzManifest(f *testing.F)    { fuzz(f, "manifest") }
func FuzzMarker(f *testing.F)      { fuzz(f, "marker") }
func FuzzNote(f *testing.F)        { fuzz(f, "note") }
func FuzzDrill(f *testing.F)       { fuzz(f, "drill") }
func FuzzVerdict(f *testing.F)     { fuzz(f, "verdict") }
func FuzzFactsSQLite(f *testing.F) { fuzz(f, "facts-sqlite") }
func FuzzFactsChroma(f *testing.F) { fuzz(f, "facts-chroma") }

func FuzzKey(f *testing.F) {
	for key := range readKeys(f) {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		k, err := ParseKey(key)
		if err == nil && build(k) != key {
			t.Fatalf("%q comes back as %q", key, build(k))
		}
	})
}

// FuzzSplit: what splits is put together again from its halves.
func FuzzSplit(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.kind == "manifest" {
			f.Add(v.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		body, block, err := Split(b)
		if err != nil {
			return
		}
		joined := body
		if len(block) > 0 {
			joined = bytes.Join([][]byte{body, block}, []byte("\n"))
		}
		if !bytes.Equal(joined, b) {
			t.Fatalf("%q and %q make %q", body, block, b)
		}
	})
}
