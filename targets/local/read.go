package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/atocore/holdfast/core/target"
)

// Get implements target.Target.
func (t *Target) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	const op = "get"
	if err := t.readyFor(ctx, op, key); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, &target.Error{Op: op, Key: key, Kind: target.KindInvalid, Err: fmt.Errorf("offset %d", offset)}
	}
	info, err := t.lookUp(op, key)
	if err != nil {
		return nil, err
	}
	f, err := t.root.Open(key)
	if err != nil {
		return nil, t.missing(op, key, err)
	}
	rest := max(info.Size()-offset, 0)
	if length < 0 || length > rest {
		length = rest
	}
	return &body{ctx: ctx, t: t, key: key, f: f, r: io.NewSectionReader(f, offset, length)}, nil
}

// Stat implements target.Target.
func (t *Target) Stat(ctx context.Context, key string) (target.Object, error) {
	const op = "stat"
	if err := t.readyFor(ctx, op, key); err != nil {
		return target.Object{}, err
	}
	info, err := t.lookUp(op, key)
	if err != nil {
		return target.Object{}, err
	}
	return describe(key, info), nil
}

// Delete implements target.Target. It also removes the directories that it
// leaves empty.
func (t *Target) Delete(ctx context.Context, key string) error {
	const op = "delete"
	if err := t.readyFor(ctx, op, key); err != nil {
		return err
	}
	_, err := t.lookUp(op, key)
	if err == nil {
		err = t.root.Remove(key)
	}
	switch {
	case errors.Is(err, target.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fail(op, key, err)
	}
	t.prune(key)
	return nil
}

// lookUp finds the file of an object.
func (t *Target) lookUp(op, key string) (os.FileInfo, error) {
	info, err := t.root.Lstat(key)
	switch {
	case err != nil:
		return nil, t.missing(op, key, err)
	case info.IsDir(): // the folder of other keys is no object
		return nil, &target.Error{Op: op, Key: key, Kind: target.KindNotFound}
	case !info.Mode().IsRegular():
		return nil, fail(op, key, errNotRegular)
	}
	return info, nil
}

// missing tells an absent object from a failure.
func (t *Target) missing(op, key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &target.Error{Op: op, Key: key, Kind: target.KindNotFound}
	}
	return fail(op, key, err)
}

// body reads an object until ctx ends. It keeps ctx because io.Reader has no
// room for one.
type body struct {
	ctx context.Context
	t   *Target
	key string
	f   *os.File
	r   *io.SectionReader
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, fail("get", b.key, err)
	}
	if err := b.t.at(stepRead, b.key); err != nil {
		return 0, fail("get", b.key, err)
	}
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = fail("get", b.key, err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error { return b.f.Close() }
