package sqlite

import (
	"io"
	"os"

	"github.com/atocore/holdfast/core/source"
)

// FrozenAt is the stream of a copy that was not captured here: the database at path as its bytes are, which
// nobody may write to. The error is a Fault for a file that is no whole database. What is in a -wal or a journal
// beside it is not in the stream.
func FrozenAt(path string) (*source.Frozen, error) {
	h, size, err := headerOf(path)
	if err == nil {
		err = h.truncated(path, size)
	}
	if err != nil {
		return nil, err
	}
	return &source.Frozen{
		ChunkSize: h.chunkSize(),
		Path:      path,
		Parts:     []source.Part{{Size: size, Open: func() (io.ReadCloser, error) { return os.Open(path) }}},
	}, nil
}
