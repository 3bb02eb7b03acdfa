package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/retention"
)

// cleanupReport is the summary of `holdfast cleanup`.
type cleanupReport struct {
	head
	Set     string          `json:"set"`
	DryRun  bool            `json:"dry_run"`
	Plan    string          `json:"plan,omitempty"` // the file that was written
	Targets []cleanupTarget `json:"targets"`
}

type cleanupTarget struct {
	Target      string             `json:"target"`
	Repository  string             `json:"repository,omitempty"` // absent when the target could not be opened
	Policy      string             `json:"policy"`               // in words
	Kept        []manifest.ID      `json:"kept"`
	WouldDelete *[]manifest.ID     `json:"would_delete,omitempty"` // in a dry run: all that are given up
	Deleted     *[]manifest.ID     `json:"deleted,omitempty"`      // else: those that are gone
	Snapshots   []cleanupSnapshot  `json:"snapshots"`              // oldest first
	WaitingFor  []manifest.ID      `json:"waiting_for"`            // creates in progress, after which the next cleanup goes on
	Objects     int                `json:"objects"`                // deleted from archives; in a dry run those that would be
	Bytes       int64              `json:"bytes"`                  // their size
	Revoked     []manifest.ID      `json:"revoked"`                // creates that were given up for dead
	Missing     []string           `json:"missing"`                // keys that a snapshot needs and that are not there
	Unparseable []string           `json:"unparseable"`            // keys that are not holdfast's; left alone
	Notes       []string           `json:"notes"`
	Errors      []string           `json:"errors"`
	Simulation  *cleanupSimulation `json:"simulation,omitempty"`
	Refused     *targetError       `json:"refused,omitempty"` // in a dry run: the rule that would stand in the way
	Error       *targetError       `json:"error,omitempty"`
}

type cleanupSnapshot struct {
	ID         manifest.ID        `json:"id"`
	CapturedAt time.Time          `json:"captured_at"`
	Grade      manifest.Grade     `json:"grade"`
	Keep       bool               `json:"keep"` // what the policy says
	Held       bool               `json:"held"` // by a pin
	Marked     bool               `json:"marked"`
	Fate       cleanup.Fate       `json:"fate"`
	Due        *time.Time         `json:"due,omitempty"` // while its mark can be taken back: until when, by the target's clock
	Reasons    []retention.Reason `json:"reasons"`
}

type cleanupSimulation struct {
	Streams []cleanupStream   `json:"streams"` // what is expected to come
	Months  []retention.Month `json:"months"`
}

type cleanupStream struct {
	Components   []string  `json:"components"`
	EverySeconds int64     `json:"every_seconds"`
	Last         time.Time `json:"last"`
}

func newCleanupTarget(name string, confirm bool) cleanupTarget {
	t := cleanupTarget{
		Target: name, Kept: []manifest.ID{}, Snapshots: []cleanupSnapshot{}, WaitingFor: []manifest.ID{}, Revoked: []manifest.ID{},
		Missing: []string{}, Unparseable: []string{}, Notes: []string{}, Errors: []string{},
	}
	if confirm {
		t.Deleted = &[]manifest.ID{}
	} else {
		t.WouldDelete = &[]manifest.ID{}
	}
	return t
}

// fill takes over what a run reports.
func (t *cleanupTarget) fill(r *cleanup.Report) {
	for _, s := range r.Snapshots {
		cs := cleanupSnapshot{
			ID: s.ID, CapturedAt: s.CapturedAt, Grade: s.Grade, Keep: s.Keep, Held: s.Held, Marked: s.Marked(), Fate: s.Fate,
			Reasons: append([]retention.Reason{}, s.Reasons...),
		}
		if !s.Due.IsZero() && (s.Fate == cleanup.FateMarked || s.Fate == cleanup.FateWaiting) {
			cs.Due = &s.Due
		}
		t.Snapshots = append(t.Snapshots, cs)
		switch {
		case s.Fate == cleanup.FateKept:
			t.Kept = append(t.Kept, s.ID)
		case r.DryRun:
			*t.WouldDelete = append(*t.WouldDelete, s.ID)
		case s.Fate == cleanup.FateDeleted:
			*t.Deleted = append(*t.Deleted, s.ID)
		}
	}
	t.WaitingFor = append(t.WaitingFor, r.Waiting...)
	t.Objects, t.Bytes = r.Objects, r.Bytes
	t.Revoked = append(t.Revoked, r.Revoked...)
	t.Missing = append(t.Missing, r.Missing...)
	t.Unparseable = append(t.Unparseable, r.Foreign...)
	t.Notes = append(t.Notes, r.Notes...)
}

