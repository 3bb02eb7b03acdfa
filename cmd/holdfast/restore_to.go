package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
)

// restoreTo restores into a new directory.
func (a *app) restoreTo(ctx context.Context, f restoreFlags, ref string) error {
	dir, err := filepath.Abs(f.to)
	if err != nil {
		return err
	}
	places, c, err := a.places(f.placeFlags)
	if err != nil {
		return err
	}
	ask := f.askFor(c)
	if c == nil {
		c = repositoryAt(f.from)
	}
	if what := c.Within(dir, resolve); what != "" {
		return &failure{code: exitRefused, id: "restore_into_store", err: fmt.Errorf("%s lies in %s", dir, what), hint: "restore to a directory of its own"}
	}
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		return &failure{code: exitFailed, id: "failed", err: fmt.Errorf("%s does not exist", parent), hint: "make it, or correct --to; only the last directory of the path is made"}
	}
	r, err := a.firstPlace(ctx, places, ref, ask, func(f2 *found) (*restoreReport, error) {
		return a.restoreFrom(ctx, f2, dir, f)
	})
	if err != nil {
		return err
	}
	return a.finish(r)
}

// restoreFrom restores a snapshot, or some of it, to a directory.
func (a *app) restoreFrom(ctx context.Context, f *found, dir string, flags restoreFlags) (*restoreReport, error) {
	o := restore.Options{Repository: f.Repository, Manifest: f.manifest, Components: flags.components, Dir: dir}
	if flags.noChroma {
		for _, c := range f.manifest.Components {
			if c.Kind != manifest.Chroma {
				o.Components = append(o.Components, c.Name)
			}
		}
		if len(o.Components) == 0 {
			return nil, fmt.Errorf("%w: snapshot %s has nothing but Chroma", repository.ErrNoSnapshot, f.manifest.ID)
		}
	}
	var closeOthers, stop func()
	o.Fallback, closeOthers = a.fallback(f.beside, f.name)
	defer closeOthers()
	o.Progress, stop = a.progress()
	done, err := restore.ToDir(ctx, o)
	stop()
	if err != nil {
		return nil, err
	}
	r := newRestoreReport(f)
	r.Dir = done.Dir
	for _, c := range done.Components {
		a.tellRescued(f.name, c.Rescue)
		r.add(c, true)
	}
	return r, nil
}

// repositoryAt is a configuration that knows only where the repository at a
// file:// URL lies, and of one elsewhere nothing.
func repositoryAt(from string) *config.Config {
	c := &config.Config{}
	if u, err := url.Parse(from); err == nil && u.Scheme == "file" {
		c.Targets = []config.Target{{Name: from, Plugin: "local", Config: map[string]any{"path": filepath.Clean(u.Path)}}}
	}
	return c
}
