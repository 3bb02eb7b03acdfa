package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// listReport is the summary of `holdfast list`.
type listReport struct {
	head
	Targets []listTarget `json:"targets"`
}

type listTarget struct {
	Target     string       `json:"target"`
	Repository string       `json:"repository,omitempty"` // absent when the target failed
	Sets       []listSet    `json:"sets"`
	Error      *targetError `json:"error,omitempty"`
}

// targetError is why one target could not do its part.
type targetError struct {
	Code    exitCode `json:"code"`
	ID      string   `json:"id"`
	Message string   `json:"message"`
}

type listSet struct {
	Set       string         `json:"set"`
	Snapshots []listSnapshot `json:"snapshots"` // oldest first
	Foreign   []string       `json:"foreign"`   // keys that are not holdfast's
}

type listSnapshot struct {
	ID         manifest.ID    `json:"id"`
	CapturedAt time.Time      `json:"captured_at"`
	Grade      manifest.Grade `json:"grade,omitempty"` // absent when the manifest is damaged
	Size       int64          `json:"size"`            // bytes of all components
	Added      int64          `json:"added"`           // bytes that it stored
	Components []string       `json:"components"`
	Tags       []string       `json:"tags"`
	standing
	Damaged string `json:"damaged,omitempty"` // why its manifest cannot be read

	code exitCode // of Damaged
}

func newList(a *app) *cobra.Command {
	var p placeFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the snapshots in each target",
		Long: `Show the snapshots of the set in each target, oldest first: when they were captured, how
far they may be trusted, how large their components are, and how much they added.

With --from no configuration is needed: the repository is read at a URL.

A manifest that was read before is taken from the state directory: whether the target still
holds it whole is for validate to say.

Exit codes:
  0   every target was read; a set without snapshots is no error
  3   a target failed
  4   a manifest is damaged: its row says how, and the others are shown all the same
  15  a manifest is of a later format`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context(), p, all) },
	}
	p.bind(cmd.Flags())
	cmd.Flags().BoolVar(&all, "all", false, "all sets in the targets, not only one")
	return cmd
}

func (a *app) list(ctx context.Context, p placeFlags, all bool) error {
	places, _, err := a.places(p)
	if err != nil {
		return err
	}
	r := listReport{head: summary("list", exitOK), Targets: []listTarget{}}
	var failed []error
	for _, pl := range places {
		t, err := a.listPlace(ctx, pl, all || p.from != "" && p.set == "")
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed = append(failed, err)
			t = listTarget{Target: pl.name, Sets: []listSet{}, Error: a.targetError(ctx, err)}
		}
		r.Targets = append(r.Targets, t)
	}
	if len(failed) == len(places) {
		return failed[0]
	}
	r.Code = r.verdict()
	return a.finish(r)
}

// verdict is the exit code. A damaged manifest outweighs one of a later format, and that a target that
// failed.
func (r listReport) verdict() exitCode {
	code := exitOK
	for _, t := range r.Targets {
		switch {
		case t.Error == nil:
		case t.Error.Code == exitDamage:
			return exitDamage
		case code == exitOK:
			code = exitIncomplete
		}
		for _, s := range t.Sets {
			for _, sn := range s.Snapshots {
				switch {
				case sn.code == exitFormat:
					code = exitFormat
				case sn.Damaged != "":
					return exitDamage
				}
			}
		}
	}
	return code
}

func (a *app) listPlace(ctx context.Context, p place, all bool) (listTarget, error) {
	if all && p.set == "" {
		p.set = "-" // every set is asked for: there need not be just one
	}
	o, err := a.connect(ctx, p)
	if err != nil {
		return listTarget{}, err
	}
	defer o.close()
	sets := []string{o.set}
	if all {
		if sets, err = o.Sets(ctx); err != nil {
			return listTarget{}, err
		}
	}
	if p.seen != nil {
		o.Cache = p.seen.Manifests()
	}
	t := listTarget{Target: p.name, Repository: o.ID, Sets: []listSet{}}
	for _, set := range sets {
		view, err := o.View(ctx, set)
		if err != nil {
			return listTarget{}, err
		}
		pins, err := o.Pins(ctx, set)
		if err != nil {
			return listTarget{}, err
		}
		s := listSet{Set: set, Snapshots: []listSnapshot{}, Foreign: append([]string{}, view.Foreign...)}
		for sn, err := range o.EachSnapshot(ctx, view) {
			if err != nil {
				return listTarget{}, err
			}
			l := listed(ctx, sn)
			if l.standing, err = a.standingOf(ctx, view, pins, sn.ID); err != nil {
				return listTarget{}, err
			}
			s.Snapshots = append(s.Snapshots, l)
		}
		t.Sets = append(t.Sets, s)
	}
	return t, nil
}

