package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

func newForget(a *app) *cobra.Command {
	var targets []string
	cmd := &cobra.Command{
		Use:   "forget ID...",
		Short: "Give snapshots up by name",
		Long: `Mark snapshots as expired. They can be taken back with holdfast undelete for seven days; the
first holdfast cleanup on this host after that deletes them, whatever the retention policy says.
The last good snapshot in a target, and pinned ones, are refused, and then nothing is done there.

` + idsHelp,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("forget: ID is missing"))
			}
			return a.hold(cmd.Context(), holdVerb{"forget", forget}, targets, args)
		},
	}
	bindTargets(cmd, &targets)
	return cmd
}

func forget(ctx context.Context, o cleanup.Options, ids []manifest.ID) ([]holdSnapshot, error) {
	pins, err := o.Repository.Pins(ctx, o.Set)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if pins.Held(id, o.Now()) {
			return nil, &failure{
				code: exitRefused, id: "snapshot_pinned", hint: "see holdfast unpin",
				err: fmt.Errorf("target %s: snapshot %s is pinned", o.Repository.Store.Name(), id),
			}
		}
	}
	done, err := cleanup.Forget(ctx, o, ids)
	var out []holdSnapshot
	for _, e := range done {
		result := holdNoMark
		switch {
		case e.N > 0:
			result = holdMarked
		case e.Standing == repository.Expired:
			result = holdSwept
		case e.Standing != repository.Usable:
			result = holdAlready
		}
		out = append(out, holdSnapshot{e.ID, result})
	}
	return out, err
}
