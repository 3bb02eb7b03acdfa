package archive

import (
	"bytes"
	"strings"
	"testing"
)

// flawed is an encoder whose nth call flips a bit of what it compresses, or cuts its result.
type flawed struct {
	recordEncoder
	call, at int
	cut      bool
}

func (f *flawed) EncodeAll(src, dst []byte) []byte {
	f.call++
	switch {
	case f.call != f.at:
		return f.recordEncoder.EncodeAll(src, dst)
	case f.cut:
		out := f.recordEncoder.EncodeAll(src, dst)
		return out[:len(out)-1]
	}
	return f.recordEncoder.EncodeAll(flip(src, len(src)/2), dst)
}

// TestIndexIsVerified: an index with a record that does not decode to what it says is not written.
func TestIndexIsVerified(t *testing.T) {
	r, err := ReadIndex(t.TempDir(), bytes.NewReader(partsIndex(t, manyParts(2, 5))), nil, nil, Limits{ChunkSize: 4096, Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, cut := range []bool{false, true} {
		for at := 1; ; at++ { // header, segment, two parts, trailer
			w, err := newIndexWriter(new(bytes.Buffer))
			if err != nil {
				t.Fatal(err)
			}
			w.enc = &flawed{recordEncoder: w.enc, at: at, cut: cut}
			err = w.write(r, nil)
			if at == 6 {
				if err != nil {
					t.Errorf("without a flaw: %v", err)
				}
				break
			}
			if err == nil || !strings.Contains(err.Error(), "verify field") {
				t.Errorf("record %d, cut %v: %v", at, cut, err)
			}
		}
	}
}
