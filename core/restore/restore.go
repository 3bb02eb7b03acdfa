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
	"io/fs"
	"os"
	"path/filepath"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
)

// ErrNotEmpty: the directory to restore to holds something.
var ErrNotEmpty = errors.New("not a new or empty directory")

// partial is the staging directory inside the directory that is restored to. While it is there, the
// restore is not complete.
const partial = ".holdfast-partial"

// Options of ToDir.
type Options struct {
	Repository *repository.Repository
	Manifest   *manifest.Manifest
	Components []string // nil: all
	Dir        string   // new, or empty
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
}

// ToDir restores components to Dir, each under its name: a file, or for Chroma a directory. An error
// leaves the directory as it was found. Killed in between, it leaves a directory in which
// .holdfast-partial still stands; one that holds nothing else may be restored to again.
func ToDir(ctx context.Context, o Options) (_ *Report, err error) {
	names, err := selected(o.Manifest, o.Components)
	if err != nil {
		return nil, err
	}
	made, err := o.claim()
	if err != nil {
		return nil, err
	}
	staging := filepath.Join(o.Dir, partial)
	report := &Report{ID: o.Manifest.ID, Dir: o.Dir}
	var placed []string
	defer func() {
		if err == nil {
			return
		}
		for _, path := range append(placed, staging) {
			err = errors.Join(err, os.RemoveAll(path))
		}
		if made {
			err = errors.Join(err, os.Remove(o.Dir))
		}
	}()
	if err := o.room(names); err != nil {
		return nil, err
	}
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
	for _, c := range report.Components {
		if err := os.Rename(filepath.Join(staging, c.Name), c.Path); err != nil {
			return nil, fmt.Errorf("move %s to its place: %w", c.Name, err)
		}
		placed = append(placed, c.Path)
	}
	if err := syncDir(o.Dir); err != nil {
		return nil, err
	}
	if err := os.Remove(staging); err != nil {
		return nil, fmt.Errorf("remove staging: %w", err)
	}
	return report, errors.Join(syncDir(o.Dir), syncDir(filepath.Dir(filepath.Clean(o.Dir))))
}

// selected resolves the components that are asked for.
func selected(m *manifest.Manifest, want []string) ([]string, error) {
	if want == nil {
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

// claim makes the directory, or sees that it is empty, and makes the staging directory in it.
func (o Options) claim() (made bool, err error) {
	if err := os.Mkdir(o.Dir, 0o700); err == nil {
		made = true
	} else if !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("make the directory to restore to: %w", err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		return made, fmt.Errorf("%s is %w: %w", o.Dir, ErrNotEmpty, err)
	}
	staging := filepath.Join(o.Dir, partial)
	switch {
	case len(entries) == 1 && entries[0].Name() == partial && entries[0].IsDir():
		// A restore was killed before it had put anything in its place.
		if err := os.RemoveAll(staging); err != nil {
			return made, fmt.Errorf("clear what a killed restore left: %w", err)
		}
	case len(entries) > 0:
		return made, fmt.Errorf("%s is %w: it holds %s; name another directory", o.Dir, ErrNotEmpty, entries[0].Name())
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return made, fmt.Errorf("make staging: %w", err)
	}
	return made, nil
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

// SpaceError means that the restored files would not fit.
type SpaceError struct {
	Dir        string
	Need, Free int64 // bytes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%s: %d bytes are needed and %d are free: free %d bytes, or restore to another file system",
		e.Dir, e.Need, e.Free, e.Need-e.Free)
}

// component stages, checks and syncs one component.
func (o Options) component(ctx context.Context, name, staging string) (ComponentReport, error) {
	mc := o.Manifest.Component(name)
	report := ComponentReport{Name: name, Kind: mc.Kind, Path: filepath.Join(o.Dir, name), Size: mc.Size}
	path, err := Stage(ctx, StageOptions{Repository: o.Repository, Manifest: o.Manifest, Component: name, Dir: staging, Progress: o.Progress})
	if err != nil {
		return report, err
	}
	inspected, err := kinds.Inspect(ctx, mc.Kind, path, source.Full, mc.Facts)
	if err != nil {
		return report, err
	}
	report.Checks = inspected.Checks
	return report, syncTree(path)
}

// syncTree makes a file, or a directory and all in it, durable.
func syncTree(path string) error {
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncDir(p)
	})
}

// syncDir makes a directory, or a file, durable.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
