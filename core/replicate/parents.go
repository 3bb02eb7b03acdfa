package replicate

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// Bounds of the search for what the destination holds.
const (
	nearby   = 4   // snapshots that are looked at anyway
	farthest = 250 // and as long as a component was in none of them: the chroma of a nightly create behind a week of hourly ones
	cached   = 16  // manifests of the destination that are kept
)

// candidates returns snapshots of the destination that may be the parent of a copy of m, nearest in time
// first: usable, and encrypted to the same recipients.
func (r *run) candidates(ctx context.Context, view *repository.View, m *manifest.Manifest) ([]*manifest.Manifest, error) {
	ids := slices.Clone(view.IDs)
	for _, c := range r.cache {
		if r.would[c.ID] {
			ids = append(ids, c.ID)
		}
	}
	distance := func(id manifest.ID) int64 { return int64(id.Time().Sub(m.ID.Time()).Abs()) }
	slices.SortStableFunc(ids, func(a, b manifest.ID) int { return cmp.Compare(distance(a), distance(b)) })
	found := map[string]bool{}
	var out []*manifest.Manifest
	for _, id := range ids[:min(len(ids), farthest)] {
		if len(out) >= nearby && !slices.ContainsFunc(m.Components, func(c manifest.Component) bool { return !found[c.Name] }) {
			break
		}
		c, err := r.candidate(ctx, view, id)
		if err != nil {
			return nil, err
		}
		if c == nil || !sameRecipients(c.Encryption, m.Encryption) {
			continue
		}
		out = append(out, c)
		for _, have := range c.Components {
			found[have.Name] = true
		}
	}
	return out, nil
}

// candidate returns the manifest of a snapshot of the destination, or nil when it cannot be a parent.
func (r *run) candidate(ctx context.Context, view *repository.View, id manifest.ID) (*manifest.Manifest, error) {
	usable, err := view.Usable(ctx, id)
	if err != nil || !usable {
		return nil, err
	}
	if i := slices.IndexFunc(r.cache, func(m *manifest.Manifest) bool { return m.ID == id }); i >= 0 {
		return r.cache[i], nil
	}
	m, err := r.To.Load(ctx, r.Set, id)
	switch {
	case errors.Is(err, repository.ErrRevoked), errors.Is(err, target.ErrNotFound), errors.Is(err, repository.ErrDamaged):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r.keep(m)
	return m, nil
}

// keep puts a manifest of the destination into the cache: none ever changes.
func (r *run) keep(m *manifest.Manifest) {
	if r.cache = append(r.cache, m); len(r.cache) > cached {
		r.cache = slices.Delete(r.cache, 0, 1)
	}
}

func sameRecipients(a, b *manifest.Encryption) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := slices.Clone(a.Recipients), slices.Clone(b.Recipients)
	slices.Sort(x)
	slices.Sort(y)
	return a.Scheme == b.Scheme && slices.Equal(x, y)
}
