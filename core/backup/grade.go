package backup

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
)

// due says how deep the component's copy is looked into, and the facts that it is compared with: those
// of the newest good snapshot. The first target that knows of one is asked, for a new target knows
// nothing; one that cannot be read is out.
func (r *run) due(ctx context.Context, component string) (level source.Level, baseline *manifest.Facts) {
	checked := false
	for _, t := range r.targets {
		if t.Err != nil || baseline != nil {
			continue
		}
		if baseline, t.Err = t.history.baseline(ctx, component); t.Err == nil && !checked {
			checked, t.Err = t.history.fullyChecked(ctx, component, r.cut.Instant.Add(-fullEvery), r.Now().Add(maxAhead))
		}
	}
	switch {
	case r.Check == CheckNone:
		return source.None, baseline
	case r.Check == CheckFull, r.Check == CheckAuto && !checked:
		return source.Full, baseline
	}
	return source.Quick, baseline
}

// inspect looks into a captured copy. When that cannot be done the copy is kept, and what is not known
// of it is a check that did not run.
func (r *run) inspect(ctx context.Context, c Component, path string, level source.Level, baseline *manifest.Facts) (source.Report, error) {
	report, err := kinds.InspectAs(ctx, c.Source.Kind(), c.Format, path, level, baseline)
	if ctx.Err() != nil {
		return report, ctx.Err()
	}
	if err != nil {
		report = source.Report{Checks: []manifest.Check{{Name: "inspection", Result: manifest.Inconclusive, Detail: manifest.ClipText(err.Error())}}}
	}
	if level < source.Full {
		report.Checks = append(report.Checks, notDue(r.Check))
	}
	return report, nil
}

// notDue shows in a snapshot that the full checks were not made.
func notDue(mode CheckMode) manifest.Check {
	why := "they were made within the last day"
	if mode != CheckAuto {
		why = "--check " + string(mode)
	}
	return manifest.Check{Name: fullChecks, Result: manifest.Skipped, Detail: why}
}

// fullChecks is the name of the check that stands for those that were left out.
const fullChecks = "full_checks"

// grade decides what the snapshot is worth, and why.
func (r *run) grade(components []packedComponent) {
	r.report.Grade = manifest.Good
	for _, c := range r.Components {
		name := c.Source.Name()
		err := r.cut.Failed[name]
		switch {
		case err == nil:
		case c.Optional && errors.Is(err, source.ErrAbsent) && !r.hadBefore(name):
			r.reason(manifest.Good, name, "component_absent", fmt.Sprintf("optional, and not there: %v", err))
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
				r.reason(manifest.Suspect, p.name, id, k.Name+" failed: "+k.Detail)
			case manifest.Inconclusive:
				r.reason(manifest.Degraded, p.name, id, k.Name+" did not run: "+k.Detail)
			}
		}
	}
}

// hadBefore reports whether the newest good snapshot that is known has the component.
func (r *run) hadBefore(name string) bool {
	for _, t := range r.targets {
		if t.history == nil {
			continue
		}
		for _, m := range t.history.usable {
			if m.Grade == manifest.Good && !m.HasTag(manifest.PreRestore) {
				return m.Component(name) != nil
			}
		}
	}
	return false
}

var idWord = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// reason notes why the grade is at best g.
func (r *run) reason(g manifest.Grade, component, id, message string) {
	if g == manifest.Suspect || g == manifest.Degraded && r.report.Grade == manifest.Good {
		r.report.Grade = g
	}
	if !idWord.MatchString(id) {
		id = "failed"
	}
	r.report.Reasons = append(r.report.Reasons, manifest.Reason{Component: component, ID: id, Message: manifest.ClipText(message)})
}
