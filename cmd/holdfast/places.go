package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/targets/builtin"
)

// placeFlags say which repositories a command reads: the targets of the
// configuration, or one named by a URL, for which no configuration is needed.
type placeFlags struct {
	targets []string
	set     string
	from    string
}

func (p *placeFlags) bind(f *pflag.FlagSet) {
	f.StringArrayVar(&p.targets, "target", nil, "only this `target`; may be given again for more (default: all)")
	f.StringVar(&p.set, "set", "", "`name` of the set (default: that of the configuration, or the only one)")
	f.StringVar(&p.from, "from", "", "read the repository at this `URL`, as file:///backup/atocore, and no configuration")
}

// place is a repository that can be opened.
type place struct {
	name string
	open func(context.Context) (target.Target, error)
	set  string // "": the only one there is

	seen *state.Dir // what was last seen there; nil with --from
}

// places resolves the flags, without touching any target. The configuration is
// nil with --from.
func (a *app) places(p placeFlags) ([]place, *config.Config, error) {
	if p.set != "" && !manifest.ValidSet(p.set) {
		return nil, nil, usage(fmt.Errorf("--set %q is no name of a set", p.set))
	}
	if p.from != "" {
		if len(p.targets) > 0 {
			return nil, nil, usage(errors.New("--from and --target exclude each other"))
		}
		if err := builtin.CheckURL(p.from); err != nil {
			var e *target.Error
			if errors.As(err, &e) {
				err = e.Err
			}
			return nil, nil, usage(fmt.Errorf("--from: %w", err))
		}
		a.noDoctor = true // it looks at a configuration
		open := func(ctx context.Context) (target.Target, error) {
			t, err := builtin.OpenURL(ctx, p.from)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, &failure{code: exitTarget, id: "target_unreachable", err: fmt.Errorf("%s does not exist", p.from), hint: "mount the disk that holds it, or correct the URL"}
			}
			return t, err
		}
		return []place{{name: p.from, open: open, set: p.set}}, nil, nil
	}
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	targets, err := chosen(c, p.targets)
	if err != nil {
		return nil, nil, err
	}
	if p.set == "" {
		p.set = c.Set
	}
	var out []place
	for _, t := range targets {
		open := func(ctx context.Context) (target.Target, error) { return builtin.Open(ctx, t.Plugin, t.Config) }
		out = append(out, place{name: t.Name, open: open, set: p.set, seen: state.Look(c.StateDir)})
	}
	return out, c, nil
}

// chosen returns the targets of those names in the order of the configuration;
// all of them for no names.
func chosen(c *config.Config, names []string) ([]config.Target, error) {
	if len(names) == 0 {
		return c.Targets, nil
	}
	want := map[string]bool{}
	for _, name := range names {
		if _, ok := c.Target(name); !ok {
			var known []string
			for _, t := range c.Targets {
				known = append(known, t.Name)
			}
			return nil, usage(fmt.Errorf("%s has no target %q; it has %s", c.File, name, strings.Join(known, ", ")))
		}
		want[name] = true
	}
	var out []config.Target
	for _, t := range c.Targets {
		if want[t.Name] {
			out = append(out, t)
		}
	}
	return out, nil
}

// ask is what a snapshot must have to be the latest: the components that are
// named, or else those of the configuration, the optional ones if it had them of
// late. Without a configuration of the set it is what the set had of late.
func (p placeFlags) ask(named []string, c *config.Config) repository.Ask {
	if len(named) > 0 {
		return repository.Ask{Components: named}
	}
	if c == nil || p.set != "" && p.set != c.Set {
		return repository.Ask{Usual: func(string) bool { return true }}
	}
	optional := map[string]bool{}
	var ask repository.Ask
	for _, comp := range c.Components {
		optional[comp.Name] = comp.Optional
		if !comp.Optional {
			ask.Components = append(ask.Components, comp.Name)
		}
	}
	ask.Usual = func(component string) bool { return optional[component] }
	return ask
}

// opened is an opened repository; the caller closes it.
type opened struct {
	*repository.Repository
	place
}

func (o *opened) close() { _ = o.Store.Close() } // nothing was written that a failure could lose

