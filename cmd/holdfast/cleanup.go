package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/retention"
	"github.com/atocore/holdfast/core/state"
)

type cleanupFlags struct {
	targets                            []string
	confirm, noGrace, force, exclusive bool
	plan, apply, simulate              string
	span                               retention.Duration // of simulate
}

func newCleanup(a *app) *cobra.Command {
	var f cleanupFlags
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Apply the retention policy; a dry run unless --confirm",
		Long: `Decide which snapshots each target's retention policy keeps, and say why. Without --confirm
nothing is changed, and what would be done is shown.

With --confirm the others are marked. A mark bars a snapshot from being built upon, and can
be taken back with holdfast undelete for seven days; the first cleanup after that deletes the
snapshot, and every object that no other snapshot needs. What dead creates left behind
goes, too. Ages are told by the target's own clock, which a dry run knows only from what is listed:
what it calls waiting may be due. While a create is in progress nothing is deleted,
and the next cleanup goes on: it waits up to 24 hours for one that may be dead.

Refused, with nothing deleted: a target that lists no snapshots although it had some; the last good
snapshot; and, unless --force, more than half of a set within seven days, or the loss of
snapshots that nobody deleted.

Exit codes:
  0   done, or nothing to do; also while it waits for a create
  3   a target failed
  4   a manifest is damaged, and so nothing was deleted; or an object is missing that a snapshot needs
  7   a safety rule stood in the way, or would; or the plan was altered, or no longer fits`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.cleanup(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.targets, "target", nil, "only in this `target`; may be given again for more (default: all)")
	flags.BoolVar(&f.confirm, "confirm", false, "do it")
	flags.BoolVar(&f.noGrace, "no-grace", false, "delete at once what is given up; nothing can be undeleted then")
	flags.BoolVar(&f.force, "force", false, "let more than half go within seven days, and snapshots be missing that nobody deleted")
	flags.BoolVar(&f.exclusive, "exclusive", false, "no other holdfast uses the targets now: for those that do not keep put-if-absent")
	flags.StringVar(&f.plan, "plan", "", "write what would be done to this `file`, to be applied later")
	flags.StringVar(&f.apply, "apply", "", "do what this `file` says, and only if nothing has changed since")
	flags.StringVar(&f.simulate, "simulate", "", "show what the policy would keep over the next `time`, such as 2y or 6m")
	return cmd
}

func (f *cleanupFlags) check() (err error) {
	if f.simulate != "" {
		if f.span, err = retention.ParseDuration(f.simulate); err != nil {
			return usage(fmt.Errorf("--simulate: %w", err))
		}
	}
	does := f.confirm || f.apply != ""
	switch {
	case f.simulate != "" && (does || f.plan != "" || f.noGrace):
		return usage(errors.New("--simulate only looks: it excludes --confirm, --no-grace, --plan and --apply"))
	case f.plan != "" && does:
		return usage(errors.New("--plan only looks: it excludes --confirm and --apply"))
	case f.apply != "" && f.noGrace:
		return usage(errors.New("--apply does what the plan says: --no-grace belongs to the run that writes it"))
	}
	return nil
}

