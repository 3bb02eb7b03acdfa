package validate

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/repository"
)

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
// volume is read whole, once, and the ids of the chunks that this snapshot needs of it are compared: the
// others that say the same of the volume rely on its hash.
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
			return !c.due(open.Volume(id).Key)
		},
		Damaged: func(id archive.VolumeID, err error) {
			mu.Lock()
			failed[id] = true
			mu.Unlock()
			damaged(id, err)
		},
		Progress: func(n int64) { c.v.Progress.Add("verify "+c.c.Name, n, c.c.Size) },
	})
	if err == nil && many && only == nil {
		for _, id := range open.Recipe.Volumes {
			if key := open.Volume(id).Key; !failed[id] && c.due(key) {
				c.v.whole[c.claims[key]] = true
			}
		}
	}
	return err
}

// due reports whether a volume is there, belongs to the subset, and was not dealt with in this run.
func (c *component) due(key string) bool {
	k := c.claims[key]
	return !c.gone[key] && !c.v.whole[k] && c.v.damaged[k] == nil && c.v.Subset.has(key)
}

// second reads damaged volumes again, whole: what fails twice is damaged, the rest is unstable.
func (c *component) second(ctx context.Context, open *repository.Component, bad map[archive.VolumeID]error) error {
	if len(bad) == 0 {
		return nil
	}
	again, err := c.gather(func(damaged func(archive.VolumeID, error)) error { return c.read(ctx, open, bad, damaged) })
	if err != nil && ctx.Err() != nil {
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
			if err := c.damaged(ctx, key, again[id]); err != nil {
				return err
			}
		case err != nil:
			c.unsure(key, IDUnreadable, "it failed its hash, and could not be read again: %v", err)
		default:
			c.unsure(key, IDUnstable, "it failed its hash and then passed: %v; look at the disk or the network", bad[id])
		}
	}
	return nil
}
