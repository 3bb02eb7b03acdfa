package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/restore/swap"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/targets/builtin"
)

// inPlaceReport is what `holdfast restore` tells of a restore in place beside the rest.
type inPlaceReport struct {
	DryRun         bool `json:"dry_run"`         // nothing was touched: what would be
	SafetySnapshot bool `json:"safety_snapshot"` // one was asked for
	// The safety snapshot and its target; empty when none was asked for, or nothing was live.
	PreRestoreSnapshot manifest.ID `json:"pre_restore_snapshot"`
	PreRestoreTarget   string      `json:"pre_restore_target"`
	Raw                []string    `json:"raw"` // components that it holds as plain files, being damaged

	Replaced []inPlaceComponent `json:"replaced"`
	Left     []inPlaceLeft      `json:"left"`    // configured, and not restored
	Dropped  []string           `json:"dropped"` // directories of an earlier restore's old generation, now removed
	Reads    int64              `json:"reads"`   // bytes of the objects that a restore of this reads, at most
	Blind    string             `json:"blind,omitempty"`
}

type inPlaceComponent struct {
	Name     string   `json:"name"`
	Was      int64    `json:"was"`            // bytes of what is replaced; 0 when nothing is
	Kept     string   `json:"kept,omitempty"` // where it is kept
	Staging  string   `json:"staging"`        // the directory in which it is staged
	Verifies []string `json:"verifies"`       // what it is checked by before anything is replaced
}

type inPlaceLeft struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// journalDir is where the set's restores in place are recorded.
func journalDir(c *config.Config) string { return filepath.Join(c.StateDir, "restore", c.Set) }

// restoreInPlace replaces the live stores.
func (a *app) restoreInPlace(ctx context.Context, f restoreFlags, ref string) (err error) {
	places, c, err := a.places(f.placeFlags)
	if err != nil {
		return err
	}
	if f.set != "" && f.set != c.Set {
		return usage(fmt.Errorf("in place only set %s can be restored, whose stores %s names: restore set %s --to DIR", c.Set, c.File, f.set))
	}
	if !f.stopped && !f.dryRun {
		return notConfirmed("restore", "restore --to DIR leaves the live stores alone, --dry-run shows what would be replaced")
	}
	wanted, left, err := f.choose(c)
	if err != nil {
		return err
	}
	if conflicts := c.Apart(resolve); len(conflicts) > 0 {
		return &failure{code: exitConfig, id: "paths_overlap", err: conflicts[0], hint: "keep them apart"}
	}
	o := restore.InPlaceOptions{Journal: journalDir(c), AllowSuspect: f.allowSuspect, Hooks: a.hooks}
	if f.dryRun {
		if err := unfinished(journalDir(c), "restore --dry-run"); err != nil {
			return err
		}
	} else {
		ended, unlock, failed := a.begin(ctx, c, "restore")
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, unlock()) }()
		if ended != nil {
			a.warn(errors.New(recovered(ended)))
		}
	}
	if !f.noPreSnapshot {
		remove, failed := a.safety(&o, c, f.dryRun)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, remove()) }()
	}
	r, err := a.firstPlace(ctx, places, ref, f.askFor(c), func(found *found) (*restoreReport, error) {
		if err := standIn(ref, found); err != nil {
			return nil, err
		}
		return a.replace(ctx, found, o, wanted, left, f.dryRun)
	})
	if err != nil {
		return err
	}
	return a.finish(r)
}

// notConfirmed refuses to replace stores that a service may be using.
func notConfirmed(verb, more string) error {
	return &failure{
		code: exitRefused, id: "service_not_confirmed_stopped",
		err:  fmt.Errorf("%s replaces the live stores: that the service is stopped has to be confirmed", verb),
		hint: "stop the service, then add --confirm-service-stopped; " + more,
	}
}

// choose returns the configured stores that are asked for, and those that are left as they are.
func (f restoreFlags) choose(c *config.Config) (wanted []restore.Live, left []inPlaceLeft, err error) {
	for _, name := range f.components {
		if _, ok := c.Component(name); !ok {
			return nil, nil, usage(fmt.Errorf("%s has no component %q", c.File, name))
		}
	}
	for _, comp := range c.Components {
		switch {
		case len(f.components) > 0 && !slices.Contains(f.components, comp.Name):
			left = append(left, inPlaceLeft{comp.Name, "not asked for"})
		case f.noChroma && comp.Kind == config.Chroma:
			left = append(left, inPlaceLeft{comp.Name, "--no-chroma"})
		default:
			wanted = append(wanted, live(comp))
		}
	}
	if len(wanted) == 0 {
		return nil, nil, usage(errors.New("--no-chroma leaves no component to restore"))
	}
	return wanted, left, nil
}

func live(c config.Component) restore.Live {
	return restore.Live{Name: c.Name, Kind: manifest.Kind(c.Kind), Path: c.Path, Format: c.Format}
}

