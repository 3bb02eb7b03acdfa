package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
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
	Dir        string             `json:"dir,omitempty"` // absolute; absent in place
	Components []restoreComponent `json:"components"`

	IntegrityOK    bool   `json:"integrity_ok"` // no check of the content failed
	IntegrityError string `json:"integrity_error,omitempty"`

	InPlace *inPlaceReport `json:"in_place,omitempty"`
}

type restoreComponent struct {
	Name     string           `json:"name"`
	Kind     manifest.Kind    `json:"kind"`
	Path     string           `json:"path"`
	Size     int64            `json:"size"` // bytes of the stream
	Checks   []manifest.Check `json:"checks"`
	Restored bool             `json:"restored"`
	Rescued  *rescued         `json:"rescued,omitempty"` // what its target had lost of it
}

type restoreFlags struct {
	placeFlags
	to               string
	components       []string
	chroma, noChroma bool
	stopped          bool
	noPreSnapshot    bool
	allowSuspect     bool
	dryRun           bool
}

func newRestore(a *app) *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore ID|latest (--to DIR | --confirm-service-stopped)",
		Short: "Restore a snapshot, in place or into a new directory",
		Long: `Restore a snapshot, or some of its components. Everything is verified before it is moved to
its place: every chunk and stream by its hash, every store by its own checks.

With --to it goes into a new or empty directory: DIR/<component> is a file, and for Chroma
a directory.

Without --to the live stores of the configuration are replaced. Stop the service first and
say so with --confirm-service-stopped; restore looks for itself, too, and refuses while a
process has one of the files open or holds a lock on a database. Then

  - everything is staged beside the live stores and verified; a failed check ends it here;
  - the live state, but for Chroma, is saved to the first target that takes it, as a
    snapshot tagged pre-restore, a damaged database as a plain file of up to 1 GiB;
  - the stores are exchanged. What was live is kept beside them until the next restore, with
    a database's -wal and -journal: holdfast restore undo puts it back. Killed at any moment,
    holdfast recover ends with everything old or everything new.

Owner and mode of what is replaced are kept, and so is a symbolic link that leads to it.

latest is the newest good snapshot that is complete: it has the components that are named,
or else those of the configuration, the optional ones if a good one had them within a week;
with --from all that a good one had within a week. A newer one that is not complete is named
in a warning. A component that the snapshot does not have stays as it is.

The snapshot is looked for in one target after the other, and when one is unreachable or
damaged the next one is tried; for an id of a target that fails, the snapshot of another
with the same stamp, which in place is named and refused. What a target has lost of the snapshot is read from where it is left:
other snapshots, other targets. After a disaster no configuration is needed:

  holdfast restore latest --from file:///backup/atocore --to /srv/restored

Exit codes:
  0   restored
  4   a check of the content failed: in place nothing was touched, unless --allow-suspect;
      with --to the files are there, byte for byte those of the snapshot
  7   refused, and nothing was touched: not confirmed, the service is not stopped, no target
      took the safety snapshot, the snapshot is suspect, DIR is not empty`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return usage(err)
			}
			if f.to == "" {
				return a.restoreInPlace(cmd.Context(), f, args[0])
			}
			return a.restoreTo(cmd.Context(), f, args[0])
		},
	}
	f.bind(cmd.Flags())
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "new or empty `directory` to restore into")
	flags.StringArrayVar(&f.components, "component", nil, "only this `component`; may be given again for more (default: all)")
	flags.BoolVar(&f.noChroma, "no-chroma", false, "leave out the components of kind chroma")
	flags.BoolVar(&f.chroma, "chroma", false, "restore them, which is the default")
	flags.BoolVar(&f.stopped, "confirm-service-stopped", false, "the service is stopped: replace its stores")
	flags.BoolVar(&f.noPreSnapshot, "no-pre-snapshot", false, "replace them without a safety snapshot of what is live")
	flags.BoolVar(&f.allowSuspect, "allow-suspect", false, "in place, also when the snapshot is suspect or a check of its content fails")
	flags.BoolVar(&f.dryRun, "dry-run", false, "in place: tell what would be replaced, and touch nothing")
	cmd.AddCommand(newUndo(a))
	return cmd
}

// check refuses flags that contradict each other.
func (f restoreFlags) check() error {
	switch {
	case f.chroma && f.noChroma:
		return errors.New("--chroma and --no-chroma exclude each other")
	case f.noChroma && len(f.components) > 0:
		return errors.New("--no-chroma and --component exclude each other")
	case f.to != "" && (f.stopped || f.noPreSnapshot || f.allowSuspect || f.dryRun):
		return errors.New("--confirm-service-stopped, --no-pre-snapshot, --allow-suspect and --dry-run are for a restore in place, without --to")
	case f.to == "" && f.from != "":
		return errors.New("--from restores into a new directory: --to DIR is missing")
	}
	return nil
}

// askFor is what the latest snapshot must have: what is restored.
func (f restoreFlags) askFor(c *config.Config) repository.Ask {
	if !f.noChroma {
		return f.ask(f.components, c)
	}
	if c == nil {
		return f.ask(nil, nil)
	}
	without := *c
	without.Components = slices.DeleteFunc(slices.Clone(c.Components), func(comp config.Component) bool { return comp.Kind == config.Chroma })
	return f.ask(nil, &without)
}

func newRestoreReport(f *found) *restoreReport {
	return &restoreReport{
		head: summary("restore", exitOK), Target: f.name, Set: f.manifest.Set, ID: f.manifest.ID,
		CapturedAt: f.manifest.CapturedAt, Grade: f.manifest.Grade, Components: []restoreComponent{}, IntegrityOK: true,
	}
}

// add takes a component up, and what its checks mean for the verdict.
func (r *restoreReport) add(c restore.ComponentReport, restored bool) {
	r.Components = append(r.Components, restoreComponent{c.Name, c.Kind, c.Path, c.Size, append([]manifest.Check{}, c.Checks...), restored, newRescued(c.Rescue)})
	for _, k := range c.Checks {
		if k.Result == manifest.Failed && r.IntegrityOK {
			r.Code, r.IntegrityOK, r.IntegrityError = exitDamage, false, c.Name+": "+k.Name+": "+k.Detail
		}
	}
}

func (r *restoreReport) text(a *app, w io.Writer) error {
	if r.Code != exitOK {
		a.warn(fmt.Errorf("a check of the content failed: the files are those of snapshot %s, byte for byte, but do not run a service on them", r.ID))
	} else if a.quiet {
		return nil
	}
	if r.InPlace != nil {
		return r.InPlace.text(a, w, r)
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
