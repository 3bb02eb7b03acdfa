package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/diff"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// diffReport is the summary of `holdfast diff`.
type diffReport struct {
	head
	A          diffSide        `json:"a"`
	B          diffSide        `json:"b"`
	Components []diffComponent `json:"components"`
}

type diffSide struct {
	Target     string            `json:"target"`
	ID         manifest.ID       `json:"id"`
	CapturedAt time.Time         `json:"captured_at"`
	Grade      manifest.Grade    `json:"grade"`
	Reasons    []manifest.Reason `json:"reasons"`
}

type diffComponent struct {
	Name        string        `json:"name"`
	Kind        manifest.Kind `json:"kind"` // in b, or in a when b lacks it
	Change      diff.Change   `json:"change"`
	SizeA       int64         `json:"size_a"` // bytes; 0 when it is not there
	SizeB       int64         `json:"size_b"`
	OnlyA       int64         `json:"only_a"` // bytes of chunks that only a's has, before compression
	OnlyB       int64         `json:"only_b"`
	Tables      []diffCount   `json:"tables"`      // whose number of rows changed
	Collections []diffCount   `json:"collections"` // whose number of vectors changed
	Entries     *diffEntries  `json:"entries"`     // of a JSON file that changed, else null
	Error       *targetError  `json:"error,omitempty"`
}

type diffCount struct {
	Name   string      `json:"name"`
	ID     string      `json:"id,omitempty"` // of a collection
	Change diff.Change `json:"change"`
	A      int64       `json:"a"`
	B      int64       `json:"b"`
}

type diffEntries struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Changed []string `json:"changed"`
}

func newDiff(a *app) *cobra.Command {
	var p placeFlags
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Tell what changed from snapshot A to snapshot B",
		Long: `Tell what changed from snapshot A to snapshot B: tables and their rows, collections and
their vectors, entries of the registry, bytes. A and B are ids, beginnings of ids, or
latest; each is looked for in one target after the other, so that they may lie in
different ones. ONLY A and ONLY B are the bytes of database pages and other chunks that
the other snapshot does not have, before compression.

Rows and vectors are counted, not compared: a table that is not listed may have changed.

Exit codes:
  0   both could be read, whether or not anything changed
  4   one of them is damaged; what is known all the same is shown
  6   one of them does not exist`,
		Args: exactly("A", "B"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), p, args[0], args[1]) },
	}
	p.bind(cmd.Flags())
	return cmd
}

func (a *app) diff(ctx context.Context, p placeFlags, refA, refB string) (err error) {
	places, c, err := a.places(p)
	if err != nil {
		return err
	}
	var sides [2]*found
	for i, ref := range []string{refA, refB} {
		if sides[i], err = a.find(ctx, places, ref, p.ask(nil, c)); err != nil {
			return err
		}
		defer sides[i].close()
	}
	dir, remove, err := scratchFor(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	components, err := diff.Run(ctx, diff.Side{Repository: sides[0].Repository, Manifest: sides[0].manifest},
		diff.Side{Repository: sides[1].Repository, Manifest: sides[1].manifest}, dir)
	if err != nil {
		return source.Scratch(err, dir, 0)
	}
	r := diffReport{head: summary("diff", exitOK), A: sideOf(sides[0]), B: sideOf(sides[1]), Components: []diffComponent{}}
	for _, c := range components {
		d := diffOf(c)
		if d.Error = a.targetError(ctx, source.Scratch(c.Err, dir, 0)); d.Error != nil {
			r.Code = max(r.Code, d.Error.Code)
		}
		r.Components = append(r.Components, d)
	}
	return a.finish(r)
}

func sideOf(f *found) diffSide {
	m := f.manifest
	return diffSide{Target: f.name, ID: m.ID, CapturedAt: m.CapturedAt, Grade: m.Grade, Reasons: append([]manifest.Reason{}, m.Reasons...)}
}

func diffOf(c diff.Component) diffComponent {
	d := diffComponent{
		Name: c.Name, Change: c.Change, OnlyA: c.OnlyA, OnlyB: c.OnlyB,
		Tables: diffCounts(c.Tables), Collections: diffCounts(c.Collections),
	}
	if c.A != nil {
		d.Kind, d.SizeA = c.A.Kind, c.A.Size
	}
	if c.B != nil {
		d.Kind, d.SizeB = c.B.Kind, c.B.Size
	}
	if e := c.Entries; e != nil {
		d.Entries = &diffEntries{e.Added, e.Removed, e.Changed}
	}
	return d
}

func diffCounts(counts []diff.Count) []diffCount {
	out := []diffCount{}
	for _, c := range counts {
		out = append(out, diffCount{c.Name, c.ID, c.Change, c.A, c.B})
	}
	return out
}

func (r diffReport) text(a *app, w io.Writer) error {
	for i, s := range []diffSide{r.A, r.B} {
		say(w, "%c  %s in target %s, captured %s: %s\n", 'A'+i, s.ID, s.Target, local(s.CapturedAt), a.paint(gradeColour(string(s.Grade)), string(s.Grade)))
		for _, reason := range s.Reasons {
			say(w, "     %s%s (%s)\n", prefixed(reason.Component), reason.Message, reason.ID)
		}
	}
	t := &table{header: []string{"COMPONENT", "CHANGE", "SIZE A", "SIZE B", "ONLY A", "ONLY B"}, right: []bool{2: true, 3: true, 4: true, 5: true}}
	for _, c := range r.Components {
		sizeA, sizeB, onlyA, onlyB := size(c.SizeA), size(c.SizeB), size(c.OnlyA), size(c.OnlyB)
		if c.Error != nil {
			onlyA, onlyB = "-", "-"
		}
		switch c.Change {
		case diff.Added:
			sizeA, onlyA = "-", "-"
		case diff.Removed:
			sizeB, onlyB = "-", "-"
		}
		t.add(c.Name, string(c.Change), sizeA, sizeB, onlyA, onlyB)
	}
	if err := t.write(w, a.width()); err != nil {
		return err
	}
	for _, c := range r.Components {
		c.lines(func(format string, args ...any) { say(w, "%s: "+format+"\n", append([]any{c.Name}, args...)...) })
		if c.Error != nil {
			say(w, "%s: %s %s\n", c.Name, a.paint(red, "not compared:"), c.Error.Message)
		}
	}
	return nil
}

// lines says what changed in a component.
func (c diffComponent) lines(line func(format string, args ...any)) {
	counts := func(what, of string, list []diffCount) {
		for _, n := range list {
			switch {
			case n.Change == diff.Added:
				line("%s %s is new, with %d %s", what, n.Name, n.B, of)
			case n.Change == diff.Removed:
				line("%s %s is gone, with %d %s", what, n.Name, n.A, of)
			case n.A == n.B:
				line("%s %s is renamed", what, n.Name)
			default:
				line("%s %s: %d -> %d %s (%+d)", what, n.Name, n.A, n.B, of, n.B-n.A)
			}
		}
	}
	counts("table", "rows", c.Tables)
	counts("collection", "vectors", c.Collections)
	if c.Entries == nil {
		return
	}
	told := false
	for _, e := range []struct {
		what  string
		names []string
	}{{"new", c.Entries.Added}, {"gone", c.Entries.Removed}, {"changed", c.Entries.Changed}} {
		if len(e.names) > 0 {
			line("%s %s: %s", counted(int64(len(e.names)), "entry", "entries"), e.what, strings.Join(e.names, ", "))
			told = true
		}
	}
	if !told {
		line("%s", "the same entries, written in another way")
	}
}
