// Package restore turns snapshots back into files.
//
// [ToDir] restores into a new or empty directory. Everything is staged in one subdirectory of it,
// verified there (every chunk by its id, every stream by its SHA-256, every store by its content
// checks) and made durable, and only then moved to its place. [Dump] writes one stream, or one file of
// it, to a writer. [Stage] is the step that they and package validate share.
//
// Names of files come from component names, which have a closed grammar, never from a path in a
// manifest.
package restore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
)

// Options of ToDir.
type Options struct {
	Repository *repository.Repository
	Manifest   *manifest.Manifest
	Components []string  // empty: all
	Dir        string    // new, or empty
	Fallback   *Fallback // optional: where to look for what is lost
	Progress   progress.Progress
}

// Report is what ToDir restored.
type Report struct {
	ID         manifest.ID
	Dir        string
	Components []ComponentReport
	// Damage: a content check failed. The bytes are those of the snapshot, every hash is right, so they
	// are left for whoever wants to look; but nobody should run a service on them.
	Damage bool
}

// ComponentReport is one restored component.
type ComponentReport struct {
	Name   string
	Kind   manifest.Kind
	Path   string
	Size   int64 // bytes of the stream
	Checks []manifest.Check
	Rescue *Rescue // nil: nothing of it was lost
}

// ToDir restores components to Dir, each under its name: a file, or for Chroma a directory. An error
// leaves the directory as it was found. Killed in between, it leaves a directory in which
// .holdfast-partial still stands; one that holds nothing else may be restored to again.
func ToDir(ctx context.Context, o Options) (_ *Report, err error) {
	names, err := selected(o.Manifest, o.Components)
	if err != nil {
		return nil, err
	}
	dir, err := claim(o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.release(err)) }()
	if err := o.room(names); err != nil {
		return nil, err
	}
	staging := dir.staging()
	report := &Report{ID: o.Manifest.ID, Dir: o.Dir}
	for _, name := range names {
		c, err := o.component(ctx, name, staging)
		if err != nil {
			return nil, fmt.Errorf("restore %s of snapshot %s: %w", name, o.Manifest.ID, err)
		}
		for _, k := range c.Checks {
			report.Damage = report.Damage || k.Result == manifest.Failed
		}
		report.Components = append(report.Components, c)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := dir.place(names); err != nil {
		return nil, err
	}
	return report, nil
}

// selected resolves the components that are asked for.
func selected(m *manifest.Manifest, want []string) ([]string, error) {
	if len(want) == 0 {
		var all []string
		for _, c := range m.Components {
			all = append(all, c.Name)
		}
		return all, nil
	}
	seen := map[string]bool{}
	var names []string
	for _, name := range want {
		if m.Component(name) == nil {
			return nil, fmt.Errorf("%w: snapshot %s has no component %s; holdfast show lists them", repository.ErrNoSnapshot, m.ID, name)
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// room checks that the file system can take the components, and the index and tar that are needed on
// the way.
func (o Options) room(names []string) error {
	var need, tar int64
	for _, name := range names {
		c := o.Manifest.Component(name)
		need += c.Size + c.Size/32 + 1<<20
		if c.Kind == manifest.Chroma {
			tar = max(tar, c.Size)
		}
	}
	free, err := source.FreeSpace(o.Dir)
	if err != nil {
		return err
	}
	if need += tar; free < need {
		return &SpaceError{o.Dir, need, free}
	}
	return nil
}

// component stages, checks and syncs one component.
func (o Options) component(ctx context.Context, name, staging string) (ComponentReport, error) {
	mc := o.Manifest.Component(name)
	report := ComponentReport{Name: name, Kind: mc.Kind, Path: filepath.Join(o.Dir, name), Size: mc.Size}
	path, rescue, err := StageFrom(ctx, o.Repository, o.Manifest, name, StageOptions{Dir: staging, Fallback: o.Fallback, Progress: o.Progress})
	if err != nil {
		return report, err
	}
	report.Rescue = rescue
	inspected, err := kinds.Inspect(ctx, mc.Kind, path, source.Full, mc.Facts)
	switch {
	case err != nil && ctx.Err() != nil:
		return report, err
	case err != nil: // every hash is right: what could not be looked into is restored all the same
		inspected.Checks = []manifest.Check{{Name: "inspection", Result: manifest.Inconclusive, Detail: manifest.ClipText(err.Error())}}
	}
	report.Checks = inspected.Checks
	return report, syncTree(path)
}
