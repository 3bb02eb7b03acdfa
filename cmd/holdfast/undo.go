package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/restore/swap"
)

// exchangeReport is the summary of `holdfast restore undo` and `holdfast recover`.
type exchangeReport struct {
	head
	Set    string          `json:"set"`
	Result string          `json:"result"`       // undone, redone, finished, taken_back or nothing
	ID     string          `json:"id,omitempty"` // the snapshot whose restore it is about
	Undo   bool            `json:"undo"`         // what was ended is an undo of that restore
	Stores []exchangeStore `json:"stores"`
	Stray  []string        `json:"stray"` // directories with what was live and of neither generation; nothing removes them
	Blind  string          `json:"blind,omitempty"`
	Told   string          `json:"told"` // the same for people
}

type exchangeStore struct {
	Name string        `json:"name"`
	Kind manifest.Kind `json:"kind"`
	Path string        `json:"path"`           // absolute
	Kept string        `json:"kept,omitempty"` // where what it replaced is
}

func newExchangeReport(verb, set string, r *restore.Return) *exchangeReport {
	out := &exchangeReport{head: summary(verb, exitOK), Set: set, Result: "nothing", Stores: []exchangeStore{}, Stray: []string{}}
	if r == nil {
		return out
	}
	out.ID, out.Undo, out.Blind, out.Stray = r.Label, r.Undo, r.Blind, append(out.Stray, r.Stray...)
	for _, it := range r.Items {
		out.Stores = append(out.Stores, exchangeStore{it.Name, it.Kind, it.Live, it.Kept})
	}
	return out
}

func newUndo(a *app) *cobra.Command {
	var stopped bool
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Put back what the last restore in place replaced",
		Long: `Put back what the last restore in place replaced: the very files, with a database's -wal and
-journal. What is live now is kept, so a second undo puts it back again. When a restore or an undo was killed, that is ended
first: what a restore that is taken back had replaced is live again, and nothing more is undone;
and an undo that could be finished is not undone either.

Stop the service first and say so with --confirm-service-stopped; undo looks for itself, too.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !stopped {
				return notConfirmed("undo", "what it would put back is kept meanwhile")
			}
			return a.undo(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&stopped, "confirm-service-stopped", false, "the service is stopped: replace its stores")
	return cmd
}

func (a *app) undo(ctx context.Context) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	ended, unlock, err := a.begin(ctx, c, "undo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if ended != nil && ended.Back == (ended.Live == swap.New) { // that was the undo
		out := newExchangeReport("undo", c.Set, ended)
		if out.Result, out.Told = "taken_back", recovered(ended); ended.Back {
			out.Result, _ = undone(ended)
		}
		return a.finish(out)
	}
	if ended != nil {
		a.warn(errors.New(recovered(ended)))
	}
	r, err := restore.Undo(ctx, swap.UndoOptions{Dir: journalDir(c), Hooks: a.hooks})
	if err != nil {
		return err
	}
	out := newExchangeReport("undo", c.Set, r)
	out.Result, out.Told = undone(r)
	return a.finish(out)
}

// undone says what an undo has put back.
func undone(r *restore.Return) (result, told string) {
	if r.Undo {
		return "undone", fmt.Sprintf("the restore of snapshot %s is undone: what it had replaced is live again", r.Label)
	}
	return "redone", fmt.Sprintf("the undo of the restore of snapshot %s is undone: what that restore put there is live again", r.Label)
}

func (r *exchangeReport) text(a *app, w io.Writer) error {
	if r.Blind != "" {
		a.warn(fmt.Errorf("whether the service is stopped could not be seen in full: %s", r.Blind))
	}
	if a.quiet {
		return nil
	}
	_, err := say(w, "%s\n", r.Told)
	for _, s := range r.Stores {
		if s.Kept != "" {
			_, err = say(w, "%s: %s; what it replaced: %s\n", s.Name, s.Path, s.Kept)
		}
	}
	for _, dir := range r.Stray {
		_, err = say(w, "put aside, and yours to keep or remove: %s\n", dir)
	}
	return err
}
