package target

import (
	"errors"
	"fmt"
	"hash"
	"io"
)

// verifier is a reader of a whole object that ends in ErrCorrupt unless the
// bytes hash to what was declared.
type verifier struct {
	reader
	sum  [32]byte
	hash hash.Hash
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.reader.Read(p)
	v.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := [32]byte(v.hash.Sum(nil)); got != v.sum {
			v.err = v.fail(&Error{Kind: KindCorrupt, Err: fmt.Errorf("SHA-256 is %x instead of %x", got, v.sum)})
			return n, v.err
		}
	}
	return n, err
}
