package chroma

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/atocore/holdfast/core/manifest"
)

// Limits bound what Extract writes.
type Limits struct {
	Bytes   int64 // of all contents together; 1 TiB when 0
	Members int   // manifest.MaxParts when 0; there are never more
}

// Extract writes the members of a tar made by this package into the directory dir, which it makes
// with mode 0700 and which must not exist. Files get mode 0600 and their modification times.
// Nothing is synced to disk.
//
// The tar may come from anywhere, and nothing in it can write outside dir. Anything that this
// package does not write is an error: a member that is no plain file, a name that is not local or
// collides with another, more than the limits allow, missing end blocks, data after them. After an error dir
// may hold some of the members; the caller removes it.
func Extract(ctx context.Context, r io.Reader, dir string, limits Limits) error {
	if limits.Bytes == 0 {
		limits.Bytes = 1 << 40
	}
	if limits.Members == 0 {
		limits.Members = manifest.MaxParts
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("extract: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("extract: %w", err)
	}
	defer root.Close()
	x := &extraction{root: root, limits: limits, names: newNameSet(), in: &endReader{ctx: ctx, r: r}}
	if err := x.run(); err != nil {
		return fmt.Errorf("extract into %s: %w", dir, err)
	}
	return nil
}

type extraction struct {
	root   *os.Root
	limits Limits
	names  *nameSet
	in     *endReader
}

func (x *extraction) run() error {
	tr := tar.NewReader(x.in)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return x.end()
		}
		if err != nil {
			return fmt.Errorf("after %d members: %w", n, err)
		}
		if n == x.limits.Members {
			return fmt.Errorf("more than %d members", x.limits.Members)
		}
		if err := x.accept(h); err != nil {
			return err
		}
		if err := x.write(h, tr); err != nil {
			return fmt.Errorf("member %q: %w", h.Name, err)
		}
	}
}

// end demands that the two end blocks were there, and nothing after them.
func (x *extraction) end() error {
	if x.in.ended {
		return errors.New("the tar ends without its end blocks: it is truncated")
	}
	switch n, err := io.ReadFull(x.in, make([]byte, 1)); {
	case n > 0:
		return errors.New("data follows the tar's end blocks")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

func (x *extraction) accept(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("member %q is no plain file but of type %q", h.Name, h.Typeflag)
	}
	if h.Format&(tar.FormatUSTAR|tar.FormatPAX) == 0 {
		return fmt.Errorf("member %q is in tar format %v", h.Name, h.Format)
	}
	for k := range h.PAXRecords {
		if k != "path" && k != "size" && k != "mtime" {
			return fmt.Errorf("member %q has the PAX record %q", h.Name, k)
		}
	}
	if h.Size > x.limits.Bytes {
		return fmt.Errorf("member %q takes the contents over the limit by %d bytes", h.Name, h.Size-x.limits.Bytes)
	}
	x.limits.Bytes -= h.Size
	return x.names.add(h.Name)
}

func (x *extraction) write(h *tar.Header, content io.Reader) (err error) {
	if err := x.root.MkdirAll(path.Dir(h.Name), 0o700); err != nil {
		return err
	}
	f, err := x.root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return x.root.Chtimes(h.Name, h.ModTime, h.ModTime)
}

// endReader remembers that its reader came to an end, and gives that end only on a read of its own.
type endReader struct {
	ctx   context.Context // of the one Extract that made it
	r     io.Reader
	err   error
	ended bool
}

func (e *endReader) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	if e.err == nil {
		var n int
		n, e.err = e.r.Read(p)
		if n > 0 || e.err == nil {
			return n, nil
		}
	}
	e.ended = e.ended || errors.Is(e.err, io.EOF)
	return 0, e.err
}
