package main

import (
	"context"
	"io"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/replicate"
)

// copyReport is the summary of `holdfast copy`.
type copyReport struct {
	head
	From      string         `json:"from"` // a target, or a URL
	To        string         `json:"to"`
	Set       string         `json:"set"`
	DryRun    bool           `json:"dry_run"` // nothing was put: what is called copied would have been
	Snapshots []copySnapshot `json:"snapshots"`
	Sent      int64          `json:"sent"` // bytes
	Notes     []string       `json:"notes"`
	Error     *targetError   `json:"error,omitempty"` // what ended the run before it was through
}

// copySnapshot is one snapshot of the source, oldest first.
type copySnapshot struct {
	ID      manifest.ID       `json:"id"`
	Result  replicate.Outcome `json:"result"`
	As      manifest.ID       `json:"as,omitempty"`    // in the destination; absent when it is not there, and on a dry run
	Grade   manifest.Grade    `json:"grade,omitempty"` // absent when the manifest is damaged
	Sent    int64             `json:"sent"`            // bytes
	Shared  int64             `json:"shared"`          // bytes of objects that the destination held
	Resumed bool              `json:"resumed"`         // it went on where an interrupted copy had stopped
	Note    string            `json:"note,omitempty"`
	Error   *targetError      `json:"error,omitempty"` // why it was not copied
}

// copied turns what a run reports into the summary. named says that the snapshots were asked for one by one.
func (a *app) copied(ctx context.Context, f copyFlags, from, to place, done *replicate.Report, ended error, named bool) copyReport {
	r := copyReport{
		From: from.name, To: to.name, Set: from.set, DryRun: f.dryRun, Snapshots: []copySnapshot{},
		Notes: append([]string{}, done.Notes...), Error: a.targetError(ctx, ended),
	}
	damaged, left := false, ended != nil
	for _, s := range done.Snapshots {
		c := copySnapshot{ID: s.ID, Result: s.Outcome, As: s.As, Grade: s.Grade, Sent: s.Sent, Shared: s.Shared, Resumed: s.Resumed, Note: s.Note}
		err := s.Err
		switch s.Outcome {
		case replicate.Copied:
			if f.dryRun {
				c.As = "" // it would be drawn again
			}
		case replicate.Gone, replicate.Expiring:
			err = &failure{code: exitNoMatch, id: "snapshot_" + string(s.Outcome), err: err}
			left = left || named
		case replicate.Damaged, replicate.Failed:
			left = true
		}
		c.Error = a.targetError(ctx, err)
		damaged = damaged || s.Outcome == replicate.Damaged
		r.Sent += s.Sent
		r.Snapshots = append(r.Snapshots, c)
	}
	code := exitOK
	switch {
	case damaged:
		code = exitDamage
	case left:
		code = exitIncomplete
	}
	r.head = summary("copy", code)
	return r
}

func (r copyReport) text(a *app, w io.Writer) error {
	if a.quiet && r.Code == exitOK {
		return nil
	}
	t := &table{header: []string{"SNAPSHOT", "COPIED AS", "GRADE", "SENT", "SHARED"}, right: []bool{3: true, 4: true}}
	counts := map[replicate.Outcome]int{}
	for _, s := range r.Snapshots {
		if counts[s.Result]++; s.Result != replicate.Copied {
			continue
		}
		as := string(s.As)
		if s.Resumed {
			as += " (resumed)"
		}
		t.add(string(s.ID), as, string(s.Grade), size(s.Sent), size(s.Shared))
	}
	if len(t.rows) > 0 {
		if err := t.write(w, a.width()); err != nil {
			return err
		}
	}
	for _, s := range r.Snapshots {
		if s.Error != nil {
			say(w, "snapshot %s: %s %s\n", s.ID, a.paint(red, string(s.Result)+":"), s.Error.Message)
		}
		if s.Note != "" {
			say(w, "snapshot %s: note: %s\n", s.ID, s.Note)
		}
	}
	for _, n := range r.Notes {
		say(w, "note: %s\n", n)
	}
	if r.Error != nil {
		say(w, "%s %s\n", a.paint(red, "ended early:"), r.Error.Message)
	}
	done := "copied"
	if r.DryRun {
		done = "would be copied"
	}
	_, err := say(w, "%s %s from %s to %s, %s; %d there already\n",
		count(counts[replicate.Copied], "snapshot"), done, r.From, r.To, size(r.Sent), counts[replicate.Present])
	return err
}
