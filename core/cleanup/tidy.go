package cleanup

import (
	"context"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// dropIntents deletes intents whose ballot is taken.
func (r *run) dropIntents(ctx context.Context, resolved []intent) error {
	for _, i := range resolved {
		if err := r.repo.Store.Delete(ctx, manifest.IntentKey(r.Set, i.ID)); err != nil {
			return err
		}
	}
	return nil
}

// tidy deletes what has lost its meaning: pins of snapshots that are gone, and marks, verdicts and tombstones that
// were kept long enough. It never touches an id that an intent or an archive still speaks of.
func (r *run) tidy(ctx context.Context) error {
	there, kept := map[manifest.ID]bool{}, map[manifest.ID]bool{}
	for _, b := range r.last.outside {
		there[b.id], kept[b.id] = true, true
	}
	archives, err := r.repo.Store.ListAll(ctx, manifest.Prefix(r.Set, manifest.Archives))
	if err != nil {
		return err
	}
	listed, err := r.repo.Store.ListAll(ctx, manifest.Prefix(r.Set, manifest.Intents))
	if err != nil {
		return err
	}
	for _, o := range append(archives, listed...) {
		if k, err := manifest.ParseKey(o.Key); err == nil {
			there[k.ID] = true
		}
	}
	marks, err := r.repo.Marks(ctx, r.Set)
	if err != nil {
		return err
	}
	gone, err := r.gone(ctx, marks, there)
	if err != nil {
		return err
	}
	var keys []string
	for id, pins := range r.pins {
		for _, p := range pins {
			if !gone[id].IsZero() {
				keys = append(keys, p.Key)
			}
		}
	}
	for id, since := range gone {
		if of, last := marks.Keys(id); r.old(since, Kept) && r.old(last, Kept) {
			keys = append(keys, of...)
			delete(r.memory.Gone, id)
		}
	}
	for _, b := range r.last.revoked {
		if !there[b.id] && r.old(b.at, Kept) {
			keys = append(keys, manifest.ManifestKey(r.Set, b.id))
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := r.repo.Store.Delete(ctx, key); err != nil {
			return err
		}
	}
	r.memory.Forgotten = slices.DeleteFunc(r.memory.Forgotten, func(id manifest.ID) bool {
		undeleted := r.fates[id] != nil && r.fates[id].Standing == repository.Usable
		return !kept[id] || undeleted
	})
	r.save()
	return nil
}

// gone returns the swept snapshots of which nothing is left but marks and verdicts, and since when that is known. When a
// snapshot was deleted is written nowhere, so that its year begins when a cleanup of this host first
// misses it.
func (r *run) gone(ctx context.Context, marks *repository.Marks, there map[manifest.ID]bool) (map[manifest.ID]time.Time, error) {
	gone := map[manifest.ID]time.Time{}
	known := map[manifest.ID]time.Time{}
	for id := range marks.Each {
		if there[id] || r.now.IsZero() {
			continue
		}
		standing, err := marks.Standing(ctx, id)
		if err != nil {
			return nil, err
		}
		if standing != repository.Expired {
			continue
		}
		since, ok := r.memory.Gone[id]
		if !ok {
			since = r.now.UTC()
		}
		gone[id], known[id] = since, since
	}
	r.memory.Gone = known
	return gone, nil
}
