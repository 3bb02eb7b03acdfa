package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
)

func newUnpin(a *app) *cobra.Command {
	var targets []string
	cmd := &cobra.Command{
		Use:   "unpin ID",
		Short: "End every hold on a snapshot",
		Long: `Remove all pins of a snapshot, that of holdfast undelete included. From then on the retention
policy decides again.

` + idsHelp,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.hold(cmd.Context(), holdVerb{"unpin", unpin}, targets, args)
		},
	}
	bindTargets(cmd, &targets)
	return cmd
}

func unpin(ctx context.Context, o cleanup.Options, ids []manifest.ID) (out []holdSnapshot, _ error) {
	for _, id := range ids {
		n, err := o.Repository.Unpin(ctx, o.Set, id)
		if err != nil {
			return out, err
		}
		out = append(out, holdSnapshot{id, changed(n > 0, holdUnpinned)})
	}
	return out, nil
}