func listed(ctx context.Context, s repository.Snapshot) listSnapshot {
	l := listSnapshot{ID: s.ID, CapturedAt: s.ID.Time(), Components: []string{}, Tags: []string{}}
	if s.Err != nil {
		l.Damaged, l.code = s.Err.Error(), classify(ctx, s.Err).code
		return l
	}
	l.CapturedAt, l.Grade, l.Tags = s.Manifest.CapturedAt, s.Manifest.Grade, append(l.Tags, s.Manifest.Tags...)
	for _, c := range s.Manifest.Components {
		l.Components = append(l.Components, c.Name)
		l.Size += c.Size
	}
	l.Added = added(s.Manifest, s.Manifest.Components...)
	return l
}

// added is how many bytes a snapshot stored for components: those of its volumes
// and indexes that lie under its own id.
func added(m *manifest.Manifest, components ...manifest.Component) (n int64) {
	own := manifest.ArchivePrefix(m.Set, m.ID)
	for _, c := range components {
		for _, v := range c.Volumes {
			if strings.HasPrefix(v.Key, own) {
				n += v.Size
			}
		}
		for _, o := range c.Index {
			if strings.HasPrefix(o.Key, own) {
				n += o.Size
			}
		}
	}
	return n
}

func (r listReport) text(a *app, w io.Writer) error {
	for i, t := range r.Targets {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if t.Error != nil {
			say(w, "target %s\n  %s %s\n", t.Target, a.paint(red, "failed:"), t.Error.Message)
			continue
		}
		for j, s := range t.Sets {
			if j > 0 {
				fmt.Fprintln(w)
			}
			say(w, "target %s, set %s: %s\n", t.Target, s.Set, count(len(s.Snapshots), "snapshot"))
			if err := s.table(a).write(w, a.width()); err != nil {
				return err
			}
			if len(s.Foreign) > 0 {
				say(w, "%s not holdfast's, left alone: %s\n", count(len(s.Foreign), "object"), strings.Join(s.Foreign[:min(3, len(s.Foreign))], ", "))
			}
		}
		if len(t.Sets) == 0 {
			say(w, "target %s holds no snapshots\n", t.Target)
		}
	}
	return nil
}

func (s listSet) table(a *app) *table {
	t := &table{
		header: []string{"ID", "CAPTURED", "GRADE", "SIZE", "ADDED", "COMPONENTS"},
		right:  []bool{3: true, 4: true},
		paint: func(column int, cell string) painted {
			if column != 2 {
				return painted(cell)
			}
			return a.paint(gradeColour(cell), cell)
		},
	}
	for _, sn := range s.Snapshots {
		if sn.Damaged != "" {
			grade := "damaged"
			if sn.code == exitFormat {
				grade = "newer"
			}
			t.add(string(sn.ID), local(sn.CapturedAt), grade, "-", "-", sn.Damaged)
			continue
		}
		what := strings.Join(sn.Components, " ")
		if len(sn.Tags) > 0 {
			what += " [" + strings.Join(sn.Tags, ", ") + "]"
		}
		for _, word := range sn.words() {
			what += " (" + word + ")"
		}
		t.add(string(sn.ID), local(sn.CapturedAt), string(sn.Grade), size(sn.Size), size(sn.Added), what)
	}
	return t
}

func gradeColour(grade string) colour {
	switch manifest.Grade(grade) {
	case manifest.Good:
		return green
	case manifest.Degraded:
		return yellow
	}
	return red
}

// count returns "1 object", "2 objects".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// sorted returns a map's keys in order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
