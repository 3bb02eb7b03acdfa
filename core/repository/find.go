package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Choice is the snapshot that was found.
type Choice struct {
	*manifest.Manifest
	Passed []Incomplete // newest first; only for latest
	// Doubted names newer snapshots that cannot be the latest whatever is asked for, and why, newest first.
	Doubted []string
}

// Find returns the snapshot that ref names: an id, a unique prefix of one, such as a plain stamp, or latest.
// The latest one has what ask says, which does not matter to the others, and now bounds how
// far ahead its stamp may lie. What does not exist, or is ambiguous, Is ErrNoSnapshot; the only one that
// matches and cannot be read Is ErrDamaged.
func (r *Repository) Find(ctx context.Context, v *View, ref string, ask Ask, now time.Time) (*Choice, error) {
	if ref == Latest {
		return r.latest(ctx, v, ask, now)
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
			return nil, fmt.Errorf("%w: in target %s %q begins %s and %s, among others; give more of the id",
				ErrAmbiguous, r.Store.Name(), ref, found.ID, id)
		}
		found = Snapshot{ID: id, Manifest: m, Err: err}
	}
	if found.Err != nil {
		return nil, found.Err
	}
	if found.ID != "" {
		return &Choice{Manifest: found.Manifest}, nil
	}
	return nil, fmt.Errorf("%w %q in set %s of target %s; holdfast list shows what there is", ErrNoSnapshot, ref, v.Set, r.Store.Name())
}
