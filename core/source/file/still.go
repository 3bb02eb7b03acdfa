package file

import (
	"fmt"
	"io"
	"os"

	"github.com/atocore/holdfast/core/source"
)

// FrozenAt is the stream of a copy that was not captured here: the file at path, which nobody may write to.
func FrozenAt(path string) (*source.Frozen, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("copy of a file: %w", err)
	}
	if err := New("", path, "").acceptable(fi); err != nil {
		return nil, err
	}
	part := source.Part{Size: fi.Size()}
	if part.Size > 0 {
		part.Open = func() (io.ReadCloser, error) { return os.Open(path) }
	}
	return &source.Frozen{ChunkSize: 4096, Path: path, Parts: []source.Part{part}}, nil
}
