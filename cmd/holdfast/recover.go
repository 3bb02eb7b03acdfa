package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/restore/swap"
	"github.com/atocore/holdfast/core/state"
)

func newRecover(a *app) *cobra.Command {
	var take string
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "End a restore that was killed",
		Long: `End a restore in place, or an undo, that was killed: everything is new if all that was to be
restored is there, and else everything is as it was. With nothing to end it does nothing, so
it can stand before every start of the service. The + runs it as root, who may have begun it:

  ExecStartPre=+/usr/local/bin/holdfast -c /etc/holdfast/holdfast.yaml recover

When the service ran in between, there are live files that holdfast did not put there. Then
nothing is touched, and it is for you to choose with --take; what was live is put aside.

A create refuses stores that are half replaced, and doctor tells of them.

Exit codes:
  0   ended, or there was nothing to end
  7   the service is not stopped, or it ran in between: choose with --take old or --take new`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch swap.Generation(take) {
			case "", swap.Old, swap.New:
			default:
				return usage(fmt.Errorf("--take %q: want old or new", take))
			}
			return a.recover(cmd.Context(), swap.Generation(take))
		},
	}
	cmd.Flags().StringVar(&take, "take", "", "after the service ran: the `generation` that shall be live, old (as before the restore)\nor new (as restored)")
	return cmd
}

func (a *app) recover(ctx context.Context, take swap.Generation) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	j, err := swap.Look(journalDir(c))
	if err != nil {
		return err
	}
	if !j.Unfinished() && len(j.Discard) == 0 { // before every start of the service: a create that runs must not keep it from that
		out := newExchangeReport("recover", c.Set, nil)
		out.Told = "nothing to recover"
		return a.finish(out)
	}
	dir, err := state.Open(c.StateDir)
	if err != nil {
		return err
	}
	lock, err := dir.Lock(c.Set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	r, err := restore.Recover(ctx, swap.RecoverOptions{Dir: journalDir(c), Take: take, Hooks: a.hooks})
	if errors.Is(err, swap.ErrNothingToRecover) { // it was ended meanwhile
		r, err = nil, nil
	}
	if err != nil {
		return err
	}
	out := newExchangeReport("recover", c.Set, r)
	out.Told = "nothing to recover"
	if r != nil {
		out.Result, out.Told = "finished", recovered(r)
		if r.Live == swap.Old {
			out.Result = "taken_back"
		}
	}
	return a.finish(out)
}

// recovered says how what was killed has ended.
func recovered(r *restore.Return) string {
	what := "the restore of snapshot " + r.Label
	if r.Undo {
		what = "the undo of " + what
	}
	switch {
	case r.Began == swap.Staging:
		return what + " was killed before it replaced anything: what it had staged is removed"
	case r.Live == swap.New:
		return what + " was killed, and is finished now"
	}
	return what + " was killed, and is taken back: everything is as before it"
}

// restores looks for a restore in place that was killed; without one there is nothing to say.
func (d *doctor) restores(ctx context.Context) {
	if err := unfinished(journalDir(d.config), "the live stores are half replaced"); err != nil {
		d.fail("restore", classify(ctx, err))
	}
}

// unfinished refuses to read stores that are half replaced.
func unfinished(journal, what string) error {
	j, err := swap.Look(journal)
	if err != nil {
		return err
	}
	if j.Phase == swap.Swapping || j.Phase == swap.Returning {
		return &failure{
			code: exitRefused, id: "restore_unfinished",
			err:  fmt.Errorf("%s: a restore of snapshot %s was killed while it replaced the live stores", what, j.Label),
			hint: "run holdfast recover",
		}
	}
	return nil
}
