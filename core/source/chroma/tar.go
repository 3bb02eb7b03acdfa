package chroma

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/atocore/holdfast/core/source"
)

const (
	blockSize = 512
	chunkSize = 4096
)

// member is a file of the stream.
type member struct {
	name  string // with slashes
	size  int64
	mtime time.Time
}

// parts returns the stream of the members, which must be in byte order of their names, with
// contents from files below dir.
func parts(dir string, members []member) ([]source.Part, error) {
	var ps []source.Part
	for _, m := range members {
		h, err := tarHeader(m)
		if err != nil {
			return nil, err
		}
		p := source.Part{Name: m.name, Header: h, Size: m.size, Pad: (blockSize - m.size%blockSize) % blockSize}
		if m.size > 0 {
			path := filepath.Join(dir, filepath.FromSlash(m.name))
			p.Open = func() (io.ReadCloser, error) { return os.Open(path) }
		}
		ps = append(ps, p)
	}
	// A tar ends with two blocks of zeros.
	return append(ps, source.Part{Header: make([]byte, 2*blockSize)}), nil
}

// tarHeader returns a member's header blocks. archive/tar chooses USTAR, or PAX where that does not fit.
func tarHeader(m member) ([]byte, error) {
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg,
		Name:     m.name,
		Size:     m.size,
		Mode:     0o600,
		ModTime:  time.Unix(m.mtime.Unix(), 0), // Unix rounds down, also before 1970
	})
	if err != nil {
		return nil, fmt.Errorf("tar header of %q: %w", m.name, err)
	}
	if b.Len() > chunkSize {
		return nil, fmt.Errorf("tar header of %q has %d bytes, more than a chunk", m.name, b.Len())
	}
	return b.Bytes(), nil
}
