package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/replicate"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/state"
)

type copyFlags struct {
	from, to, set string
	all, dryRun   bool
}

func newCopy(a *app) *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "copy --from TARGET|URL --to TARGET [ID|latest]...",
		Short: "Copy snapshots from one target to another",
		Long: `Copy snapshots from one target to another, oldest first: those that are named, or all that
the destination lacks. Every object is verified by its hash on the way, and only what the
destination does not hold is sent. A copy has the moment, the grade and the tags of its
snapshot, and an id of its own with the same stamp.

A snapshot is there already when the destination has a copy of it, has what it is a copy of,
or got it from the same create. One that is marked as expired in the source stays behind; one
whose objects are damaged is reported, and the others are copied. What the retention of
the destination gave up is copied again while the source has it: name what to copy, or give
both the same retention.

A copy that was interrupted is taken up by running it again within 12 hours on the same
host, in the middle of a snapshot. Until then, for a day at most, a cleanup of the
destination waits for it. Creates and cleanups may run at the same time on both sides.

Exit codes:
  0   the destination has every snapshot that was to be copied
  3   some were not copied, or the run ended early
  4   objects in the source are damaged, and their snapshots were not copied
  6   the source has no such snapshot`,
		Args: func(_ *cobra.Command, args []string) error {
			if f.all && len(args) > 0 {
				return usage(errors.New("copy: IDs and --all exclude each other"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.copy(cmd.Context(), f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "the `source`: a target of the configuration, or a URL, as file:///backup/atocore (required)")
	flags.StringVar(&f.to, "to", "", "the destination: a `target` of the configuration (required)")
	flags.StringVar(&f.set, "set", "", "`name` of the set (default: that of the configuration)")
	flags.BoolVar(&f.all, "all", false, "all that the destination lacks, which is the default")
	flags.BoolVar(&f.dryRun, "dry-run", false, "tell what would be copied, and how many bytes; put nothing")
	return cmd
}

func (a *app) copy(ctx context.Context, f copyFlags, refs []string) (err error) {
	from, to, c, err := a.ends(f)
	if err != nil {
		return err
	}
	lock, err := a.lockCopy(c, to, f.dryRun)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock()) }()
	dir, remove, err := scratch(c.StagingDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	source, err := a.connectKnown(ctx, from)
	if err != nil {
		return err
	}
	defer source.close()
	destination, err := a.connectKnown(ctx, to)
	if err != nil {
		return err
	}
	defer destination.close() // every put was acknowledged by itself

	o := replicate.Options{
		From: source.Repository, To: destination.Repository, Set: from.set, Scratch: dir,
		Tool: "holdfast " + toolVersion(), Rand: rand.Reader, Resume: true, DryRun: f.dryRun, Now: a.now,
	}
	if o.Host, err = os.Hostname(); err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	if o.IDs, err = a.chooseCopied(ctx, source, placeFlags{set: f.set}.ask(nil, c), refs); err != nil {
		return err
	}
	var stop func()
	o.Progress, stop = a.progress()
	done, err := replicate.Run(ctx, o)
	stop()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, replicate.ErrSame):
		return &failure{code: exitRefused, id: "same_repository", err: err, hint: "name two targets that are not the same place"}
	case err != nil && done.Count(replicate.Copied) == 0:
		return err
	}
	return a.finish(a.copied(ctx, f, from, to, done, err, len(refs) > 0))
}

// ends resolves the flags, without touching any target.
func (a *app) ends(f copyFlags) (from, to place, c *config.Config, err error) {
	for _, e := range [][2]string{{"--from", f.from}, {"--to", f.to}} {
		if e[1] == "" {
			return from, to, nil, usage(fmt.Errorf("copy: %s is missing", e[0]))
		}
	}
	if strings.Contains(f.to, "://") {
		return from, to, nil, usage(errors.New("copy: --to wants a target of the configuration: only that says what is ours to write to"))
	}
	if f.from == f.to {
		return from, to, nil, usage(fmt.Errorf("copy: %s is source and destination at once", f.from))
	}
	all, c, err := a.places(placeFlags{targets: []string{f.to}, set: f.set})
	if err != nil {
		return from, to, nil, err
	}
	to = all[0]
	source := placeFlags{targets: []string{f.from}, set: to.set}
	if strings.Contains(f.from, "://") {
		source = placeFlags{from: f.from, set: to.set}
	}
	if all, _, err = a.places(source); err != nil {
		return from, to, nil, err
	}
	return all[0], to, c, nil
}

// lockCopy keeps other copies of the set to that target out: a run may take up what a dead one left, and must know
// that it is dead. Creates are not kept out: they need not wait for a long copy.
func (a *app) lockCopy(c *config.Config, to place, dryRun bool) (unlock func() error, err error) {
	if dryRun {
		return func() error { return nil }, nil
	}
	st, err := state.Open(c.StateDir)
	if err != nil {
		return nil, err
	}
	lock, err := st.Lock(to.set + ".copy." + to.name) // no set has a point in its name
	if err != nil {
		return nil, err
	}
	return lock.Unlock, nil
}

// chooseCopied returns the ids in the source that were asked for; none when all were.
func (a *app) chooseCopied(ctx context.Context, source *opened, ask repository.Ask, refs []string) (ids []manifest.ID, err error) {
	view, err := source.View(ctx, source.set)
	if err != nil {
		return nil, err
	}
	if len(view.IDs) == 0 {
		return nil, fmt.Errorf("%w: set %s in target %s is empty", repository.ErrNoSnapshot, source.set, source.name)
	}
	for _, ref := range refs {
		c, err := source.Find(ctx, view, ref, ask, a.now())
		if err != nil {
			return nil, err
		}
		ids = append(ids, c.ID)
	}
	return ids, nil
}
