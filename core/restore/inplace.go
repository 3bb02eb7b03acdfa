package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore/swap"
)

// Errors of InPlace. Test with errors.Is.
var (
	// ErrSuspect: the snapshot is graded suspect, and nobody allowed that.
	ErrSuspect = errors.New("the snapshot is suspect")
	// ErrContent: a content check of what is to be restored failed. Nothing live was touched.
	ErrContent = errors.New("a check of the content failed")
	// ErrOtherKind: the snapshot holds the component as another kind than the configuration.
	ErrOtherKind = errors.New("the component is of another kind")
)

// InPlaceOptions are what InPlace and Plan need.
type InPlaceOptions struct {
	Repository *repository.Repository
	Manifest   *manifest.Manifest
	Stores     []Live  // what is replaced; the snapshot has a component of each name
	Journal    string  // the directory of the set's restores; see package swap
	Safety     *Safety // saves what is live; nil: only the old generation that is kept does
	// AllowSuspect restores a snapshot that is graded suspect or fails a content check. Every hash
	// must be right all the same.
	AllowSuspect bool

	Fallback *Fallback         // optional: where to look for what is lost
	Progress progress.Progress // optional
	Hooks    swap.Hooks        // for tests; Fail also gets "restore:staged", "restore:saved" and "restore:looked"
}

// InPlaceReport is what InPlace did.
type InPlaceReport struct {
	ID         manifest.ID
	Components []Replaced
	Saved      *Saved   // nil: no safety snapshot was asked for
	Dropped    []string // directories of an earlier restore's old generation, which is gone now
	Damage     bool     // a content check failed; only with AllowSuspect
	// Blind says why a process that uses a store may have escaped the look; "" when none can have.
	Blind string
}

// Replaced is one component that was replaced, or with Plan would be.
type Replaced struct {
	ComponentReport        // Path is the live one, its links resolved
	Was             int64  // bytes of the files that stood there, sidecars included; 0 when none did
	Kept            string // where they are now; "" when there were none
	Staging         string // the directory in which it is staged; with Plan, the one above it
}

// InPlace replaces live stores by those of a snapshot. The caller holds the lock of the set, has
// recovered a restore that was killed, and was told that the service is stopped; InPlace looks for
// itself, too. Everything is staged beside the live stores and verified, and the live state is saved,
// before package swap replaces anything; what it replaces is kept for swap.Undo.
//
// After an error everything is as it was, unless it Is swap.ErrUnfinished.
func InPlace(ctx context.Context, o InPlaceOptions) (_ *InPlaceReport, err error) {
	report, stores, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	s, err := swap.Prepare(ctx, swap.Options{Dir: o.Journal, Items: items(stores), Label: string(o.Manifest.ID), Hooks: o.Hooks})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Abandon()) }()
	for i, live := range stores {
		if err := o.stage(ctx, s, live, report, &report.Components[i]); err != nil {
			return nil, fmt.Errorf("restore %s of snapshot %s: %w", live.Name, o.Manifest.ID, err)
		}
	}
	if err := o.point("restore:staged"); err != nil {
		return nil, err
	}
	if o.Safety != nil {
		if report.Saved, err = o.Safety.take(ctx, names(stores)); err != nil {
			return nil, err
		}
	}
	if err := o.point("restore:saved"); err != nil {
		return nil, err
	}
	// The safety snapshot may have taken long: look again, and now keep others out until the end.
	var staged []Live
	for _, live := range stores {
		staged = append(staged, Live{Name: live.Name, Kind: live.Kind, Path: s.Staged(live.Name)})
	}
	look, err := lookFor(stores, staged...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, look.release()) }()
	if err := o.point("restore:looked"); err != nil {
		return nil, err
	}
	done, err := s.Run(ctx)
	if err != nil {
		return nil, err
	}
	for _, it := range done.Items {
		report.component(it.Name).Kept = it.Kept
	}
	report.Dropped = done.Dropped
	return report, nil
}

// Plan tells what InPlace would replace, and refuses what it would refuse before it reads from the
// repository. It touches nothing.
func Plan(ctx context.Context, o InPlaceOptions) (*InPlaceReport, error) {
	report, _, err := o.prepare(ctx)
	return report, err
}

// prepare refuses what can be refused before anything is read from the repository or written.
func (o InPlaceOptions) prepare(ctx context.Context) (*InPlaceReport, []Live, error) {
	if o.Manifest.Grade == manifest.Suspect && !o.AllowSuspect {
		return nil, nil, fmt.Errorf("%w: %s", ErrSuspect, o.Manifest.ID)
	}
	report := &InPlaceReport{ID: o.Manifest.ID}
	var stores []Live
	for _, live := range o.Stores {
		c := o.Manifest.Component(live.Name)
		switch {
		case c == nil:
			return nil, nil, fmt.Errorf("%w: snapshot %s has no component %s; holdfast show lists them", repository.ErrNoSnapshot, o.Manifest.ID, live.Name)
		case c.Kind != live.Kind:
			return nil, nil, fmt.Errorf("%w: %s is of kind %s, and in snapshot %s of kind %s", ErrOtherKind, live.Name, live.Kind, o.Manifest.ID, c.Kind)
		}
		live, err := live.resolved()
		if err != nil {
			return nil, nil, err
		}
		was, err := live.size()
		if err != nil {
			return nil, nil, fmt.Errorf("component %s: %w", live.Name, err)
		}
		stores = append(stores, live)
		report.Components = append(report.Components, Replaced{
			ComponentReport: ComponentReport{Name: live.Name, Kind: live.Kind, Path: live.Path, Size: c.Size},
			Was:             was, Staging: live.staging(),
		})
	}
	look, err := lookFor(stores)
	if err != nil {
		return nil, nil, err
	}
	report.Blind = look.blind
	if err := look.release(); err != nil { // the safety snapshot reads the databases
		return nil, nil, err
	}
	return report, stores, errors.Join(ctx.Err(), o.space(ctx, stores))
}

// stage stages and verifies one component.
func (o InPlaceOptions) stage(ctx context.Context, s *swap.Swap, live Live, report *InPlaceReport, r *Replaced) error {
	staging := s.Staging(live.Name)
	part := Options{Repository: o.Repository, Manifest: o.Manifest, Fallback: o.Fallback, Progress: o.Progress}
	staged, err := part.component(ctx, live.Name, staging)
	if err != nil {
		return err
	}
	r.Checks, r.Rescue, r.Staging = staged.Checks, staged.Rescue, staging
	for _, k := range staged.Checks {
		if k.Result != manifest.Failed {
			continue
		}
		report.Damage = true
		if !o.AllowSuspect {
			return fmt.Errorf("%w: %s: %s", ErrContent, k.Name, k.Detail)
		}
	}
	return nil
}

func (o InPlaceOptions) point(name string) error {
	if o.Hooks.Fail == nil {
		return nil
	}
	return o.Hooks.Fail(name)
}

func (r *InPlaceReport) component(name string) *Replaced {
	i := slices.IndexFunc(r.Components, func(c Replaced) bool { return c.Name == name })
	return &r.Components[i]
}

func items(stores []Live) (out []swap.Item) {
	for _, l := range stores {
		out = append(out, swap.Item{Name: l.Name, Kind: l.Kind, Live: l.Path})
	}
	return out
}

func names(stores []Live) (out []string) {
	for _, l := range stores {
		out = append(out, l.Name)
	}
	return out
}
