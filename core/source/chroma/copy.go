package chroma

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/internal/stamp"
)

// copyStep is how much is copied between two looks at ctx.
const copyStep = 64 << 20

// copyFile copies a file that Prepare saw, with its modification time.
func (s *Source) copyFile(ctx context.Context, name string) (err error) {
	from, to := filepath.Join(s.real, filepath.FromSlash(name)), filepath.Join(s.store, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	src, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return moved(from)
	}
	if err != nil {
		return &source.Fault{Path: from, ID: IDOpen, Problem: "cannot be opened", Next: "run as the application's user", Cause: err}
	}
	defer src.Close()
	st, err := stamp.OfFile(src)
	if err != nil {
		return err
	}
	if st != s.before[name] {
		return moved(from)
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	for left := st.Size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(dst, src, min(left, copyStep))
		if errors.Is(err, io.EOF) {
			return moved(from)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", from, err)
		}
		left -= n
	}
	mtime := time.Unix(0, s.before[name].Mtime)
	return os.Chtimes(to, mtime, mtime)
}
