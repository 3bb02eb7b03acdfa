package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

func newPin(a *app) *cobra.Command {
	var targets []string
	var reason, until string
	cmd := &cobra.Command{
		Use:   "pin ID",
		Short: "Hold a snapshot: no cleanup deletes it",
		Long: `Hold a snapshot until holdfast unpin, or until the moment that --until gives. One that is marked
as expired is refused with exit code 7: see holdfast undelete.

` + idsHelp,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			note := manifest.Note{Reason: reason}
			if reason != manifest.ClipText(reason) {
				return usage(errors.New("--reason: at most 500 bytes, on one line"))
			}
			if until != "" {
				end, err := parseUntil(until, a.now())
				if err != nil {
					return usage(fmt.Errorf("--until: %w", err))
				}
				note.Until = &end
			}
			pin := func(ctx context.Context, o cleanup.Options, ids []manifest.ID) ([]holdSnapshot, error) {
				return pin(ctx, o, ids, note)
			}
			return a.hold(cmd.Context(), holdVerb{"pin", pin}, targets, args)
		},
	}
	bindTargets(cmd, &targets)
	cmd.Flags().StringVar(&reason, "reason", "", "`why`, for people")
	cmd.Flags().StringVar(&until, "until", "", "the `day` or moment at which the hold ends, as 2027-01-31 (UTC) or 2027-01-31T18:00:00+01:00")
	return cmd
}

// parseUntil reads a day, which ends the hold at its end in UTC, or a moment; it must lie ahead.
func parseUntil(s string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.DateOnly, s)
	if err == nil {
		at = at.AddDate(0, 0, 1)
	} else if at, err = time.Parse(time.RFC3339, s); err != nil {
		return at, fmt.Errorf("%q is neither a day such as 2027-01-31 nor a moment such as 2027-01-31T18:00:00Z", s)
	}
	if !at.After(now) {
		return at, fmt.Errorf("%s does not lie ahead", s)
	}
	return at.UTC(), nil
}

func pin(ctx context.Context, o cleanup.Options, ids []manifest.ID, note manifest.Note) (out []holdSnapshot, _ error) {
	note.At, note.Host, note.Tool = o.Now().UTC(), o.Host, o.Tool
	for _, id := range ids {
		if _, err := o.Repository.Pin(ctx, o.Set, id, note, o.Rand); err != nil {
			return out, err
		}
		out = append(out, holdSnapshot{id, holdPinned})
	}
	return out, nil
}

// pinCreated holds the snapshots that a create has committed. Where that fails the target has failed,
// although the snapshot is there.
func pinCreated(ctx context.Context, o backup.Options, r *backup.Report) {
	for i := range r.Targets {
		t := &r.Targets[i]
		at := slices.IndexFunc(o.Targets, func(s *target.Store) bool { return s.Name() == t.Name })
		if t.Manifest == nil || at < 0 {
			continue
		}
		repo := &repository.Repository{Store: o.Targets[at], ID: t.Manifest.Repository}
		note := manifest.Note{At: o.Now().UTC(), Host: o.Host, Tool: o.Tool, Reason: "create --pin"}
		if _, err := repo.Pin(ctx, t.Manifest.Set, t.Manifest.ID, note, o.Rand); err != nil {
			t.Err = fmt.Errorf("snapshot %s is there, but could not be pinned: %w", t.Manifest.ID, err)
		}
	}
}
