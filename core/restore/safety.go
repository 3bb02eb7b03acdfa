package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/file"
	"github.com/atocore/holdfast/core/source/sqlite"
	"github.com/atocore/holdfast/core/target"
)

// ErrNoSafety: no target took the safety snapshot, so nothing was replaced.
var ErrNoSafety = errors.New("no safety snapshot of the live state could be taken")

// Safety says how the live state is saved before it is replaced.
type Safety struct {
	Stores  []Live  // all of the set; those of kind chroma are left out, as in the original
	Targets []Place // asked in this order, until one takes it
	Backup  backup.Options
	// Of Backup, Components, Targets, Tags and DryRun are set here, and Check when it is empty.
}

// Place is a target that can be opened.
type Place struct {
	Name string
	Open func(context.Context) (*target.Store, error)
}

// Saved is the safety snapshot. The zero value: there was nothing to save.
type Saved struct {
	ID     manifest.ID
	Target string
	Raw    []string // databases that could not be read as such, and were saved as plain files
	Lacks  []error  // why it lacks components, none of which is replaced
	Failed []error  // why targets did not take it
}

// take saves the live state. must names the components without which it is no safety.
func (s *Safety) take(ctx context.Context, must []string) (*Saved, error) {
	o := s.Backup
	o.Components, o.Tags, o.DryRun = nil, []string{manifest.PreRestore}, false
	if o.Check == "" {
		o.Check = backup.CheckQuick
	}
	saved := &Saved{}
	for _, live := range s.Stores {
		if live.Kind == manifest.Chroma {
			continue
		}
		cs, raw, err := s.components(ctx, live)
		if err != nil {
			return nil, err
		}
		if raw {
			saved.Raw = append(saved.Raw, live.Name)
		}
		o.Components = append(o.Components, cs...)
	}
	if len(o.Components) == 0 {
		return saved, nil
	}
	for _, place := range s.Targets {
		err := s.to(ctx, place, o, must, saved)
		if err == nil {
			return saved, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		saved.Failed = append(saved.Failed, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNoSafety, errors.Join(saved.Failed...))
}

// to commits the snapshot to one target.
func (s *Safety) to(ctx context.Context, place Place, o backup.Options, must []string, saved *Saved) error {
	store, err := place.Open(ctx)
	if err != nil {
		return fmt.Errorf("target %s: %w", place.Name, err)
	}
	defer store.Close() // every put was acknowledged by itself
	o.Targets = []*target.Store{store}
	r, err := backup.Run(ctx, o)
	if err != nil {
		return err
	}
	var lacks []error
	for _, c := range r.Components {
		if c.Err == nil {
			continue
		}
		err := fmt.Errorf("save %s: %w", c.Name, c.Err)
		if slices.Contains(must, c.Name) {
			return err
		}
		lacks = append(lacks, err)
	}
	if t := r.Targets[0]; t.Err != nil {
		return t.Err
	}
	saved.ID, saved.Target, saved.Lacks = r.Targets[0].Manifest.ID, place.Name, lacks
	return nil
}

// components are what saves one store: nothing where nothing is; and for a database that is too
// damaged to be read as one, or that only a writer could recover, its files as they are.
func (s *Safety) components(ctx context.Context, live Live) (_ []backup.Component, raw bool, err error) {
	if live, err = live.resolved(); err != nil {
		return nil, false, err
	}
	there, err := live.there()
	if err != nil || !there {
		return nil, false, err
	}
	// What the format says of the content does not matter here.
	plain := func(name, path string) backup.Component {
		return backup.Component{Source: file.New(name, path, "")}
	}
	if live.Kind == manifest.File {
		c := plain(live.Name, live.Path)
		c.Source, c.Format = file.New(live.Name, live.Path, live.Format), live.Format
		return []backup.Component{c}, false, nil
	}
	err = s.readable(ctx, live)
	if err == nil {
		return []backup.Component{{Source: sqlite.New(live.Name, live.Path)}}, false, nil
	}
	if ctx.Err() != nil || errors.Is(err, source.ErrBusy) {
		return nil, false, fmt.Errorf("save %s: %w", live.Name, err)
	}
	out := []backup.Component{plain(live.Name, live.Path)}
	for _, suffix := range []string{"wal", "journal"} { // its data too
		name, path := live.Name+"_"+suffix, live.Path+"-"+suffix
		taken := slices.ContainsFunc(s.Stores, func(l Live) bool { return l.Name == name })
		if fi, err := os.Lstat(path); err == nil && fi.Size() > 0 && manifest.ValidComponent(name) && !taken {
			out = append(out, plain(name, path))
		}
	}
	return out, true, nil
}

// readable sees whether a database can be read as one.
func (s *Safety) readable(ctx context.Context, live Live) (err error) {
	dir, err := os.MkdirTemp(s.Backup.Staging, "look-")
	if err != nil {
		return fmt.Errorf("scratch space: %w", err)
	}
	db := sqlite.New(live.Name, live.Path)
	defer func() { err = errors.Join(err, db.Close(), os.RemoveAll(dir)) }()
	if err := db.Prepare(ctx, dir); err != nil {
		return err
	}
	return db.Freeze(ctx, source.Wait(source.LockWait))
}
