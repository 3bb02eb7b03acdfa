package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Latest is the name by which the newest snapshot that may be relied on is asked for.
const Latest = "latest"

// MaxAhead is how far in the future a snapshot's stamp may lie and still be believed: clocks differ.
const MaxAhead = 5 * time.Minute

// Snapshot is a listed snapshot and its manifest, or why that cannot be read.
type Snapshot struct {
	ID       manifest.ID
	Manifest *manifest.Manifest // nil when Err is not
	Expiring bool               // an expiry mark without a keep
	Err      error              // Is ErrDamaged
}

// Snapshots reads all manifests of a view, oldest first; tombstones are left out. An error that says
// nothing of the document itself, such as a target out of reach, is returned.
func (r *Repository) Snapshots(ctx context.Context, v *View) ([]Snapshot, error) {
	all := make([]Snapshot, len(v.IDs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, id := range v.IDs {
		g.Go(func() error {
			m, err := r.Load(gctx, v.Set, id)
			switch {
			case errors.Is(err, ErrRevoked), errors.Is(err, target.ErrNotFound): // swept since the listing
				return nil
			case err != nil && !errors.Is(err, ErrDamaged):
				return err
			}
			all[i] = Snapshot{ID: id, Manifest: m, Err: err}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	snapshots := all[:0]
	for _, s := range all {
		if s.ID == "" {
			continue
		}
		usable, err := v.Usable(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		s.Expiring = !usable
		snapshots = append(snapshots, s)
	}
	return snapshots, nil
}

// Find returns the manifest of the snapshot that ref names: an id, a unique prefix of one, such as a
// plain stamp, or latest. Components that are asked for must be in the latest one; now bounds how
// far ahead its stamp may lie. What does not exist, or is ambiguous, Is ErrNoSnapshot; the only one that
// matches and cannot be read Is ErrDamaged.
func (r *Repository) Find(ctx context.Context, v *View, ref string, components []string, now time.Time) (*manifest.Manifest, error) {
	if ref == Latest {
		return r.latest(ctx, v, components, now)
	}
	var ids []manifest.ID
	if ref != "" {
		ids = v.match(ref)
	}
	var found Snapshot
	for _, id := range ids {
		m, err := r.Load(ctx, v.Set, id)
		switch {
		case errors.Is(err, ErrRevoked), errors.Is(err, target.ErrNotFound):
			continue
		case err != nil && !errors.Is(err, ErrDamaged):
			return nil, err
		case found.ID != "": // also beside a damaged one: that may be the one that is meant
			return nil, fmt.Errorf("%w: %q is ambiguous in target %s: it begins %s and %s, among others; give more of the id",
				ErrNoSnapshot, ref, r.Store.Name(), found.ID, id)
		}
		found = Snapshot{ID: id, Manifest: m, Err: err}
	}
	if found.ID != "" {
		return found.Manifest, found.Err
	}
	return nil, fmt.Errorf("%w %q in set %s of target %s; holdfast list shows what there is", ErrNoSnapshot, ref, v.Set, r.Store.Name())
}

// latest is the greatest id that is good, complete for what is asked, no safety snapshot, not about
// to expire and not ahead of now.
func (r *Repository) latest(ctx context.Context, v *View, components []string, now time.Time) (*manifest.Manifest, error) {
	var passed []string
	for id := range v.Newest {
		m, err := r.Load(ctx, v.Set, id)
		switch {
		case errors.Is(err, ErrRevoked), errors.Is(err, target.ErrNotFound):
			continue
		case errors.Is(err, ErrDamaged):
			passed = append(passed, fmt.Sprintf("%s (damaged manifest)", id))
			continue
		case err != nil:
			return nil, err
		}
		usable, err := v.Usable(ctx, id)
		if err != nil {
			return nil, err
		}
		if why := notLatest(m, usable, components, now); why != "" {
			passed = append(passed, fmt.Sprintf("%s (%s)", id, why))
			continue
		}
		return m, nil
	}
	if len(passed) > 3 {
		passed = append(passed[:3], "...")
	}
	hint := "the set is empty"
	if len(passed) > 0 {
		hint = "passed over: " + strings.Join(passed, ", ") + "; name one by its id to use it all the same"
	}
	return nil, fmt.Errorf("%w: no snapshot of set %s in target %s can be the latest; %s", ErrNoSnapshot, v.Set, r.Store.Name(), hint)
}

func notLatest(m *manifest.Manifest, usable bool, components []string, now time.Time) string {
	switch {
	case m.Grade != manifest.Good:
		return string(m.Grade)
	case m.HasTag(manifest.PreRestore):
		return "safety snapshot"
	case !usable:
		return "marked as expired"
	case m.ID.Time().After(now.Add(MaxAhead)):
		return "stamp lies in the future"
	}
	for _, c := range components {
		if m.Component(c) == nil {
			return "without " + c
		}
	}
	return ""
}
