package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
)

func newUndelete(a *app) *cobra.Command {
	var targets []string
	cmd := &cobra.Command{
		Use:   "undelete ID",
		Short: "Take back that a snapshot was given up, while its grace lasts",
		Long: `Take an expiry mark back and pin the snapshot, so that no cleanup gives it up again before
holdfast unpin. Once a cleanup has begun to delete it, nothing brings it back: exit code 7.

` + idsHelp,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.hold(cmd.Context(), holdVerb{"undelete", undelete}, targets, args)
		},
	}
	bindTargets(cmd, &targets)
	return cmd
}

func undelete(ctx context.Context, o cleanup.Options, ids []manifest.ID) (out []holdSnapshot, _ error) {
	for _, id := range ids {
		pinned, err := cleanup.Undelete(ctx, o, id)
		if err != nil {
			return out, err
		}
		out = append(out, holdSnapshot{id, changed(pinned, holdKept)})
	}
	return out, nil
}