// connect opens the repository.
func (a *app) connect(ctx context.Context, p place) (*opened, error) {
	t, err := p.open(ctx)
	if err != nil {
		var e *target.Error
		if errors.As(err, &e) && e.Target == "" {
			err = fmt.Errorf("target %s: %w", p.name, err)
		}
		return nil, err
	}
	store := target.Open(p.name, t, target.Options{})
	r, err := repository.Open(ctx, store)
	notHere := errors.Is(err, repository.ErrNotInitialised)
	if notHere && p.seen != nil {
		if replaced := p.seen.Check(p.set, p.name, ""); replaced != nil {
			err = replaced
		}
	} else if notHere { // init is for what a configuration names
		err = fmt.Errorf("%s: %w", p.name, repository.ErrNotInitialised)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	o := &opened{Repository: r, place: p}
	if o.set == "" {
		if o.set, err = o.onlySet(ctx); err != nil {
			o.close()
			return nil, err
		}
	}
	a.log.Debug("target opened", "target", o.name, "repository", o.ID, "set", o.set)
	return o, nil
}

// connectKnown is connect for whoever changes a target, or trusts it: it must be the repository that it was when it
// was last seen.
func (a *app) connectKnown(ctx context.Context, p place) (*opened, error) {
	o, err := a.connect(ctx, p)
	if err != nil || p.seen == nil {
		return o, err
	}
	if err := p.seen.Check(p.set, p.name, o.ID); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func (o *opened) onlySet(ctx context.Context) (string, error) {
	sets, err := o.Sets(ctx)
	switch {
	case err != nil:
		return "", err
	case len(sets) == 0:
		return "", fmt.Errorf("%w: the repository at %s is empty", repository.ErrNoSnapshot, o.name)
	case len(sets) > 1:
		return "", usage(fmt.Errorf("the repository at %s holds the sets %s: choose one with --set", o.name, strings.Join(sets, ", ")))
	}
	return sets[0], nil
}

// found is a snapshot and the repository that it was found in.
type found struct {
	*opened
	view     *repository.View
	manifest *manifest.Manifest
	choice   *repository.Choice
	beside   []place // places that may have what this one has lost
}

// find looks for a snapshot in one place after the other. One that cannot be
// read, or whose snapshot is damaged, is passed over with a warning; when none
// has the snapshot, the first such fault is the error, for the snapshot may be
// there.
func (a *app) find(ctx context.Context, places []place, ref string, ask repository.Ask) (*found, error) {
	var fault, missing error
	var lack []place
	for _, p := range a.rank(ctx, places, ref, ask) {
		f, err := a.findIn(ctx, p, ref, ask)
		switch {
		case err == nil:
			f.beside = places
			if fault != nil {
				a.warn(fault)
			}
			a.tellPassed(f)
			return f, nil
		case ctx.Err() != nil, errors.Is(err, repository.ErrAmbiguous):
			return nil, err
		case errors.Is(err, repository.ErrNoSnapshot):
			lack = append(lack, p)
			if missing == nil {
				missing = err
			}
		case fault == nil:
			fault = err
		}
	}
	if stamp := standsIn(ref, fault, missing); stamp != "" {
		if f, err := a.find(ctx, lack, stamp, ask); err == nil {
			a.warn(fault)
			a.tellStandIn(f.name, f.manifest.ID, ref)
			f.beside = places
			return f, nil
		}
	}
	if fault != nil {
		return nil, fault
	}
	return nil, missing
}

func (a *app) findIn(ctx context.Context, p place, ref string, ask repository.Ask) (*found, error) {
	o, err := a.connect(ctx, p)
	if err != nil {
		return nil, err
	}
	view, err := o.View(ctx, o.set)
	if err == nil {
		var c *repository.Choice
		if c, err = o.Find(ctx, view, ref, ask, a.now()); err == nil {
			a.log.Debug("snapshot found", "target", o.name, "id", c.ID, "grade", c.Grade)
			return &found{opened: o, view: view, manifest: c.Manifest, choice: c}, nil
		}
	}
	o.close()
	return nil, err
}

// rank puts the places in the order in which they are asked for the latest
// snapshot: the one whose latest was captured last comes first, and of equals the
// one that the configuration names first. A target that is behind another, or
// cannot tell, is warned of: nobody should restore an old snapshot unawares.
func (a *app) rank(ctx context.Context, places []place, ref string, ask repository.Ask) []place {
	if ref != repository.Latest || len(places) < 2 {
		return places
	}
	type ranked struct {
		place
		id       manifest.ID
		captured time.Time
		err      error
	}
	var all []ranked
	for _, p := range places {
		r := ranked{place: p}
		f, err := a.findIn(ctx, p, ref, ask)
		if r.err = err; err == nil {
			r.id, r.captured = f.manifest.ID, f.manifest.CapturedAt
			f.close()
		}
		all = append(all, r)
	}
	// Of a place that cannot tell, nothing is known: it keeps its turn behind those that can.
	slices.SortStableFunc(all, func(x, y ranked) int { return y.captured.Compare(x.captured) })
	var order []place
	for _, r := range all {
		switch {
		case all[0].err != nil: // nothing to compare with: whoever asks next will tell
		case r.err != nil && !errors.Is(r.err, repository.ErrNoSnapshot):
			a.warn(r.err)
		case r.err != nil:
			a.warn(fmt.Errorf("target %s is behind: it has no snapshot that can be the latest", r.name))
		case r.captured.Before(all[0].captured):
			a.warn(fmt.Errorf("target %s is behind: its latest snapshot is %s, that of target %s is %s", r.name, r.id, all[0].name, all[0].id))
		}
		order = append(order, r.place)
	}
	return order
}

// tellPassed warns of what is newer than the latest snapshot and was passed over.
func (a *app) tellPassed(f *found) {
	if err := passedOver(f.name, f.choice); err != nil {
		a.warn(err)
	}
	if d := f.choice.Doubted; len(d) > 0 {
		a.warn(fmt.Errorf("target %s: latest is %s; newer, and not to be relied on: %s", f.name, f.manifest.ID, strings.Join(d[:min(len(d), 3)], ", ")))
	}
}

// passedOver names the newest good snapshot that is newer than the latest and
// is not it because it lacks a component; nil when there is none.
func passedOver(target string, c *repository.Choice) error {
	if len(c.Passed) == 0 {
		return nil
	}
	newest, more := c.Passed[0], ""
	if n := len(c.Passed) - 1; n > 0 {
		more = fmt.Sprintf(", and so were %d more", n)
	}
	return fmt.Errorf("target %s: latest is %s; snapshot %s is newer and good, and was passed over because it lacks %s%s",
		target, c.ID, newest.ID, strings.Join(newest.Missing, ", "), more)
}

// warn tells a person of something that did not stop the command.
func (a *app) warn(err error) {
	_, _ = say(a.stderr, "%s %s\n", a.paint(yellow, "warning:"), err)
}
