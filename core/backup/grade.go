package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/chroma"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// due is how deep a component's copy is looked into, and what it is compared with.
type due struct {
	level    source.Level
	baseline *manifest.Facts // of the newest good snapshot that has the component; nil when there is none
	from     manifest.ID     // that snapshot
	failed   manifest.ID     // the snapshot in which the full checks ran last, when they did not pass
}

// due looks at what the targets know. The snapshot in which the full checks of the component ran last decides
// whether they are due, however many quick ones came after it: unless that one passed, and within the
// last day, they are. Quick checks do not see all that full ones see, and would call the same damage good. A
// snapshot that was captured in the future was stamped by a clock that was wrong, and puts off nothing.
func (r *run) due(ctx context.Context, component string) (d due) {
	if m := r.newestKnown(ctx, func(m *manifest.Manifest) bool {
		c := m.Component(component)
		return yardstick(m) && c != nil && c.Facts != nil
	}); m != nil {
		d.baseline, d.from = m.Component(component).Facts, m.ID
	}
	if r.Check == CheckNone || r.Check == CheckFull {
		d.level = source.Full
		if r.Check == CheckNone {
			d.level = source.None
		}
		return d
	}
	until := r.Now().Add(repository.MaxAhead)
	last := r.newestKnown(ctx, func(m *manifest.Manifest) bool {
		return !m.CapturedAt.After(until) && fullyChecked(m.Component(component))
	})
	if last != nil && !passed(last.Component(component)) {
		d.failed = last.ID
	}
	d.level = source.Quick
	if r.Check == CheckAuto && (last == nil || d.failed != "" || last.CapturedAt.Before(r.cut.Instant.Add(-fullEvery))) {
		d.level = source.Full
	}
	return d
}

// inspect looks into a captured copy. When that cannot be done the copy is kept, and what is not known
// of it is a check that did not run.
func (r *run) inspect(ctx context.Context, c Component, path string, d due) (source.Report, error) {
	report, err := kinds.InspectAs(ctx, c.Source.Kind(), c.Format, path, d.level, d.baseline)
	if ctx.Err() != nil {
		return report, ctx.Err()
	}
	if err != nil {
		report = source.Report{Checks: []manifest.Check{{Name: "inspection", Result: manifest.Inconclusive, Detail: manifest.ClipText(err.Error())}}}
	}
	if d.level < source.Full {
		report.Checks = append(report.Checks, leftOut(r.Check, d.failed))
	}
	return report, nil
}

// leftOut shows in a snapshot that the full checks were not made; failed is the snapshot in which they ran
// last, when they did not pass there, and "" otherwise.
func leftOut(mode CheckMode, failed manifest.ID) manifest.Check {
	k := manifest.Check{Name: fullChecks, Result: manifest.Skipped, Detail: "--check " + string(mode)}
	switch {
	case failed != "":
		k.Result, k.ID = manifest.Inconclusive, idFullChecksDue
		k.Detail += fmt.Sprintf(", and they did not pass in snapshot %s: run holdfast create --check full", failed)
	case mode == CheckAuto:
		k.Detail = "they were made within the last day"
	}
	return k
}

// idFullChecksDue is the reason of a snapshot whose store did not pass the full checks when they ran last,
// and in which they were left out.
const idFullChecksDue = "full_checks_due"

// fullChecks is the name of the check that stands for those that were left out.
const fullChecks = "full_checks"

// grade decides what the snapshot is worth, and why.
func (r *run) grade(ctx context.Context, components []packedComponent) {
	r.report.Grade = manifest.Good
	for _, c := range r.Components {
		name := c.Source.Name()
		err := r.cut.Failed[name]
		switch {
		case err == nil:
		case c.Optional && errors.Is(err, source.ErrAbsent) && !r.hadBefore(ctx, name):
			r.reason(manifest.Good, name, idAbsent, fmt.Sprintf("optional, and not there: %v", err))
		default:
			id := source.ErrorID(err)
			if id == "" {
				id = "capture_failed"
			}
			r.reason(manifest.Degraded, name, id, err.Error())
		}
	}
	for _, p := range components {
		for _, k := range p.report.Checks {
			id := k.ID
			if id == "" {
				id = k.Name + "_" + string(k.Result)
			}
			switch k.Result {
			case manifest.Failed:
				r.reason(manifest.Suspect, p.name, id, k.Name+" failed"+wayOut(k.ID)+": "+k.Detail)
			case manifest.Inconclusive:
				r.reason(manifest.Degraded, p.name, id, k.Name+" did not run: "+k.Detail)
			}
		}
		r.guard(p)
	}
}

// wayOut says, of a check that compares with the newest good snapshot, how to have it compare with this one.
// It would fail for ever, and the message has no room for it behind a long list.
func wayOut(id string) string {
	switch id {
	case sqlite.IDTableMissing, chroma.IDCollections:
		return meant
	}
	return ""
}

const meant = " (if that is meant, run holdfast create --check none once)"

// hadBefore reports whether the component was there in the newest good snapshot that was to have it: one that
// has it, or says that it was absent. A create that left it out on purpose says nothing.
func (r *run) hadBefore(ctx context.Context, name string) bool {
	m := r.newestKnown(ctx, func(m *manifest.Manifest) bool {
		return yardstick(m) && (m.Component(name) != nil || slices.ContainsFunc(m.Reasons, func(r manifest.Reason) bool {
			return r.Component == name && r.ID == idAbsent
		}))
	})
	return m != nil && m.Component(name) != nil
}

// idAbsent is the note of a good snapshot whose optional component was not there.
const idAbsent = "component_absent"

// reason notes why the grade is at best g.
func (r *run) reason(g manifest.Grade, component, id, message string) {
	if g == manifest.Suspect || g == manifest.Degraded && r.report.Grade == manifest.Good {
		r.report.Grade = g
	}
	if !manifest.ValidReasonID(id) {
		id = "failed"
	}
	r.report.Reasons = append(r.report.Reasons, manifest.Reason{Component: component, ID: id, Message: manifest.ClipText(message)})
}
