package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/state"
)

// createReport is the summary of `holdfast create`.
type createReport struct {
	head
	Set        string            `json:"set"`
	DryRun     bool              `json:"dry_run"` // nothing was put: ids and bytes are what would have been
	CapturedAt time.Time         `json:"captured_at"`
	Grade      manifest.Grade    `json:"grade"`
	Reasons    []manifest.Reason `json:"reasons"`
	Components []createComponent `json:"components"`
	Targets    []createTarget    `json:"targets"`
}

type createComponent struct {
	Name   string           `json:"name"`
	Kind   manifest.Kind    `json:"kind"`
	Size   int64            `json:"size"`    // bytes; 0 when it was not captured
	HeldMS int64            `json:"held_ms"` // how long the live store was held frozen
	Checks []manifest.Check `json:"checks"`
	Error  string           `json:"error,omitempty"` // why it was not captured
}

type createTarget struct {
	Target string           `json:"target"`
	ID     manifest.ID      `json:"id,omitempty"`     // absent when the target failed
	Parent manifest.ID      `json:"parent,omitempty"` // whose chunks were reused
	Sent   int64            `json:"sent"`             // bytes
	Stored map[string]int64 `json:"stored"`           // component: bytes of its new chunks, before compression
	Notes  []string         `json:"notes"`
	Error  *targetError     `json:"error,omitempty"`
}

type createFlags struct {
	targets          []string
	tags             []string
	check            string
	chroma, noChroma bool
	dryRun           bool
	chromaMode       string
	pin              bool
}

func newCreate(a *app) *cobra.Command {
	var f createFlags
	checks := []string{string(backup.CheckAuto), string(backup.CheckQuick), string(backup.CheckFull), string(backup.CheckNone)}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Take a snapshot into every target",
		Long: `Capture all components at one instant and commit the snapshot to every target. A target
that fails does not stop the others, and neither does a component: the exit code tells.

Exit codes:
  0   every target holds the snapshot, and it is good
  3   a target failed, a component is missing, or a check that was due did not run
  4   a check found damage in the live store: the snapshot is kept as suspect`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(checks, f.check) {
				return usage(fmt.Errorf("--check %q: want %s", f.check, strings.Join(checks, ", ")))
			}
			if f.chroma && f.noChroma {
				return usage(errors.New("--chroma and --no-chroma exclude each other"))
			}
			if err := chromaMode(f.chromaMode); err != nil {
				return err
			}
			for _, tag := range f.tags {
				if !manifest.ValidTag(tag) || tag == manifest.PreRestore {
					return usage(fmt.Errorf("--tag %q is not allowed", tag))
				}
			}
			return a.create(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.targets, "target", nil, "only to this `target`; may be given again for more (default: all)")
	flags.StringArrayVar(&f.tags, "tag", nil, "`key=value` or a word to find the snapshot by; may be given again for more")
	flags.StringVar(&f.check, "check", string(backup.CheckAuto), "`depth` of the checks on what was captured: quick, full, none, or auto:\nquick, and full when the last full one is over a day old")
	flags.BoolVar(&f.noChroma, "no-chroma", false, "leave out the components of kind chroma")
	flags.BoolVar(&f.dryRun, "dry-run", false, "capture, check and compress, and tell what would be sent; put nothing")
	flags.BoolVar(&f.chroma, "chroma", false, "capture them, which is the default")
	flags.BoolVar(&f.pin, "pin", false, "hold the snapshot: no cleanup deletes it before holdfast unpin")
	flags.StringVar(&f.chromaMode, "chroma-mode", config.ModeCold, "`how` they are captured: cold, while nothing writes to them")
	return cmd
}

// chromaMode accepts what the configuration accepts, and refuses the same as the configuration does.
func chromaMode(mode string) error {
	switch mode {
	case config.ModeCold:
		return nil
	case "hot":
		return &failure{
			code: exitUsage, id: "usage", err: errors.New("--chroma-mode hot is not available in this version, which captures Chroma only cold"),
			hint: "use --chroma-mode cold, and stop writing to Chroma while create runs",
		}
	}
	return usage(fmt.Errorf("--chroma-mode %q: want cold", mode))
}

