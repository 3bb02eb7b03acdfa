package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/targets/builtin"
)

// initReport is the summary of `holdfast init`.
type initReport struct {
	head
	Config     string          `json:"config"`  // absolute path of the file
	Written    bool            `json:"written"` // false: it was there
	Set        string          `json:"set"`
	Components []initComponent `json:"components"`
	Targets    []initTarget    `json:"targets"`
}

type initComponent struct {
	Name     string      `json:"name"`
	Kind     config.Kind `json:"kind"`
	Path     string      `json:"path"`
	Optional bool        `json:"optional"`
}

type initTarget struct {
	Name       string `json:"name"`
	Repository string `json:"repository"`        // its id
	Created    bool   `json:"created"`           // false: it was one already
	Warning    string `json:"warning,omitempty"` // what the target lacks
}

type initFlags struct {
	set, data, stateDir string
	targets             []string
	force               bool
}

func newInit(a *app) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write holdfast.yaml for an AtoCore layout, probe the targets and mark them",
		Long: `Write a commented holdfast.yaml and make each target a repository, after a probe that it
can be written and keeps put-if-absent: one that does not is used with a warning.

The live store is looked for in --data, else $ATOCORE_DATA_DIR, else ./data: db/*.db,
config/project-registry.json and chroma/. An existing configuration is never
overwritten. Without --set, --data, --target-path and --state-dir an existing one is
used: its targets are marked where they are not yet.

A target that was another repository when a create last saw it is refused: most often
the wrong disk is mounted, or none. --force takes it as it is now.

  holdfast init --data /srv/atocore/data --target-path nas=/mnt/nas/holdfast`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := false
			for _, name := range []string{"set", "data", "target-path", "state-dir"} {
				write = write || cmd.Flags().Changed(name)
			}
			return a.init(cmd.Context(), f, write)
		},
	}
	cmd.Flags().StringVar(&f.set, "set", "atocore", "`name` of this store's snapshots in the targets")
	cmd.Flags().StringVar(&f.data, "data", "", "`directory` of the live store (default: $ATOCORE_DATA_DIR, then ./data)")
	cmd.Flags().StringArrayVar(&f.targets, "target-path", nil, "`[NAME=]DIR` where snapshots go; may be given again for more")
	cmd.Flags().StringVar(&f.stateDir, "state-dir", "", "`directory` for locks, caches and staging (default: .holdfast beside the configuration)")
	cmd.Flags().BoolVar(&f.force, "force", false, "accept targets that are not the repositories they were")
	return cmd
}

func (a *app) init(ctx context.Context, f initFlags, write bool) error {
	path, err := a.file()
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	var c *config.Config
	_, err = os.Lstat(path)
	switch there := err == nil; {
	case there && write:
		return &failure{
			code: exitRefused, id: "config_exists", err: fmt.Errorf("%s is there already and is never overwritten", path),
			hint: "edit it, then run init without flags to mark its targets; or name another file with --config",
		}
	case there:
		c, err = a.config()
	case errors.Is(err, fs.ErrNotExist):
		write = true
		c, err = a.draft(path, f)
	}
	if err != nil {
		return err
	}

	// Before anything is made: behind a symbolic link a target may be a live store.
	if conflicts := c.Apart(resolve); len(conflicts) > 0 {
		return &failure{code: exitConfig, id: "paths_overlap", err: conflicts[0], hint: "keep them apart"}
	}
	for _, x := range c.Beside(resolve) {
		a.warn(x)
	}
	r := initReport{head: summary("init", exitOK), Config: path, Written: write, Set: c.Set}
	for _, comp := range c.Components {
		r.Components = append(r.Components, initComponent{comp.Name, comp.Kind, comp.Path, comp.Optional})
	}
	for _, t := range c.Targets {
		marked, err := a.mark(ctx, c, t, f.force)
		var lost *repository.LostError
		if errors.As(err, &lost) {
			return &failure{code: exitRefused, id: "marker_lost", err: err, hint: lost.Next()}
		}
		if err != nil {
			return fmt.Errorf("mark target %s: %w", t.Name, err)
		}
		if marked.Warning != "" && !a.json {
			a.warn(fmt.Errorf("target %s: %s", t.Name, marked.Warning))
		}
		r.Targets = append(r.Targets, marked)
	}
	// The file comes last: until it is there, init can be run again as it was.
	if write {
		if err := writeNew(path, config.Render(c)); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
	}
	return a.finish(r)
}

