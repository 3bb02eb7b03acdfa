package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/importer"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/state"
)

// importReport is the summary of `holdfast import`.
type importReport struct {
	head
	Set         string           `json:"set"`
	DryRun      bool             `json:"dry_run"` // nothing was put
	Dir         string           `json:"dir"`     // absolute: the folder that holds the stamps
	Snapshots   []importSnapshot `json:"snapshots"`
	Unparseable []string         `json:"unparseable"` // names in dir that are no stamp; they were left alone
	Targets     []importTarget   `json:"targets"`
}

// importSnapshot is one stamp, oldest first.
type importSnapshot struct {
	Stamp      string            `json:"stamp"`
	Result     importResult      `json:"result"`
	CapturedAt *time.Time        `json:"captured_at,omitempty"` // absent when skipped for what its metadata says
	Components []string          `json:"components"`            // that were imported
	Grade      manifest.Grade    `json:"grade,omitempty"`
	Reasons    []manifest.Reason `json:"reasons"`
	Errors     []importError     `json:"errors"`  // why it was skipped
	Targets    []importedInto    `json:"targets"` // that it was, or was to be, imported into
}

type importError struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

type importedInto struct {
	Target string       `json:"target"`
	Result importResult `json:"result"`
	ID     manifest.ID  `json:"id,omitempty"`
	Notes  []string     `json:"notes"`
	Error  *targetError `json:"error,omitempty"`
}

type importTarget struct {
	Target   string       `json:"target"`
	Imported int          `json:"imported"` // in a dry run those that would be
	Already  int          `json:"already"`  // that it held before
	Sent     int64        `json:"sent"`     // bytes
	Error    *targetError `json:"error,omitempty"`
}

// importResult is what became of a stamp.
type importResult string

const (
	imported    importResult = "imported"
	wouldImport importResult = "would_import"
	already     importResult = "already"
	skipped     importResult = "skipped"
	notImported importResult = "failed"
)

type importFlags struct {
	targets []string
	dryRun  bool
}

func newImport(a *app) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import DIR",
		Short: "Bring in the snapshots of the original AtoCore backup",
		Long: `Make a snapshot of every snapshots/<stamp>/ folder of the original tool (python -m
atocore.ops.backup): of the same moment, in every target, tagged imported. DIR is the
folder snapshots or the folder that holds it.

A folder is copied to staging and checked in full there. One that the original's own
validate would refuse is reported with the original's error and left out, and so is one
with a -wal or journal beside a database: somebody has opened it since. Nothing in DIR is
changed, and no link is followed out of it.

Stamps that a target holds already are passed over: run it again to go on after an
interruption, or to bring in what is new. A snapshot that was deleted from the target
since is imported again. The parts of a folder go to the components of the configuration:
by the name of the live store, or to the only component of that kind.

Exit codes:
  0   every target holds every stamp
  3   a folder was left out, a target failed, or a check could not run
  4   a check found damage that the original did not look for: the snapshot is kept as suspect
  6   there is nothing to import in DIR`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.importTree(cmd.Context(), f, args[0]) },
	}
	cmd.Flags().StringArrayVar(&f.targets, "target", nil, "only to this `target`; may be given again for more (default: all)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "read and check everything, and tell what would be imported; put nothing")
	return cmd
}

func (a *app) importTree(ctx context.Context, f importFlags, dir string) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if conflicts := c.Apart(resolve); len(conflicts) > 0 {
		return &failure{code: exitConfig, id: "paths_overlap", err: conflicts[0], hint: "keep them apart"}
	}
	tree, err := importer.Find(dir)
	if errors.Is(err, importer.ErrNoTree) {
		return &failure{code: exitNoMatch, id: "no_snapshot", err: err, hint: "DIR is the original's folder snapshots, or the one that holds it"}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	o := importer.Options{
		Tree: tree, Set: c.Set, Tool: "holdfast " + toolVersion(), Rand: rand.Reader, Now: a.now, DryRun: f.dryRun,
	}
	for _, comp := range c.Components {
		o.Components = append(o.Components, kinds.Config{Name: comp.Name, Kind: manifest.Kind(comp.Kind), Path: comp.Path, Format: comp.Format})
	}
	if o.Host, err = os.Hostname(); err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	if o.State, err = state.Open(c.StateDir); err != nil {
		return err
	}
	lock, err := o.State.Lock(c.Set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	staging, remove, err := scratch(c.StagingDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	o.Staging = staging

	stores, failed, done, err := openStores(ctx, c, f.targets)
	if err != nil {
		return err
	}
	defer done()
	o.Targets = stores
	var stop func()
	o.Progress, stop = a.progress()
	got, err := importer.Run(ctx, o)
	stop()
	if err != nil {
		return err
	}
	r := importReport{Set: c.Set, DryRun: f.dryRun, Dir: got.Dir, Snapshots: []importSnapshot{}, Unparseable: append([]string{}, got.Unparseable...)}
	for _, u := range failed {
		r.Targets = append(r.Targets, importTarget{Target: u.name, Error: a.targetError(ctx, u.err)})
	}
	a.fillImport(ctx, &r, got)
	return a.finish(r)
}