// begin locks the set, and ends what was killed in the middle of a restore; nil when nothing was.
func (a *app) begin(ctx context.Context, c *config.Config, verb string) (ended *restore.Return, unlock func() error, err error) {
	dir, err := state.Open(c.StateDir)
	if err != nil {
		return nil, nil, err
	}
	lock, err := dir.Lock(c.Set)
	if err != nil {
		return nil, nil, err
	}
	ended, err = restore.Recover(ctx, swap.RecoverOptions{Dir: journalDir(c), Hooks: a.hooks})
	if err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
		return nil, nil, errors.Join(fmt.Errorf("before this %s, an unfinished one: %w", verb, err), lock.Unlock())
	}
	return ended, lock.Unlock, nil
}

// safety says how the live state is saved, and returns what ends that.
func (a *app) safety(o *restore.InPlaceOptions, c *config.Config, dryRun bool) (remove func() error, err error) {
	s := &restore.Safety{Backup: backup.Options{
		Set: c.Set, Staging: c.StagingDir, Tool: "holdfast " + toolVersion(), Rand: rand.Reader, Now: a.now,
		FreezeTimeout: c.FreezeTimeout, State: state.Look(c.StateDir),
	}}
	o.Safety, remove = s, func() error { return nil }
	for _, comp := range c.Components {
		s.Stores = append(s.Stores, live(comp))
	}
	for _, t := range c.Targets {
		s.Targets = append(s.Targets, restore.Place{Name: t.Name, Open: func(ctx context.Context) (*target.Store, error) {
			raw, err := builtin.Open(ctx, t.Plugin, t.Config)
			if err != nil {
				return nil, err
			}
			return target.Open(t.Name, raw, target.Options{}), nil
		}})
	}
	if dryRun {
		return remove, nil
	}
	if s.Backup.Host, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("name of this host: %w", err)
	}
	s.Backup.Staging, remove, err = scratch(c.StagingDir)
	return remove, err
}

// replace replaces the live stores by those of a snapshot, or with dryRun tells what that would do.
func (a *app) replace(ctx context.Context, f *found, o restore.InPlaceOptions, wanted []restore.Live, left []inPlaceLeft, dryRun bool) (*restoreReport, error) {
	o.Repository, o.Manifest = f.Repository, f.manifest
	left = slices.Clone(left)
	for _, l := range wanted {
		if f.manifest.Component(l.Name) == nil {
			left = append(left, inPlaceLeft{l.Name, "not in the snapshot"})
			continue
		}
		o.Stores = append(o.Stores, l)
	}
	if len(o.Stores) == 0 {
		return nil, fmt.Errorf("%w: snapshot %s has none of the components that are asked for", repository.ErrNoSnapshot, f.manifest.ID)
	}
	do := restore.InPlace
	if dryRun {
		do = restore.Plan
	}
	var closeOthers, stop func()
	o.Fallback, closeOthers = a.fallback(f.beside, f.name)
	defer closeOthers()
	o.Progress, stop = a.progress()
	if o.Safety != nil {
		o.Safety.Backup.Progress = o.Progress
	}
	done, err := do(ctx, o)
	stop()
	if err != nil {
		return nil, err
	}
	r := newRestoreReport(f)
	in := &inPlaceReport{
		DryRun: dryRun, SafetySnapshot: o.Safety != nil, Raw: []string{}, Replaced: []inPlaceComponent{}, Left: append([]inPlaceLeft{}, left...),
		Dropped: append([]string{}, done.Dropped...), Reads: reads(f.manifest, o.Stores), Blind: done.Blind,
	}
	for _, c := range done.Components {
		a.tellRescued(f.name, c.Rescue)
		r.add(c.ComponentReport, !dryRun)
		in.Replaced = append(in.Replaced, inPlaceComponent{c.Name, c.Was, c.Kept, c.Staging, verifies(c.Kind)})
	}
	if s := done.Saved; s != nil {
		in.PreRestoreSnapshot, in.PreRestoreTarget, in.Raw = s.ID, s.Target, append(in.Raw, s.Raw...)
		for _, err := range s.Lacks {
			a.warn(fmt.Errorf("the safety snapshot is not of all components: %w", err))
		}
		for _, err := range s.Failed {
			a.warn(fmt.Errorf("the safety snapshot is not in every target: %w", err))
		}
	}
	r.InPlace = in
	return r, nil
}

// verifies names what a component of that kind is checked by.
func verifies(kind manifest.Kind) []string {
	switch kind {
	case manifest.SQLite:
		return []string{"hashes", "integrity_check"}
	case manifest.Chroma:
		return []string{"hashes", "integrity_check", "census"}
	}
	return []string{"hashes", "format"}
}

// reads is how many bytes of objects a restore of these components needs, each object once.
func reads(m *manifest.Manifest, stores []restore.Live) (n int64) {
	seen := map[string]bool{}
	for _, l := range stores {
		c := m.Component(l.Name)
		for _, o := range c.Index {
			if !seen[o.Key] {
				seen[o.Key] = true
				n += o.Size
			}
		}
		for _, v := range c.Volumes {
			if !seen[v.Key] {
				seen[v.Key] = true
				n += v.Size
			}
		}
	}
	return n
}
