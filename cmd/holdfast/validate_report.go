package main

import (
	"io"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/validate"
)

// validateReport is the summary of `holdfast validate`.
type validateReport struct {
	head
	Level   validate.Level   `json:"level"`
	Subset  string           `json:"subset,omitempty"` // k/n
	Targets []validateTarget `json:"targets"`
}

type validateTarget struct {
	Target    string             `json:"target"`
	Snapshots []validateSnapshot `json:"snapshots"`          // oldest first
	Marked    []string           `json:"marked"`             // objects that got a damage mark
	Unsought  int                `json:"unsought,omitempty"` // components that lost objects for which nothing was looked for elsewhere: there are many
	Error     *targetError       `json:"error,omitempty"`

	passed error // a newer snapshot was passed over; nil when none was
}

type validateSnapshot struct {
	ID           manifest.ID                 `json:"id"`
	Grade        manifest.Grade              `json:"grade,omitempty"` // absent when the manifest is damaged
	Findings     []validateFinding           `json:"findings"`        // what is wrong
	Inconclusive []validateFinding           `json:"inconclusive"`    // what could not be found out
	Checks       map[string][]manifest.Check `json:"checks"`          // component: its content checks
	Lost         []*rescued                  `json:"lost,omitempty"`  // of each component that lost objects: whether a restore would find what they held elsewhere

	lost []*restore.Rescue
}

type validateFinding struct {
	Component string `json:"component,omitempty"`
	Key       string `json:"key,omitempty"`
	ID        string `json:"id"`
	Message   string `json:"message"`
}

func (t *validateTarget) fill(done *validate.Report) {
	t.Marked, t.Unsought = append(t.Marked, done.Marked...), done.Unsought
	for _, s := range done.Snapshots {
		v := validateSnapshot{ID: s.ID, Findings: findings(s.Findings), Inconclusive: findings(s.Inconclusive), Checks: s.Checks}
		if s.Manifest != nil {
			v.Grade = s.Manifest.Grade
		}
		if v.Checks == nil {
			v.Checks = map[string][]manifest.Check{}
		}
		v.lost = s.Lost
		for _, l := range s.Lost {
			v.Lost = append(v.Lost, newRescued(l))
		}
		t.Snapshots = append(t.Snapshots, v)
	}
}

func findings(list []validate.Finding) []validateFinding {
	out := []validateFinding{}
	for _, f := range list {
		out = append(out, validateFinding{f.Component, f.Key, f.ID, f.Message})
	}
	return out
}

// verdict is the exit code: damage outweighs doubt, and doubt outweighs nothing.
func (r validateReport) verdict() exitCode {
	code := exitOK
	for _, t := range r.Targets {
		if t.Error != nil {
			code = exitInconclusive
			if t.Error.Code == exitDamage {
				return exitDamage
			}
		}
		for _, s := range t.Snapshots {
			switch {
			case len(s.Findings) > 0:
				return exitDamage
			case len(s.Inconclusive) > 0:
				code = exitInconclusive
			}
		}
	}
	return code
}

func (r validateReport) text(a *app, w io.Writer) error {
	if a.quiet && r.Code == exitOK {
		return nil
	}
	level := string(r.Level)
	if r.Subset != "" {
		level += ", part " + r.Subset
	}
	for _, t := range r.Targets {
		for _, s := range t.Snapshots {
			verdict := a.paint(green, "ok")
			switch {
			case len(s.Findings) > 0:
				verdict = a.paint(red, "damaged")
			case len(s.Inconclusive) > 0:
				verdict = a.paint(yellow, "inconclusive")
			}
			say(w, "target %s: snapshot %s: %s (level %s)\n", t.Target, s.ID, verdict, level)
			if s.Grade != "" && s.Grade != manifest.Good {
				say(w, "  it was %s when it was made: see holdfast show\n", s.Grade)
			}
			for _, f := range s.Findings {
				say(w, "  %s\n", f)
			}
			for _, l := range s.lost {
				verdict := a.paint(red, "not restorable from here")
				if l.Whole() {
					verdict = a.paint(green, "restorable all the same")
				}
				say(w, "  %s: %s\n", verdict, l)
			}
			for _, f := range s.Inconclusive {
				say(w, "  could not tell: %s\n", f)
			}
			for _, name := range sorted(s.Checks) {
				say(w, "  %s: %s\n", name, checks(s.Checks[name]))
			}
		}
		if len(t.Marked) > 0 {
			say(w, "target %s: %s marked as damaged: the next create stores what they held again\n", t.Target, count(len(t.Marked), "object"))
		}
		if t.Unsought > 0 {
			say(w, "target %s: for %s more nothing was looked for elsewhere: validate the snapshot alone\n", t.Target, count(t.Unsought, "component"))
		}
		if t.Error != nil {
			say(w, "target %s: %s %s\n", t.Target, a.paint(red, "failed:"), t.Error.Message)
		}
	}
	return nil
}

// String names the component, the object, what is wrong and its identifier.
func (f validateFinding) String() string {
	where := strings.Join(slices.DeleteFunc([]string{f.Component, f.Key}, func(s string) bool { return s == "" }), " ")
	if where != "" {
		where += ": "
	}
	return where + f.Message + " (" + f.ID + ")"
}
