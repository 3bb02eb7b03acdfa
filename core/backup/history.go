package backup

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// history reads a set's usable manifests from the newest on, as far as anybody asks.
type history struct {
	session *repository.Session
	ids     []manifest.ID // those of the view that count, ascending
	usable  []*manifest.Manifest
	passed  int                  // ids, from the newest, that were looked at
	all     []*manifest.Manifest // those of them that could be read, usable or not
}

// newHistory is the history of a snapshot of now, or with past of that moment: then newer ones do not count.
func newHistory(s *repository.Session, past *Past) *history {
	ids := s.View.IDs
	if past != nil {
		n, _ := slices.BinarySearchFunc(ids, past.At, func(id manifest.ID, at time.Time) int {
			if id.Time().After(at) {
				return 1
			}
			return -1
		})
		ids = ids[:n]
	}
	return &history{session: s, ids: ids}
}

// at returns the nth newest usable manifest, or nil when there are not as many. Manifests that cannot
// be read are passed over: they cannot be anybody's parent.
func (h *history) at(ctx context.Context, n int) (*manifest.Manifest, error) {
	ids := h.ids
	for n >= len(h.usable) && h.passed < len(ids) {
		id := ids[len(ids)-1-h.passed]
		m, err := h.session.Repository().Load(ctx, h.session.View.Set, id)
		switch {
		case errors.Is(err, repository.ErrRevoked), errors.Is(err, repository.ErrDamaged), errors.Is(err, target.ErrNotFound):
			h.passed++
			continue
		case err != nil:
			return nil, err
		}
		usable, err := h.session.View.Usable(ctx, id)
		if err != nil {
			return nil, err
		}
		h.passed++
		h.all = append(h.all, m)
		if usable {
			h.usable = append(h.usable, m)
		}
	}
	if n < len(h.usable) {
		return h.usable[n], nil
	}
	return nil, nil
}

// sequence returns the greatest sequence number of the newest snapshots up to the first whose stamp is
// not after the given moment: later ones were made by a clock that was wrong, perhaps long ago. Behind
// it numbers only fall.
func (h *history) sequence(ctx context.Context, latest time.Time) (greatest int64, err error) {
	for n := 0; ; n++ {
		m, err := h.at(ctx, n)
		if err != nil {
			return 0, err
		}
		for _, seen := range h.all {
			greatest = max(greatest, seen.Sequence)
		}
		if m == nil || !m.ID.Time().After(latest) {
			return greatest, nil
		}
	}
}

// historyDepth bounds how far back a create looks for a parent and for what it compares with: a nightly
// snapshot finds the one of the night before also behind a day of hourly ones without the component.
const historyDepth = 250

// search returns the newest usable manifest for which f is true, or nil.
func (h *history) search(ctx context.Context, f func(*manifest.Manifest) bool) (*manifest.Manifest, error) {
	for n := range historyDepth {
		m, err := h.at(ctx, n)
		if err != nil || m == nil || f(m) {
			return m, err
		}
	}
	return nil, nil
}

// newestKnown returns the newest manifest for which f is true in any target that is left, or nil: a target
// that is new, or missed the last runs, makes nobody forget what the others know. One that cannot be
// read is out.
func (r *run) newestKnown(ctx context.Context, f func(*manifest.Manifest) bool) (newest *manifest.Manifest) {
	for _, t := range r.targets {
		if t.Err != nil {
			continue
		}
		var m *manifest.Manifest
		if m, t.Err = t.history.search(ctx, f); m != nil && (newest == nil || m.ID > newest.ID) {
			newest = m
		}
	}
	return newest
}

// yardstick reports whether a snapshot may say what a store is like: a safety snapshot may not.
func yardstick(m *manifest.Manifest) bool {
	return m.Grade == manifest.Good && !m.HasTag(manifest.PreRestore)
}

// fullyChecked reports whether the full checks were made on a component, whatever came of them.
func fullyChecked(c *manifest.Component) bool {
	return c != nil && len(c.Checks) > 0 &&
		!slices.ContainsFunc(c.Checks, func(k manifest.Check) bool { return k.Name == fullChecks })
}

// passed reports whether none of the component's checks failed or was left out.
func passed(c *manifest.Component) bool {
	return !slices.ContainsFunc(c.Checks, func(k manifest.Check) bool { return k.Result != manifest.OK })
}
