package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/importer"
	"github.com/atocore/holdfast/core/manifest"
)

// fillImport turns what a run reports into the summary.
func (a *app) fillImport(ctx context.Context, r *importReport, done *importer.Report) {
	code := exitOK
	for _, t := range done.Targets {
		r.Targets = append(r.Targets, importTarget{t.Name, t.Imported, t.Already, t.Sent, a.targetError(ctx, t.Err)})
	}
	incomplete := slices.ContainsFunc(r.Targets, func(t importTarget) bool { return t.Error != nil })
	for _, s := range done.Snapshots {
		is := a.importedSnapshot(ctx, s, r.DryRun)
		r.Snapshots = append(r.Snapshots, is)
		incomplete = incomplete || is.Result == skipped || is.Grade == manifest.Degraded
		if is.Grade == manifest.Suspect {
			code = exitDamage
		}
	}
	if incomplete {
		code = exitIncomplete
	}
	r.head = summary("import", code)
}

func (a *app) importedSnapshot(ctx context.Context, s importer.Snapshot, dryRun bool) importSnapshot {
	is := importSnapshot{
		Stamp: s.Stamp, Result: already, Components: append([]string{}, s.Components...), Grade: s.Grade,
		Reasons: append([]manifest.Reason{}, s.Reasons...), Errors: []importError{}, Targets: []importedInto{},
	}
	if !s.CapturedAt.IsZero() {
		is.CapturedAt = &s.CapturedAt
	}
	for _, name := range s.Already {
		is.Targets = append(is.Targets, importedInto{Target: name, Result: already, Notes: []string{}})
	}
	for _, t := range s.Targets {
		into := importedInto{Target: t.Name, Result: imported, ID: t.ID, Notes: append([]string{}, t.Notes...), Error: a.targetError(ctx, t.Err)}
		switch {
		case t.Err != nil:
			into.Result = notImported
		case dryRun:
			into.Result = wouldImport
		}
		is.Targets = append(is.Targets, into)
		if is.Result != imported && is.Result != wouldImport { // one that failed weighs less than one that did not
			is.Result = into.Result
		}
	}
	for _, p := range s.Problems {
		is.Result = skipped
		is.Errors = append(is.Errors, importError{p.ID, p.Message})
	}
	return is
}

func (r importReport) text(a *app, w io.Writer) error {
	if a.quiet && r.Code == exitOK {
		return nil
	}
	say(w, "%d stamps in %s\n", len(r.Snapshots), r.Dir)
	for _, s := range r.Snapshots {
		for _, e := range s.Errors {
			say(w, "%s %s: %s (%s)\n", s.Stamp, a.paint(red, string(skipped)), e.Message, e.ID)
		}
		if s.Grade != "" && s.Grade != manifest.Good {
			say(w, "%s %s\n", s.Stamp, a.paint(gradeColour(string(s.Grade)), string(s.Grade)))
			for _, reason := range s.Reasons {
				say(w, "  %s%s (%s)\n", prefixed(reason.Component), reason.Message, reason.ID)
			}
		}
		for _, t := range s.Targets {
			for _, note := range t.Notes {
				say(w, "%s note: target %s: %s\n", s.Stamp, t.Target, note)
			}
		}
	}
	if len(r.Unparseable) > 0 {
		say(w, "no stamps, and left alone: %s\n", strings.Join(r.Unparseable, ", "))
	}
	for _, t := range r.Targets {
		verb := "imported"
		if r.DryRun {
			verb = "would be imported"
		}
		if t.Error != nil {
			say(w, "target %s: %s %s\n", t.Target, a.paint(red, "failed:"), t.Error.Message)
		}
		if _, err := say(w, "target %s: %d %s, %d held already, %s sent\n", t.Target, t.Imported, verb, t.Already, size(t.Sent)); err != nil {
			return err
		}
	}
	return nil
}