func (a *app) create(ctx context.Context, f createFlags) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if conflicts := c.Apart(resolve); len(conflicts) > 0 {
		return &failure{code: exitConfig, id: "paths_overlap", err: conflicts[0], hint: "keep them apart"}
	}
	o := backup.Options{
		Set: c.Set, Tags: f.tags, Check: backup.CheckMode(f.check), Tool: "holdfast " + toolVersion(),
		Rand: rand.Reader, Now: a.now, FreezeTimeout: c.FreezeTimeout, DryRun: f.dryRun,
		Guard: backup.Guard{MaxRowDrop: c.Guard.MaxRowDrop, MaxVectorDrop: c.Guard.MaxVectorDrop, Except: c.Guard.Except},
	}
	if o.Host, err = os.Hostname(); err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	if o.Components, err = components(c, f.noChroma); err != nil {
		return err
	}
	if o.State, err = state.Open(c.StateDir); err != nil {
		return err
	}
	lock, err := o.State.Lock(c.Set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := unfinished(journalDir(c), "create"); err != nil {
		return err
	}
	dir, remove, err := scratch(c.StagingDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	o.Staging = dir

	stores, failed, closeStores, err := openStores(ctx, c, f.targets)
	if err != nil {
		return err
	}
	defer closeStores()
	o.Targets = stores
	r := createReport{Set: c.Set, DryRun: f.dryRun, Reasons: []manifest.Reason{}, Components: []createComponent{}, Targets: []createTarget{}}
	for _, u := range failed {
		r.Targets = append(r.Targets, createTarget{Target: u.name, Notes: []string{}, Stored: map[string]int64{}, Error: a.targetError(ctx, u.err)})
	}
	var stop func()
	o.Progress, stop = a.progress()
	done, err := backup.Run(ctx, o)
	stop()
	if err != nil {
		return err
	}
	if f.pin && !f.dryRun {
		pinCreated(ctx, o, done)
	}
	a.fillCreate(ctx, &r, done)
	return a.finish(r)
}

// components returns what a create captures.
func components(c *config.Config, noChroma bool) ([]backup.Component, error) {
	var out []backup.Component
	for _, comp := range c.Components {
		if noChroma && comp.Kind == config.Chroma {
			continue
		}
		s, err := openSource(comp)
		if err != nil {
			return nil, err
		}
		out = append(out, backup.Component{Source: s, Format: comp.Format, Optional: comp.Optional})
	}
	if len(out) == 0 {
		return nil, usage(errors.New("--no-chroma leaves no component to capture"))
	}
	return out, nil
}

// fillCreate turns what a run reports into the summary.
func (a *app) fillCreate(ctx context.Context, r *createReport, done *backup.Report) {
	r.CapturedAt, r.Grade = done.CapturedAt, done.Grade
	r.Reasons = append(r.Reasons, done.Reasons...)
	for _, c := range done.Components {
		cc := createComponent{Name: c.Name, Kind: c.Kind, Size: c.Size, HeldMS: c.Held.Milliseconds(), Checks: append([]manifest.Check{}, c.Checks...)}
		if c.Err != nil {
			cc.Error = c.Err.Error()
		}
		r.Components = append(r.Components, cc)
	}
	for _, t := range done.Targets {
		ct := createTarget{Target: t.Name, Sent: t.Sent, Stored: t.Stored, Notes: append([]string{}, t.Notes...), Error: a.targetError(ctx, t.Err)}
		if t.Manifest != nil {
			ct.ID, ct.Parent = t.Manifest.ID, t.Manifest.Parent
		}
		r.Targets = append(r.Targets, ct)
	}
	code := exitOK
	incomplete := slices.ContainsFunc(r.Targets, func(t createTarget) bool { return t.Error != nil })
	switch {
	case incomplete:
		code = exitIncomplete
	case r.Grade == manifest.Suspect:
		code = exitDamage
	case r.Grade != manifest.Good:
		code = exitIncomplete
	}
	r.head = summary("create", code)
}

// targetError is nil for nil.
func (a *app) targetError(ctx context.Context, err error) *targetError {
	if err == nil {
		return nil
	}
	f := classify(ctx, err)
	return &targetError{f.code, f.id, f.Error()}
}

func (r createReport) text(a *app, w io.Writer) error {
	if a.quiet && r.Code == exitOK {
		return nil
	}
	say(w, "captured %s: %s\n", local(r.CapturedAt), a.paint(gradeColour(string(r.Grade)), string(r.Grade)))
	for _, reason := range r.Reasons {
		say(w, "  %s%s (%s)\n", prefixed(reason.Component), reason.Message, reason.ID)
	}
	t := &table{header: []string{"COMPONENT", "SIZE", "FROZEN", "CHECKS"}, right: []bool{1: true, 2: true}}
	for _, c := range r.Components {
		if c.Error != "" {
			t.add(c.Name, "-", "-", "not captured")
			continue
		}
		t.add(c.Name, size(c.Size), (time.Duration(c.HeldMS) * time.Millisecond).String(), checks(c.Checks))
	}
	if err := t.write(w, a.width()); err != nil {
		return err
	}
	for _, t := range r.Targets {
		switch {
		case t.Error != nil:
			say(w, "target %s: %s %s\n", t.Target, a.paint(red, "failed:"), t.Error.Message)
		case r.DryRun:
			say(w, "target %s: a dry run; a create would send %s\n", t.Target, size(t.Sent))
		default:
			say(w, "target %s: snapshot %s, %s sent\n", t.Target, t.ID, size(t.Sent))
		}
		for _, note := range t.Notes {
			say(w, "  note: %s\n", note)
		}
	}
	return nil
}
