package main

import (
	"fmt"
	"io"
	"strings"
)

func (in *inPlaceReport) text(a *app, w io.Writer, r *restoreReport) error {
	if in.Blind != "" {
		a.warn(fmt.Errorf("whether the service is stopped could not be seen in full: %s", in.Blind))
	}
	verb := "restored"
	if in.DryRun {
		verb = "a dry run; would restore"
	}
	say(w, "%s snapshot %s of set %s from target %s in place\n", verb, r.ID, r.Set, r.Target)
	say(w, "captured %s, %s\n", local(r.CapturedAt), a.paint(gradeColour(string(r.Grade)), string(r.Grade)))
	t := &table{header: []string{"COMPONENT", "KIND", "SIZE", "WAS", "LIVE", "CHECKS"}, right: []bool{2: true, 3: true}}
	if in.DryRun {
		t.header = t.header[:5]
	}
	for i, c := range r.Components {
		t.add([]string{c.Name, string(c.Kind), size(c.Size), size(in.Replaced[i].Was), c.Path, checks(c.Checks)}[:len(t.header)]...)
	}
	if err := t.write(w, a.width()); err != nil {
		return err
	}
	if in.DryRun {
		in.tellPlan(w)
	} else {
		in.tellDone(w)
	}
	for _, l := range in.Left {
		say(w, "left as it is: %s (%s): it shows another moment than what %s\n", l.Name, l.Reason, map[bool]string{true: "would be restored", false: "was restored"}[in.DryRun])
	}
	return failedChecks(w, r.Components)
}

// tellPlan says what a restore would do beyond the table.
func (in *inPlaceReport) tellPlan(w io.Writer) {
	say(w, "it would read %s at most\n", size(in.Reads))
	for _, c := range in.Replaced {
		say(w, "  %s would be staged in %s and checked: %s\n", c.Name, c.Staging, strings.Join(c.Verifies, ", "))
	}
	if in.SafetySnapshot {
		say(w, "before that the live state would be saved to the first target that takes it\n")
	} else {
		say(w, "no safety snapshot would be taken\n")
	}
}

// tellDone says what became of what was live.
func (in *inPlaceReport) tellDone(w io.Writer) {
	switch {
	case in.PreRestoreSnapshot != "":
		say(w, "what was live is saved as snapshot %s in target %s", in.PreRestoreSnapshot, in.PreRestoreTarget)
		if len(in.Raw) > 0 {
			say(w, ", as plain files, being damaged: %s", strings.Join(in.Raw, ", "))
		}
		say(w, "\n")
	case in.SafetySnapshot:
		say(w, "nothing was live that a safety snapshot could hold\n")
	}
	kept := false
	for _, c := range in.Replaced {
		if c.Kept != "" {
			say(w, "%s as it was: %s\n", c.Name, c.Kept)
			kept = true
		}
	}
	if kept {
		say(w, "holdfast restore undo --confirm-service-stopped puts that back, until the next restore\n")
	}
	for _, dir := range in.Dropped {
		say(w, "removed what an earlier restore had replaced: %s\n", dir)
	}
}
