package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
)

// DumpOptions are what Dump needs.
type DumpOptions struct {
	Repository *repository.Repository
	Manifest   *manifest.Manifest
	Component  string
	Member     string        // a file of a Chroma component; "": the whole stream, which for Chroma is a tar
	Scratch    string        // a directory with room for what is dumped
	Fallback   *Fallback     // optional: where to look for what is lost
	Rescued    func(*Rescue) // optional: told when something was, and all of it was found
	Progress   progress.Progress
}

// Dump writes a component's stream, or one member of it, to w and returns how many bytes it wrote.
// Chunks are stored out of order, so it gathers and verifies them in scratch space first: what
// reaches w is right to the last byte, or nothing does.
func Dump(ctx context.Context, o DumpOptions, w io.Writer) (_ int64, err error) {
	dir, err := os.MkdirTemp(o.Scratch, "dump-")
	if err != nil {
		return 0, fmt.Errorf("scratch space: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := o.Fallback.begin(ctx, o.Repository, o.Manifest, o.Component, dir)
	if err != nil {
		return 0, err
	}
	c := r.Component
	defer c.Close()
	f, err := os.OpenFile(filepath.Join(dir, "stream"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, fmt.Errorf("scratch space: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()

	read := archive.ReadOptions{To: f, Progress: report(o.Progress, c)}
	from, size := int64(0), c.Size
	if o.Member != "" {
		part, err := member(c, o.Member)
		if err != nil {
			return 0, err
		}
		read.From, read.End = part.First, part.First+part.Count
		from, size = part.Skip, part.Size
	} else {
		read.Whole = c.Whole
	}
	if err := r.read(ctx, read); err != nil {
		return 0, err
	}
	if o.Member == "" {
		if err := verify(ctx, f, c); err != nil {
			return 0, err
		}
	}
	if r.rescue != nil && o.Rescued != nil {
		o.Rescued(r.rescue)
	}
	n, err := io.Copy(w, &contextReader{ctx, io.NewSectionReader(f, from, size)})
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, fmt.Errorf("write %s: %w", o.Component, err)
	}
	return n, nil
}

func member(c *repository.Component, name string) (archive.Part, error) {
	for _, p := range c.Recipe.Parts {
		if p.Name == name {
			return p, nil
		}
	}
	return archive.Part{}, fmt.Errorf("%w: component %s has no member %q; it has %d", repository.ErrNoSnapshot, c.Name, name, len(c.Recipe.Parts))
}
