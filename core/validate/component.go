package validate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
)

// component validates one component of one snapshot.
type component struct {
	v      *validation
	m      *manifest.Manifest
	c      *manifest.Component
	out    *SnapshotReport
	claims map[string]claim // what the manifest says of each object
	gone   map[string]bool  // objects that the listing does not show as the manifest does
}

func (c *component) find(key, id, format string, args ...any) {
	c.out.Findings = append(c.out.Findings, Finding{c.c.Name, key, id, fmt.Sprintf(format, args...)})
}

func (c *component) unsure(key, id, format string, args ...any) {
	c.out.Inconclusive = append(c.out.Inconclusive, Finding{c.c.Name, key, id, fmt.Sprintf(format, args...)})
}

// damaged reports an object that failed twice, in this snapshot or in one before. An object that meets
// what another manifest says of it is well, whatever this one says.
func (c *component) damaged(ctx context.Context, key string, cause error) error {
	k := c.claims[key]
	if c.v.damaged[k] == nil {
		id, err := c.v.honest(ctx, k)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && id != "":
			c.find(key, IDContradiction, "the object is what snapshot %s says of it, and not what this one says: %v", id, cause)
			return nil
		case err != nil:
			c.find(key, IDDamaged, "%v", cause)
			c.unsure(key, IDInconclusive, "it was not marked: whether it is what another snapshot says of it could not be found out: %v", err)
			return nil
		}
		c.v.damaged[k] = cause
		if err := c.v.mark(ctx, key, cause); err != nil {
			c.unsure(key, IDInconclusive, "it is damaged, and that could not be marked in the target: %v", err)
		}
	}
	c.find(key, IDDamaged, "%v", cause)
	return nil
}

// objects compares the manifest with the listing.
func (c *component) objects() {
	look := func(key string, size int64) {
		listed, ok := c.v.View.Archives[key]
		switch {
		case !ok:
			c.gone[key] = true
			c.find(key, IDMissing, "the listing does not show it")
		case listed != size:
			c.gone[key] = true
			c.find(key, IDSize, "the listing shows %d bytes; the manifest says %d", listed, size)
		case c.v.View.Damaged[key]:
			c.find(key, IDMarked, "it was found damaged before")
		}
	}
	for _, o := range c.c.Index {
		look(o.Key, o.Size)
	}
	for _, o := range c.c.Volumes {
		look(o.Key, o.Size)
	}
}

// data reads what the component needs; at level Content it stages and inspects it. When a volume is
// gone, the others are read all the same: what is found now is mended by the next create. The error is
// for a run that cannot go on.
func (c *component) data(ctx context.Context) error {
	for _, o := range c.c.Index {
		if c.gone[o.Key] {
			return nil
		}
		if cause := c.v.damaged[c.claims[o.Key]]; cause != nil {
			return c.damaged(ctx, o.Key, cause)
		}
	}
	open, err := c.open(ctx)
	if err != nil || open == nil {
		return err
	}
	defer open.Close()
	whole := true
	for _, id := range open.Recipe.Volumes {
		key := open.Volume(id).Key
		if cause := c.v.damaged[c.claims[key]]; cause != nil && c.v.Subset.has(key) {
			if err := c.damaged(ctx, key, cause); err != nil {
				return err
			}
			whole = false
		}
		whole = whole && !c.gone[key]
	}
	if c.v.Level == Content && whole {
		return c.stage(ctx, open)
	}
	bad, err := c.gather(func(damaged func(archive.VolumeID, error)) error { return c.read(ctx, open, nil, damaged) })
	return c.judge(ctx, open, bad, err)
}

// judge reports what reading showed.
func (c *component) judge(ctx context.Context, open *repository.Component, bad map[archive.VolumeID]error, err error) error {
	if err := c.second(ctx, open, bad); err != nil {
		return err
	}
	switch {
	case err == nil, len(bad) > 0 && errors.Is(err, repository.ErrDamaged):
		return nil
	case ctx.Err() != nil:
		return err
	}
	c.unsure("", IDUnreadable, "%v", source.Scratch(err, c.v.Scratch, c.c.Size))
	return nil
}

// stage writes the stream to scratch space and inspects it there. A stream that is not what the manifest
// says although all its chunks are is made twice, as volumes are read twice.
func (c *component) stage(ctx context.Context, open *repository.Component) error {
	var first error
	for range 2 {
		var staged string
		bad, err := c.gather(func(damaged func(archive.VolumeID, error)) (err error) {
			staged, err = restore.Stage(ctx, open, restore.StageOptions{Dir: c.v.Scratch, Damaged: damaged, Progress: c.v.Progress})
			return err
		})
		var stream *repository.ObjectError
		switch {
		case err == nil:
			if first != nil {
				c.unsure("", IDUnstable, "the stream was right only the second time: %v; look at this host's disk and memory", first)
			}
			return errors.Join(c.content(ctx, staged), os.RemoveAll(staged))
		case len(bad) > 0 || !errors.Is(err, repository.ErrDamaged):
			return c.judge(ctx, open, bad, err)
		case !errors.As(err, &stream): // the stream is right, and cannot be unpacked
			c.find("", IDDamaged, "%v", err)
			return nil
		case first != nil:
			return c.damaged(ctx, stream.Key, stream.Err)
		}
		first = err
	}
	return first
}

// open reads the index; one that is damaged twice is a finding, and gives nil.
func (c *component) open(ctx context.Context) (*repository.Component, error) {
	var first error
	for range 2 {
		open, err := c.v.Repository.OpenComponent(ctx, c.m, c.c.Name, c.v.Scratch)
		var bad *repository.ObjectError
		switch {
		case err == nil:
			if first != nil {
				c.unsure("", IDUnstable, "the index could be read only the second time: %v", first)
			}
			return open, nil
		case ctx.Err() != nil:
			return nil, err
		case !errors.As(err, &bad):
			c.unsure("", IDUnreadable, "%v", source.Scratch(err, c.v.Scratch, c.c.Size))
			return nil, nil
		case first != nil:
			return nil, c.damaged(ctx, bad.Key, bad.Err)
		}
		first = err
	}
	return nil, first
}

// content runs the checks of the component's kind on the staged copy.
func (c *component) content(ctx context.Context, staged string) error {
	report, err := kinds.Inspect(ctx, c.c.Kind, staged, source.Full, c.c.Facts)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		c.unsure("", IDInconclusive, "%v", err)
		return nil
	}
	c.out.Checks[c.c.Name] = report.Checks
	for _, k := range report.Checks {
		switch k.Result {
		case manifest.Failed:
			id := k.ID
			if id == "" {
				id = k.Name + "_failed"
			}
			c.find("", id, "%s failed: %s", k.Name, k.Detail)
		case manifest.Inconclusive:
			c.unsure("", IDInconclusive, "%s did not run: %s", k.Name, k.Detail)
		}
	}
	return nil
}
