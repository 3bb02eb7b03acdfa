package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/manifest"
)

// showReport is the summary of `holdfast show`.
type showReport struct {
	head
	Target string    `json:"target"`
	Added  int64     `json:"added"` // bytes that it stored
	Needs  showNeeds `json:"needs"` // what restoring it reads
	standing
	Manifest *manifest.Manifest `json:"manifest"` // as it is stored
}

type showNeeds struct {
	Objects   int           `json:"objects"`
	Bytes     int64         `json:"bytes"`
	Snapshots []manifest.ID `json:"snapshots"` // whose archives hold the objects, newest first
	Missing   []string      `json:"missing"`   // keys that the listing does not show, shows with another size, or that are marked as damaged
	Staging   int64         `json:"staging"`   // bytes of all component streams
}

func newShow(a *app) *cobra.Command {
	var p placeFlags
	cmd := &cobra.Command{
		Use:   "show ID|latest",
		Short: "Show one snapshot: components, facts, checks, what it added, what restoring needs",
		Long: `Show one snapshot. ID is an id, any beginning of one that no other snapshot has, or
latest: the newest that is good and complete. It is looked for in one target after the
other; what is shown is what the first that has it says.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.show(cmd.Context(), p, args[0]) },
	}
	p.bind(cmd.Flags())
	return cmd
}

func (a *app) show(ctx context.Context, p placeFlags, ref string) error {
	places, c, err := a.places(p)
	if err != nil {
		return err
	}
	f, err := a.find(ctx, places, ref, p.ask(nil, c))
	if err != nil {
		return err
	}
	defer f.close()
	pins, err := f.Pins(ctx, f.set)
	if err != nil {
		return err
	}
	standing, err := a.standingOf(ctx, f.view, pins, f.manifest.ID)
	if err != nil {
		return err
	}
	return a.finish(showReport{
		head: summary("show", exitOK), Target: f.name, standing: standing, Manifest: f.manifest,
		Added: added(f.manifest, f.manifest.Components...), Needs: needs(f),
	})
}

func needs(f *found) showNeeds {
	n := showNeeds{Snapshots: []manifest.ID{}, Missing: []string{}}
	seen, from := map[string]bool{}, map[string]manifest.ID{}
	object := func(key string, size int64) {
		if seen[key] {
			return
		}
		seen[key] = true
		n.Objects++
		n.Bytes += size
		if !f.view.Whole(key, size) {
			n.Missing = append(n.Missing, key)
		}
		if k, err := manifest.ParseKey(key); err == nil {
			from[string(k.ID)] = k.ID
		}
	}
	for _, c := range f.manifest.Components {
		n.Staging += c.Size
		for _, o := range c.Index {
			object(o.Key, o.Size)
		}
		for _, v := range c.Volumes {
			object(v.Key, v.Size)
		}
	}
	for _, id := range sorted(from) {
		n.Snapshots = append([]manifest.ID{from[id]}, n.Snapshots...)
	}
	return n
}

func (r showReport) text(a *app, w io.Writer) error {
	m := r.Manifest
	say(w, "snapshot %s of set %s in target %s\n", m.ID, m.Set, r.Target)
	line := func(name, format string, args ...any) {
		say(w, "  %-9s "+format+"\n", append([]any{name}, args...)...)
	}
	line("captured", "%s (%s)", local(m.CapturedAt), m.CapturedAt.UTC().Format(time.RFC3339))
	line("by", "%s on %s", m.Tool, m.Host)
	line("grade", "%s", a.paint(gradeColour(string(m.Grade)), string(m.Grade)))
	for _, reason := range m.Reasons {
		line("", "%s%s (%s)", prefixed(reason.Component), reason.Message, reason.ID)
	}
	if m.Parent != "" {
		line("parent", "%s", m.Parent)
	}
	if m.Origin != nil {
		line("origin", "%s in repository %s", m.Origin.ID, m.Origin.Repository)
	}
	if len(m.Tags) > 0 {
		line("tags", "%s", strings.Join(m.Tags, ", "))
	}
	for _, word := range r.words() {
		line("held", "%s", word)
	}
	for _, p := range r.Pins {
		if p.Reason != "" {
			line("", "pinned by %s: %s", p.Host, p.Reason)
		}
	}
	line("added", "%s", size(r.Added))
	line("needs", "%s (%s) from %s, and %s to stage", count(r.Needs.Objects, "object"), size(r.Needs.Bytes), count(len(r.Needs.Snapshots), "snapshot"), size(r.Needs.Staging))
	for _, key := range r.Needs.Missing {
		line("", "%s %s: see holdfast validate", a.paint(red, "missing or damaged:"), key)
	}

	fmt.Fprintln(w)
	t := &table{header: []string{"COMPONENT", "KIND", "SIZE", "ADDED", "FROZEN", "CHECKS"}, right: []bool{2: true, 3: true, 4: true}}
	for _, c := range m.Components {
		t.add(c.Name, string(c.Kind), size(c.Size), size(added(m, c)), (time.Duration(c.FrozenMS) * time.Millisecond).String(), checks(c.Checks))
	}
	if err := t.write(w, a.width()); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, c := range m.Components {
		for _, fact := range facts(c.Facts) {
			say(w, "%s: %s\n", c.Name, fact)
		}
		for _, check := range c.Checks {
			if check.Detail != "" {
				say(w, "%s: %s %s: %s\n", c.Name, check.Name, check.Result, check.Detail)
			}
		}
	}
	return nil
}

func prefixed(component string) string {
	if component == "" {
		return ""
	}
	return component + ": "
}

// checks sums checks up for a table: "ok (header, tables), skipped (full_checks)".
func checks(list []manifest.Check) string {
	var out []string
	for _, result := range []manifest.Result{manifest.Failed, manifest.Inconclusive, manifest.OK, manifest.Skipped} {
		var names []string
		for _, c := range list {
			if c.Result == result {
				names = append(names, c.Name)
			}
		}
		if len(names) > 0 {
			out = append(out, fmt.Sprintf("%s (%s)", result, strings.Join(names, ", ")))
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// facts returns what is known of a component, one line for each.
func facts(f *manifest.Facts) (lines []string) {
	switch {
	case f == nil:
	case f.SQLite != nil:
		s := f.SQLite
		lines = append(lines, fmt.Sprintf("page size %d, %s journal, user_version %d, application_id %d", s.PageSize, s.Journal, s.UserVersion, s.ApplicationID))
		var tables []string
		for _, name := range sorted(s.Rows) {
			tables = append(tables, fmt.Sprintf("%s %d", name, s.Rows[name]))
		}
		lines = append(lines, "rows: "+strings.Join(tables, ", "))
	case f.File != nil && f.File.Format != "":
		lines = append(lines, fmt.Sprintf("%s with %s", f.File.Format, counted(f.File.Entries, "entry", "entries")))
	case f.Chroma != nil:
		c := f.Chroma
		var migrations []string
		for _, name := range sorted(c.Migrations) {
			migrations = append(migrations, fmt.Sprintf("%s %d", name, c.Migrations[name]))
		}
		lines = append(lines, fmt.Sprintf("%s, migrations: %s", counted(c.Members, "file", "files"), strings.Join(migrations, ", ")))
		for _, col := range c.Collections {
			lines = append(lines, fmt.Sprintf("collection %s: %s, dimension %d, %s", col.Name, counted(col.Count, "embedding", "embeddings"), col.Dimension, col.Metric))
		}
	}
	return lines
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