func (a *app) cleanup(ctx context.Context, f cleanupFlags) (err error) {
	var plan *cleanup.PlanFile
	if f.apply != "" {
		if plan, err = readPlan(f.apply); err != nil {
			return err
		}
		if f.targets, err = plannedTargets(plan, f.targets); err != nil {
			return err
		}
	}
	places, c, err := a.places(placeFlags{targets: f.targets})
	if err != nil {
		return err
	}
	o := cleanup.Options{
		Confirm: f.confirm || plan != nil, NoGrace: f.noGrace, Force: f.force, Exclusive: f.exclusive,
		Tool: "holdfast " + toolVersion(), Rand: rand.Reader, Now: a.now,
	}
	if o.Host, err = os.Hostname(); err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	if o.Confirm {
		unlock, err := lockSet(c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	r := cleanupReport{Set: c.Set, DryRun: !o.Confirm, Targets: []cleanupTarget{}}
	written := &cleanup.PlanFile{Tool: o.Tool, Targets: []cleanup.TargetPlan{}}
	var failed []error
	for _, p := range places {
		t, err := a.cleanupPlace(ctx, p, c, o, f, plan, written)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed = append(failed, err)
			t.Error = a.targetError(ctx, err)
			t.Errors = append(t.Errors, t.Error.Message)
		}
		r.Targets = append(r.Targets, t)
	}
	if len(failed) == len(places) {
		return failed[0]
	}
	if f.plan != "" {
		if err := writePlan(f.plan, written); err != nil {
			return err
		}
		r.Plan = f.plan
	}
	r.head = summary("cleanup", r.verdict())
	return a.finish(r)
}

// lockSet takes the lock of the configured set, as a create does.
func lockSet(c *config.Config) (unlock func() error, err error) {
	dir, err := state.Open(c.StateDir)
	if err != nil {
		return nil, err
	}
	lock, err := dir.Lock(c.Set)
	if err != nil {
		return nil, err
	}
	return lock.Unlock, nil
}

// cleanupPlace cleans up in one target. The report is of use beside an error, too.
func (a *app) cleanupPlace(ctx context.Context, p place, c *config.Config, o cleanup.Options, f cleanupFlags, plan, written *cleanup.PlanFile) (cleanupTarget, error) {
	t := newCleanupTarget(p.name, o.Confirm)
	repo, err := a.connectKnown(ctx, p)
	if err != nil {
		return t, err
	}
	defer repo.close()
	t.Repository = repo.ID
	configured, _ := c.Target(p.name)
	policy := configured.Retention
	t.Policy = policy.String()

	cache := p.seen.Manifests()
	repo.Cache = cache
	o.Repository, o.Set, o.Notebook = repo.Repository, p.set, p.seen.Cleanup(p.set, p.name)
	o.Known = cache.IDs(repo.ID, p.set)
	if seen, err := p.seen.Seen(p.set, p.name); err == nil && seen.Repository == repo.ID {
		o.Known = append(o.Known, manifest.ID(seen.ID))
	}
	var have []retention.Snapshot
	o.Plan = func(snapshots []retention.Snapshot, now time.Time) []retention.Decision {
		have = snapshots
		return retention.Plan(snapshots, policy, now)
	}
	if plan != nil {
		i := slices.IndexFunc(plan.Targets, func(tp cleanup.TargetPlan) bool { return tp.Target == p.name })
		t.Policy = plan.Targets[i].Policy
		if err := plan.Targets[i].Bind(&o); err != nil {
			return t, err
		}
	}
	done, err := cleanup.Run(ctx, o)
	t.fill(done)
	if err != nil {
		return t, err
	}
	if done.Refused != nil {
		t.Refused = a.targetError(ctx, done.Refused)
	}
	if f.plan != "" {
		written.Targets = append(written.Targets, cleanup.NewTargetPlan(o, policy.String(), done))
	}
	if f.simulate != "" {
		t.Simulation, err = simulate(have, policy, a.now(), f.span)
	}
	if o.Confirm {
		prune(cache, repo.ID, p.set, done)
	}
	return t, err
}

// prune drops what is kept of manifests that are not there any more. It is for a run that no guard
// has refused: the memory is what tells when snapshots are lost.
func prune(cache *state.Manifests, repository, set string, r *cleanup.Report) {
	there := map[manifest.ID]bool{}
	for _, s := range r.Snapshots {
		there[s.ID] = s.Fate != cleanup.FateDeleted
	}
	for _, id := range cache.IDs(repository, set) {
		if !there[id] {
			cache.Drop(repository, set, id)
		}
	}
}

func simulate(have []retention.Snapshot, p retention.Policy, now time.Time, span retention.Duration) (*cleanupSimulation, error) {
	s := &cleanupSimulation{Streams: []cleanupStream{}}
	streams := retention.Streams(have, now)
	for _, st := range streams {
		s.Streams = append(s.Streams, cleanupStream{append([]string{}, st.Components...), int64(st.Every / time.Second), st.Last.UTC()})
	}
	var err error
	if s.Months, err = retention.Simulate(have, streams, p, now, span); err != nil {
		return nil, usage(fmt.Errorf("--simulate: %w", err))
	}
	return s, nil
}

func readPlan(path string) (*cleanup.PlanFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usage(fmt.Errorf("--apply: %w", err))
	}
	p, err := cleanup.DecodePlan(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// plannedTargets are those of a plan, or the named ones of them.
func plannedTargets(p *cleanup.PlanFile, named []string) (names []string, err error) {
	for _, t := range p.Targets {
		if len(named) == 0 || slices.Contains(named, t.Target) {
			names = append(names, t.Target)
		}
	}
	for _, n := range named {
		if !slices.Contains(names, n) {
			return nil, usage(fmt.Errorf("--target: the plan does not speak of target %q", n))
		}
	}
	if len(names) == 0 {
		return nil, usage(errors.New("--apply: the plan speaks of no target"))
	}
	return names, nil
}

func writePlan(path string, p *cleanup.PlanFile) error {
	b, err := p.Encode()
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("--plan: %w", err)
	}
	return nil
}
