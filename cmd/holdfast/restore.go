package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
)

// restoreReport is the summary of `holdfast restore`.
type restoreReport struct {
	head
	Target     string             `json:"target"`
	Set        string             `json:"set"`
	ID         manifest.ID        `json:"id"`
	CapturedAt time.Time          `json:"captured_at"`
	Grade      manifest.Grade     `json:"grade"`
	Dir        string             `json:"dir"` // absolute
	Components []restoreComponent `json:"components"`
}

type restoreComponent struct {
	Name   string           `json:"name"`
	Kind   manifest.Kind    `json:"kind"`
	Path   string           `json:"path"`
	Size   int64            `json:"size"` // bytes of the stream
	Checks []manifest.Check `json:"checks"`
}

type restoreFlags struct {
	placeFlags
	to         string
	components []string
}

func newRestore(a *app) *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore ID|latest --to DIR",
		Short: "Restore a snapshot, or some of its components, into a new directory",
		Long: `Restore a snapshot into a new or empty directory: DIR/<component> is a file, and for Chroma
a directory. Everything is verified before it is moved to its place: every chunk and
stream by its hash, every store by its own checks.

latest is the newest good snapshot that is complete: it has the components that are named,
or else those of the configuration, the optional ones if a good one had them within a week;
with --from all that a good one had within a week. A newer one that is not complete is named
in a warning.

The snapshot is looked for in one target after the other, and when one is unreachable or
damaged the next one is tried. After a disaster no configuration is needed:

  holdfast restore latest --from file:///backup/atocore --to /srv/restored

This version does not restore in place: stop the service, and move the files yourself.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.restore(cmd.Context(), f, args[0]) },
	}
	f.bind(cmd.Flags())
	cmd.Flags().StringVar(&f.to, "to", "", "new or empty `directory` to restore into (required)")
	cmd.Flags().StringArrayVar(&f.components, "component", nil, "only this `component`; may be given again for more (default: all)")
	return cmd
}

func (a *app) restore(ctx context.Context, f restoreFlags, ref string) error {
	if f.to == "" {
		return usage(errors.New("restore: --to DIR is missing; this version restores only into a new directory"))
	}
	dir, err := filepath.Abs(f.to)
	if err != nil {
		return err
	}
	places, c, err := a.places(f.placeFlags)
	if err != nil {
		return err
	}
	ask := f.ask(f.components, c)
	if c == nil {
		c = repositoryAt(f.from)
	}
	if what := c.Within(dir, resolve); what != "" {
		return &failure{code: exitRefused, id: "restore_into_store", err: fmt.Errorf("%s lies in %s", dir, what), hint: "restore to a directory of its own"}
	}
	// What is wrong with one target is no reason to give up while there is
	// another; what is wrong with the directory is.
	var fault, missing error
	for _, p := range a.rank(ctx, places, ref, ask) {
		r, err := a.restoreFrom(ctx, p, ref, dir, f.components, ask)
		switch {
		case err == nil:
			if fault != nil {
				a.warn(fault)
			}
			return a.finish(r)
		case ctx.Err() != nil, errors.Is(err, repository.ErrAmbiguous), !tryNext(classify(ctx, err).code):
			return err
		case errors.Is(err, repository.ErrNoSnapshot):
			missing = errors.Join(missing, err)
		default:
			fault = errors.Join(fault, err)
		}
	}
	if fault != nil {
		return fault
	}
	return missing
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

// tryNext says whether another target may do what one could not.
func tryNext(code exitCode) bool {
	switch code {
	case exitNoMatch, exitDamage, exitUninitialised, exitAuth, exitTarget, exitPlugin, exitFormat:
		return true
	}
	return false
}

// restoreFrom restores components, all when none are named, of a snapshot in one
// place; the latest must have what is asked for.
func (a *app) restoreFrom(ctx context.Context, p place, ref, dir string, components []string, ask repository.Ask) (*restoreReport, error) {
	f, err := a.findIn(ctx, p, ref, ask)
	if err != nil {
		return nil, err
	}
	defer f.close()
	a.tellPassed(f)
	o := restore.Options{Repository: f.Repository, Manifest: f.manifest, Components: components, Dir: dir}
	var stop func()
	o.Progress, stop = a.progress()
	done, err := restore.ToDir(ctx, o)
	stop()
	if err != nil {
		return nil, err
	}
	r := &restoreReport{
		head: summary("restore", exitOK), Target: f.name, Set: f.manifest.Set, ID: done.ID,
		CapturedAt: f.manifest.CapturedAt, Grade: f.manifest.Grade, Dir: done.Dir, Components: []restoreComponent{},
	}
	if done.Damage {
		r.Code = exitDamage
	}
	for _, c := range done.Components {
		r.Components = append(r.Components, restoreComponent{c.Name, c.Kind, c.Path, c.Size, append([]manifest.Check{}, c.Checks...)})
	}
	return r, nil
}

func (r *restoreReport) text(a *app, w io.Writer) error {
	if r.Code != exitOK {
		a.warn(fmt.Errorf("a check of the content failed: the files are those of snapshot %s, byte for byte, but do not run a service on them", r.ID))
	} else if a.quiet {
		return nil
	}
	say(w, "restored snapshot %s of set %s from target %s to %s\n", r.ID, r.Set, r.Target, r.Dir)
	say(w, "captured %s, %s\n", local(r.CapturedAt), a.paint(gradeColour(string(r.Grade)), string(r.Grade)))
	t := &table{header: []string{"COMPONENT", "KIND", "SIZE", "CHECKS"}, right: []bool{2: true}}
	for _, c := range r.Components {
		t.add(c.Name, string(c.Kind), size(c.Size), checks(c.Checks))
	}
	if err := t.write(w, a.width()); err != nil {
		return err
	}
	return failedChecks(w, r.Components)
}

// failedChecks tells the details of what did not pass.
func failedChecks(w io.Writer, components []restoreComponent) error {
	for _, c := range components {
		for _, k := range c.Checks {
			if k.Result == manifest.OK || k.Detail == "" {
				continue
			}
			if _, err := say(w, "%s: %s %s: %s\n", c.Name, k.Name, k.Result, k.Detail); err != nil {
				return err
			}
		}
	}
	return nil
}