// verdict is the exit code of a run in which some target did its part.
func (r cleanupReport) verdict() exitCode {
	code := exitOK
	for _, t := range r.Targets {
		switch {
		case len(t.Missing) > 0, t.Error != nil && t.Error.Code == exitDamage:
			return exitDamage
		case t.Error != nil:
			code = exitIncomplete
		case t.Refused != nil && code == exitOK:
			code = exitRefused
		}
	}
	return code
}

func (r cleanupReport) text(a *app, w io.Writer) error {
	if a.quiet && r.Code == exitOK {
		return nil
	}
	for i, t := range r.Targets {
		if i > 0 {
			fmt.Fprintln(w)
		}
		say(w, "target %s, set %s: %s\n", t.Target, r.Set, t.Policy)
		if t.Error != nil {
			say(w, "  %s %s\n", a.paint(red, "failed:"), t.Error.Message)
		}
		if err := t.table(a).write(w, a.width()); err != nil {
			return err
		}
		t.summary(a, w, r.DryRun)
		if t.Simulation != nil {
			if err := t.Simulation.text(a, w); err != nil {
				return err
			}
		}
	}
	if r.Plan != "" {
		say(w, "\nthe plan is in %s; holdfast cleanup --apply %s does it\n", r.Plan, r.Plan)
	} else if r.DryRun {
		say(w, "\na dry run: nothing was changed; --confirm does it\n")
	}
	return nil
}

func (t cleanupTarget) table(a *app) *table {
	out := &table{
		header: []string{"ID", "CAPTURED", "GRADE", "FATE", "REASONS"},
		paint: func(column int, cell string) painted {
			switch {
			case column == 2:
				return a.paint(gradeColour(strings.TrimSpace(cell)), cell)
			case column == 3 && strings.TrimSpace(cell) != string(cleanup.FateKept):
				return a.paint(yellow, cell)
			}
			return painted(cell)
		},
	}
	for _, s := range t.Snapshots {
		var why []string
		for _, r := range s.Reasons {
			why = append(why, r.Text)
		}
		if s.Held && !slices.ContainsFunc(s.Reasons, func(r retention.Reason) bool { return r.ID == "pinned" }) {
			why = append(why, "pinned")
		}
		if s.Marked && s.Keep {
			why = append(why, "marked as expired by another run, and kept here")
		}
		if s.Due != nil {
			why = append(why, "can be undeleted until "+local(*s.Due))
		}
		out.add(string(s.ID), local(s.CapturedAt), string(s.Grade), string(s.Fate), strings.Join(why, "; "))
	}
	return out
}

// summary says in words what the table does not.
func (t cleanupTarget) summary(a *app, w io.Writer, dryRun bool) {
	n := map[cleanup.Fate]int{}
	for _, s := range t.Snapshots {
		n[s.Fate]++
	}
	would := ""
	if dryRun {
		would = "would be "
	}
	say(w, "  %d kept; %s%d marked, %d deleted; %d waiting for their grace to end; %s of archives %sdeleted, %s\n", n[cleanup.FateKept], would,
		n[cleanup.FateMarked], n[cleanup.FateDeleted], n[cleanup.FateWaiting]+n[cleanup.FateExpired], count(t.Objects, "object"), would, size(t.Bytes))
	for _, id := range t.WaitingFor {
		say(w, "  waiting for %s, a create in progress: run cleanup again when it is done, or a day after it began\n", id)
	}
	if t.Refused != nil {
		say(w, "  %s %s\n", a.paint(red, "would be refused:"), t.Refused.Message)
	}
	for _, key := range t.Missing {
		say(w, "  %s %s\n", a.paint(red, "missing:"), key)
	}
	if len(t.Unparseable) > 0 {
		say(w, "  %s not holdfast's, left alone: %s\n", count(len(t.Unparseable), "object"), strings.Join(t.Unparseable[:min(3, len(t.Unparseable))], ", "))
	}
	for _, note := range t.Notes {
		say(w, "  note: %s\n", note)
	}
}

func (s *cleanupSimulation) text(a *app, w io.Writer) error {
	for _, st := range s.Streams {
		say(w, "  expected: %s every %s\n", strings.Join(st.Components, " "), time.Duration(st.EverySeconds)*time.Second)
	}
	t := &table{header: []string{"MONTH", "TAKEN", "KEPT", "OLDEST"}, right: []bool{1: true, 2: true}}
	for _, m := range s.Months {
		t.add(m.Month, fmt.Sprint(m.Taken), fmt.Sprint(m.Kept), local(m.Oldest))
	}
	return t.write(w, a.width())
}
