package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/internal/stamp"
)

// reading is one whole and untorn read.
type reading struct {
	size int64
	sum  [sha256.Size]byte
}

func (s *Source) staged() string { return filepath.Join(s.dir, "content") }

func (s *Source) stage(ctx context.Context) (r reading, err error) {
	f, err := os.OpenFile(s.staged(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return s.read(ctx, f)
}

// read copies the file to w once, and fails with ErrMoved unless it stayed the same meanwhile.
func (s *Source) read(ctx context.Context, w io.Writer) (r reading, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	// O_NONBLOCK: opening a FIFO without a writer would hang.
	f, err := os.OpenFile(s.path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return r, s.opening(err)
	}
	s.seen = true
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return r, s.fault(IDOpen, nil, "cannot be read", err)
	}
	if err := s.acceptable(fi); err != nil {
		return r, err
	}
	before, err := stamp.OfFile(f)
	if err != nil {
		return r, s.fault(IDOpen, nil, "cannot be read", err)
	}
	h := sha256.New()
	r.size, err = io.Copy(io.MultiWriter(w, h), io.LimitReader(f, before.Size+1))
	if err != nil {
		return r, fmt.Errorf("copy %s: %w", s.path, err)
	}
	after, err := stamp.OfFile(f)
	if err != nil {
		return r, s.fault(IDOpen, nil, "cannot be read", err)
	}
	there, err := stamp.OfPath(s.path)
	if err != nil {
		return r, s.opening(err)
	}
	if before != after || before != there || r.size != before.Size {
		return r, s.fault(IDUnstable, source.ErrMoved, "is being written to", nil)
	}
	h.Sum(r.sum[:0])
	return r, nil
}

func (s *Source) acceptable(fi fs.FileInfo) error {
	switch {
	case !fi.Mode().IsRegular():
		return s.fault(IDSpecial, source.ErrInvalid, "is no regular file but "+source.FileType(fi.Mode()), nil)
	case fi.Size() > MaxSize:
		return s.fault(IDTooLarge, source.ErrInvalid, fmt.Sprintf("has %d bytes, and a component of kind file at most %d", fi.Size(), MaxSize), nil)
	}
	return nil
}
