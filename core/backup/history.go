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
	usable  []*manifest.Manifest
	passed  int                // ids of the view, from the newest, that were looked at
	first   *manifest.Manifest // the newest, usable or not
}

// at returns the nth newest usable manifest, or nil when there are not as many. Manifests that cannot
// be read are passed over: they cannot be anybody's parent.
func (h *history) at(ctx context.Context, n int) (*manifest.Manifest, error) {
	ids := h.session.View.IDs
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
		if err != nil && !errors.Is(err, repository.ErrDamaged) {
			return nil, err
		}
		h.passed++
		if h.first == nil {
			h.first = m
		}
		if usable {
			h.usable = append(h.usable, m)
		}
	}
	if n < len(h.usable) {
		return h.usable[n], nil
	}
	return nil, nil
}

// newest returns the newest manifest, usable or not; nil when there is none.
func (h *history) newest(ctx context.Context) (*manifest.Manifest, error) {
	_, err := h.at(ctx, 0)
	return h.first, err
}

// historyDepth bounds how far back a create looks for what it compares with.
const historyDepth = 100

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

// baseline returns the facts of a component in the newest good snapshot that has it: what the new one
// is compared with. A safety snapshot is no yardstick.
func (h *history) baseline(ctx context.Context, component string) (*manifest.Facts, error) {
	m, err := h.search(ctx, func(m *manifest.Manifest) bool {
		c := m.Component(component)
		return m.Grade == manifest.Good && !m.HasTag(manifest.PreRestore) && c != nil && c.Facts != nil
	})
	if m == nil {
		return nil, err
	}
	return m.Component(component).Facts, nil
}

// fullyChecked reports whether a snapshot since the given moment had all its component's checks run.
func (h *history) fullyChecked(ctx context.Context, component string, since time.Time) (bool, error) {
	m, err := h.search(ctx, func(m *manifest.Manifest) bool {
		return m.CapturedAt.Before(since) || full(m.Component(component))
	})
	return m != nil && !m.CapturedAt.Before(since), err
}

// full reports whether none of the component's checks was left out.
func full(c *manifest.Component) bool {
	return c != nil && len(c.Checks) > 0 &&
		!slices.ContainsFunc(c.Checks, func(k manifest.Check) bool { return k.Result == manifest.Skipped })
}
