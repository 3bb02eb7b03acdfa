package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// doctorReport is the summary of `holdfast doctor`. Its code is that of the
// first check that failed.
type doctorReport struct {
	head
	Checks []doctorCheck `json:"checks"`
}

// doctorCheck is one thing that was looked at.
type doctorCheck struct {
	Subject string       `json:"subject"` // such as "target nas"
	Result  doctorResult `json:"result"`
	ID      string       `json:"id,omitempty"` // stable; absent when the result is ok
	Detail  string       `json:"detail"`       // what was found
	Hint    string       `json:"hint,omitempty"`

	code exitCode // what a failure ends doctor with
}

type doctorResult string

const (
	doctorOK      doctorResult = "ok"
	doctorWarning doctorResult = "warning" // works today, and should be mended
	doctorFailed  doctorResult = "failed"
)

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check configuration, permissions, components, targets, space and versions",
		Long: `Say what is wrong and how to mend it, before the night of the next create: the versions
in use, the configuration, that no path lies inside another, state and staging
directories, every component, the space that staging needs, and every target, where a
few bytes are put and deleted again. The exit code is that of the first failure.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
}

func (a *app) doctor(ctx context.Context) error {
	c, err := a.config()
	if err != nil {
		return err // with its place in the file, which says more than a list of checks
	}
	d := &doctor{app: a, config: c}
	for _, step := range []func(context.Context){d.versions, d.file, d.paths, d.restores, d.components, d.directories, d.targets} {
		if step(ctx); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	r := doctorReport{head: summary("doctor", exitOK), Checks: d.checks}
	for _, check := range d.checks {
		if check.Result == doctorFailed {
			r.Code = check.code
			break
		}
	}
	return a.finish(r)
}

func (r doctorReport) text(a *app, w io.Writer) error {
	colours := map[doctorResult]colour{doctorOK: green, doctorWarning: yellow, doctorFailed: red}
	counts := map[doctorResult]int{}
	for _, c := range r.Checks {
		counts[c.Result]++
		if a.quiet && c.Result == doctorOK {
			continue
		}
		say(w, "%s %s: %s\n", a.paint(colours[c.Result], fmt.Sprintf("%-7s", c.Result)), c.Subject, c.Detail)
		if c.Hint != "" {
			say(w, "        %s\n", c.Hint)
		}
	}
	if a.quiet {
		return nil
	}
	_, err := say(w, "%d ok, %s, %d failed\n", counts[doctorOK], count(counts[doctorWarning], "warning"), counts[doctorFailed])
	return err
}
