package validate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
)

// component validates one component of one snapshot.
type component struct {
	v   *validation
	m   *manifest.Manifest
	c   *manifest.Component
	out *SnapshotReport
}

func (c *component) find(key, id, format string, args ...any) {
	c.out.Findings = append(c.out.Findings, Finding{c.c.Name, key, id, fmt.Sprintf(format, args...)})
}

func (c *component) unsure(key, id, format string, args ...any) {
	c.out.Inconclusive = append(c.out.Inconclusive, Finding{c.c.Name, key, id, fmt.Sprintf(format, args...)})
}

// objects compares the manifest with the listing. It reports whether an object is missing, so that
// reading on is in vain.
func (c *component) objects() (missing bool) {
	look := func(key string, size int64) {
		listed, ok := c.v.View.Archives[key]
		switch {
		case !ok:
			missing = true
			c.find(key, IDMissing, "the listing does not show it")
		case listed != size:
			missing = true
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
	return missing
}

// data reads what the component needs; at level Content it stages and inspects it. The error is for a
// run that cannot go on.
func (c *component) data(ctx context.Context) error {
	open, err := c.open(ctx)
	if err != nil || open == nil {
		return err
	}
	defer open.Close()
	var staged string
	bad, err := c.gather(func(damaged func(archive.VolumeID, error)) error {
		if c.v.Level == Content {
			staged, err = restore.Stage(ctx, restore.StageOptions{
				Repository: c.v.Repository, Manifest: c.m, Component: c.c.Name, Dir: c.v.Scratch, Damaged: damaged, Progress: c.v.Progress,
			})
			return err
		}
		return c.read(ctx, open, nil, damaged)
	})
	if staged != "" {
		defer os.RemoveAll(staged)
	}
	if serr := c.second(ctx, open, bad); serr != nil {
		return serr
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case errors.Is(err, repository.ErrDamaged):
		if len(bad) == 0 {
			c.find(c.c.Index[0].Key, IDDamaged, "%v", err)
		}
		return nil
	case err != nil:
		c.unsure("", IDUnreadable, "%v", err)
		return nil
	}
	if c.v.Level == Content && len(bad) == 0 {
		return c.content(ctx, staged)
	}
	return nil
}

// open reads the index; one that is damaged twice is a finding, and gives nil.
func (c *component) open(ctx context.Context) (*repository.Component, error) {
	var first error
	for range 2 {
		open, err := c.v.Repository.OpenComponent(ctx, c.m, c.c.Name, c.v.Scratch)
		var bad *repository.ObjectError
		switch {
		case err == nil && first != nil:
			c.unsure("", IDUnstable, "the index could be read only the second time: %v", first)
			return open, nil
		case err == nil:
			return open, nil
		case errors.As(err, &bad) && first != nil:
			c.find(bad.Key, IDDamaged, "%v", bad.Err)
			c.v.mark(ctx, bad.Key, c.out, c.c.Name, bad.Err)
			return nil, nil
		case errors.As(err, &bad):
			first = err
		case ctx.Err() != nil:
			return nil, err
		default:
			c.unsure("", IDUnreadable, "%v", err)
			return nil, nil
		}
	}
	return nil, first
}

// gather collects the damaged volumes that f reports.
func (c *component) gather(f func(func(archive.VolumeID, error)) error) (map[archive.VolumeID]error, error) {
	var mu sync.Mutex
	bad := map[archive.VolumeID]error{}
	err := f(func(v archive.VolumeID, err error) {
		mu.Lock()
		defer mu.Unlock()
		bad[v] = err
	})
	return bad, err
}

// read verifies volumes without writing: those in only, or all of the subset. With many snapshots a
// volume is read whole, once: the others rely on its hash.
func (c *component) read(ctx context.Context, open *repository.Component, only map[archive.VolumeID]error, damaged func(archive.VolumeID, error)) error {
	many := len(c.v.Snapshots) > 1
	var mu sync.Mutex
	failed := map[archive.VolumeID]bool{}
	err := archive.Read(ctx, open.Recipe, archive.ReadOptions{
		Open: open.Open, Whole: open.Whole, All: many || only != nil,
		Skip: func(id archive.VolumeID) bool {
			if only != nil {
				return only[id] == nil
			}
			key := open.Volume(id).Key
			return c.v.whole[key] || !c.v.Subset.has(key)
		},
		Damaged: func(id archive.VolumeID, err error) {
			mu.Lock()
			failed[id] = true
			mu.Unlock()
			damaged(id, err)
		},
		Progress: func(n int64) { c.v.Progress.Add("verify "+c.c.Name, n, c.c.Size) },
	})
	if err == nil && many {
		for _, id := range open.Recipe.Volumes {
			if key := open.Volume(id).Key; !failed[id] && c.v.Subset.has(key) {
				c.v.whole[key] = true
			}
		}
	}
	return err
}

// second reads damaged volumes again, whole: what fails twice is damaged, the rest is unstable.
func (c *component) second(ctx context.Context, open *repository.Component, bad map[archive.VolumeID]error) error {
	if len(bad) == 0 {
		return nil
	}
	again, err := c.gather(func(damaged func(archive.VolumeID, error)) error { return c.read(ctx, open, bad, damaged) })
	if ctx.Err() != nil {
		return err
	}
	ids := make([]archive.VolumeID, 0, len(bad))
	for id := range bad {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b archive.VolumeID) int { return strings.Compare(open.Volume(a).Key, open.Volume(b).Key) })
	for _, id := range ids {
		key := open.Volume(id).Key
		switch {
		case again[id] != nil:
			c.find(key, IDDamaged, "%v", again[id])
			c.v.mark(ctx, key, c.out, c.c.Name, again[id])
		case err != nil:
			c.unsure(key, IDUnreadable, "it failed its hash, and could not be read again: %v", err)
		default:
			c.unsure(key, IDUnstable, "it failed its hash and then passed: %v; look at the disk or the network", bad[id])
		}
	}
	return nil
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