// mark makes a target a repository, unless it is one. One that is not what is
// remembered of it is refused, or with force forgotten.
func (a *app) mark(ctx context.Context, c *config.Config, t config.Target, force bool) (initTarget, error) {
	raw, err := builtin.Create(ctx, t.Plugin, t.Config)
	if err != nil {
		return initTarget{}, err
	}
	store := target.Open(t.Name, raw, target.Options{})
	seen := state.Look(c.StateDir)
	id := ""
	r, err := repository.Open(ctx, store)
	if err == nil {
		id = r.ID
	}
	created, warning := false, ""
	if err == nil || errors.Is(err, repository.ErrNotInitialised) {
		replaced := seen.Check(c.Set, t.Name, id)
		switch {
		case replaced != nil && !force:
			return initTarget{}, errors.Join(replaced, store.Close())
		case replaced != nil:
			err = seen.Forget(c.Set, t.Name)
		default:
			err = nil
		}
		keeps := true
		if err == nil {
			keeps, err = probe(ctx, store, a.now())
		}
		if !keeps && err == nil {
			warning = ignoresIfAbsent
		}
		if err == nil {
			r, created, err = repository.Init(ctx, store, rand.Reader)
		}
	}
	if err := errors.Join(err, store.Close()); err != nil {
		return initTarget{}, err
	}
	return initTarget{t.Name, r.ID, created, warning}, nil
}

// draft makes the configuration that is to be written to path.
func (a *app) draft(path string, f initFlags) (*config.Config, error) {
	data := f.data
	if data == "" {
		data, _ = a.lookup("ATOCORE_DATA_DIR")
	}
	if data == "" {
		data = "data"
	}
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	c := &config.Config{Set: f.set, StateDir: filepath.Join(filepath.Dir(path), ".holdfast")}
	if c.Components, err = atocore(data); err != nil {
		return nil, &failure{
			code: exitConfig, id: "layout_not_found", err: err,
			hint: "name it with --data or $ATOCORE_DATA_DIR, or write " + path + " by hand",
		}
	}
	if len(f.targets) == 0 {
		return nil, usage(errors.New("init: where do snapshots go? --target-path [NAME=]DIR is missing"))
	}
	for i, value := range f.targets {
		t, err := targetFlag(value, i+1)
		if err != nil {
			return nil, usage(err)
		}
		c.Targets = append(c.Targets, t)
	}
	if f.stateDir != "" {
		if c.StateDir, err = filepath.Abs(f.stateDir); err != nil {
			return nil, err
		}
	}
	c.StagingDir = filepath.Join(c.StateDir, "staging")
	// What would be written must load: names, overlaps and all.
	checked, err := config.Parse(path, config.Render(c), a.lookup)
	if err != nil {
		return nil, fmt.Errorf("the configuration that these flags describe is not good: %w", err)
	}
	return checked, nil
}

// writeNew writes a file that must not be there yet: all of it or nothing.
func writeNew(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (r initReport) text(a *app, w io.Writer) error {
	if a.quiet {
		return nil
	}
	what := "uses"
	if r.Written {
		what = "wrote"
	}
	say(w, "%s %s: set %s\n", what, r.Config, r.Set)
	for _, c := range r.Components {
		note := ""
		if c.Optional {
			note = " (optional)"
		}
		say(w, "  component %s: %s %s%s\n", c.Name, c.Kind, c.Path, note)
	}
	for _, t := range r.Targets {
		what := "is a repository already"
		if t.Created {
			what = "is a new repository"
		}
		say(w, "  target %s %s, %s\n", t.Name, what, t.Repository)
	}
	_, err := fmt.Fprintln(w, "next: holdfast doctor, holdfast create")
	return err
}
