package restore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source/chroma"
)

// StageOptions are what Stage and StageFrom need beside the component.
type StageOptions struct {
	Dir string // a private directory; it also holds scratch files while Stage runs
	// Damaged, when set, is told of every damaged volume, and Stage then fails only when it has read all.
	// StageFrom ignores it.
	Damaged  func(archive.VolumeID, error)
	Fallback *Fallback // optional: where StageFrom looks for what is lost; Stage ignores it
	Progress progress.Progress
}

// Stage writes a component's stream into Dir, under the component's name, and verifies it: every chunk
// by its id, the stream by its SHA-256. A Chroma stream is unpacked to a directory. It returns the path
// of the copy; after an error nothing is left. Damage is an error that Is repository.ErrDamaged.
func Stage(ctx context.Context, c *repository.Component, o StageOptions) (string, error) {
	return o.stage(ctx, c, func(ctx context.Context, read archive.ReadOptions) error {
		read.Open = c.Open
		damage := false
		if o.Damaged != nil {
			read.Damaged = func(v archive.VolumeID, err error) {
				damage = true
				o.Damaged(v, err)
			}
		}
		if err := archive.Read(ctx, c.Recipe, read); err != nil {
			return c.Explain(err)
		}
		if damage {
			return fmt.Errorf("stream of %s: %w", c.Name, repository.ErrDamaged)
		}
		return nil
	})
}

// StageFrom opens a component of a snapshot and stages it as Stage does. What is lost of it is looked for in
// Fallback; the Rescue, which is nil when nothing was lost, tells what came of that.
func StageFrom(ctx context.Context, own *repository.Repository, m *manifest.Manifest, name string, o StageOptions) (string, *Rescue, error) {
	r, err := o.Fallback.begin(ctx, own, m, name, o.Dir)
	if err != nil {
		return "", r.rescue, err
	}
	defer r.Close()
	path, err := o.stage(ctx, r.Component, r.read)
	return path, r.rescue, err
}

// stage has a stream read to Dir, and unpacks it.
func (o StageOptions) stage(ctx context.Context, c *repository.Component, read func(context.Context, archive.ReadOptions) error) (_ string, err error) {
	path := filepath.Join(o.Dir, c.Name)
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}()
	if c.Kind != manifest.Chroma {
		return path, o.stream(ctx, c, path, read)
	}
	tar := filepath.Join(o.Dir, c.Name+".tar") // no component has a dot in its name
	err = o.stream(ctx, c, tar, read)
	if err == nil {
		err = extract(ctx, tar, path, c.Size)
	}
	if rerr := os.Remove(tar); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return path, err
}

// stream writes the component's stream to a new file.
func (o StageOptions) stream(ctx context.Context, c *repository.Component, path string, read func(context.Context, archive.ReadOptions) error) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("stage %s: %w", c.Name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := read(ctx, archive.ReadOptions{Whole: c.Whole, To: f, Progress: report(o.Progress, c)}); err != nil {
		return err
	}
	return verify(ctx, f, c)
}

func report(p progress.Progress, c *repository.Component) func(int64) {
	p = progress.Or(p)
	return func(n int64) { p.Add("restore "+c.Name, n, c.Size) }
}

// verify compares the written stream with the manifest.
func verify(ctx context.Context, f *os.File, c *repository.Component) error {
	h := sha256.New()
	n, err := io.Copy(h, &contextReader{ctx, io.NewSectionReader(f, 0, 1<<62)})
	if err != nil {
		return fmt.Errorf("verify the stream of %s: %w", c.Name, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); n != c.Size || sum != c.SHA256 {
		return &repository.ObjectError{Key: c.Index[0].Key, Err: fmt.Errorf(
			"it led to a stream of %d bytes with SHA-256 %s; the manifest says %d and %s", n, sum, c.Size, c.SHA256)}
	}
	return nil
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// extract unpacks a tar whose bytes are right. What this system did not refuse to do is wrong with the tar.
func extract(ctx context.Context, tar, dir string, size int64) (err error) {
	f, err := os.Open(tar)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = chroma.Extract(ctx, f, dir, chroma.Limits{Bytes: size})
	if err != nil && ctx.Err() == nil && !errors.As(err, new(syscall.Errno)) {
		err = fmt.Errorf("%w: its hash is right, but it cannot be unpacked: %w", repository.ErrDamaged, err)
	}
	return err
}
