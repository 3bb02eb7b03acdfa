package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/validate"
)

type validateFlags struct {
	placeFlags
	all    bool
	level  string
	subset string
}

func newValidate(a *app) *cobra.Command {
	var f validateFlags
	cmd := &cobra.Command{
		Use:   "validate [ID|latest]",
		Short: "Prove that snapshots can be restored",
		Long: `Prove that a snapshot, by default the latest in every target, can be restored.

  --level objects  every object that it needs is listed with its size
  --level data     every byte that it needs is read, and every hash agrees
  --level content  data, and the stores pass their own checks (default for one snapshot)

At level data, with several snapshots, each stored volume is read once and proved by its
hash for all of them; the ids of its chunks are compared for the first that needs it.

What a damaged snapshot has lost is looked for, at the levels that read, in other snapshots and
in the other targets, where a restore would look: the report says how much of it is there.

What a cleanup is deleting is left out of --all with a warning when it lacks something.

An object that fails its hash twice is marked as damaged in the target, and the next
create stores what it held again. With --from nothing is marked: only a configuration
says that the target is ours to write to.

Exit codes:
  0   all is well
  4   damage was found
  5   something could not be found out`,
		Args: exactly("[ID]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options(args)
			if err != nil {
				return usage(err)
			}
			ref := repository.Latest
			if len(args) > 0 {
				ref = args[0]
			}
			return a.validate(cmd.Context(), f, ref, o)
		},
	}
	f.bind(cmd.Flags())
	cmd.Flags().BoolVar(&f.all, "all", false, "all snapshots of the set, at level data unless --level says otherwise")
	cmd.Flags().StringVar(&f.level, "level", "", "`depth`: objects, data or content")
	cmd.Flags().StringVar(&f.subset, "subset", "", "`k/n`: only the k-th of n parts of the data, at level data; 1/n to n/n cover all")
	return cmd
}

// options reads level and subset.
func (f *validateFlags) options(args []string) (o validate.Options, err error) {
	if f.all && len(args) > 0 {
		return o, errors.New("validate: an ID and --all exclude each other")
	}
	o.Level = validate.Level(f.level)
	if f.subset != "" {
		n, err := fmt.Sscanf(f.subset, "%d/%d", &o.Subset.K, &o.Subset.N)
		if err != nil || n != 2 || o.Subset.K < 1 || o.Subset.K > o.Subset.N || f.subset != fmt.Sprintf("%d/%d", o.Subset.K, o.Subset.N) {
			return o, fmt.Errorf("--subset %q: want k/n, as 1/7", f.subset)
		}
		if o.Level != "" && o.Level != validate.Data {
			return o, fmt.Errorf("--subset is for --level data")
		}
		o.Level = validate.Data
	}
	levels := []validate.Level{validate.Objects, validate.Data, validate.Content}
	switch {
	case o.Level == "" && f.all:
		o.Level = validate.Data
	case o.Level == "":
		o.Level = validate.Content
	case !slices.Contains(levels, o.Level):
		return o, fmt.Errorf("--level %q: want objects, data or content", f.level)
	}
	return o, nil
}

func (a *app) validate(ctx context.Context, f validateFlags, ref string, o validate.Options) (err error) {
	places, c, err := a.places(f.placeFlags)
	if err != nil {
		return err
	}
	dir, remove, err := scratchFor(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	o.Scratch, o.Mark, o.Tool, o.Now = dir, c != nil, "holdfast "+toolVersion(), a.now
	if o.Host, err = os.Hostname(); err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}

	r := validateReport{head: summary("validate", exitOK), Level: o.Level, Subset: f.subset, Targets: []validateTarget{}}
	ask := f.ask(nil, c)
	var errs []error
	p, stop := a.progress()
	o.Progress = p
	for _, pl := range places {
		t, err := a.validatePlace(ctx, pl, places, ref, ask, f.all, o)
		if ctx.Err() != nil {
			stop()
			return context.Cause(ctx)
		}
		if err != nil {
			errs = append(errs, err)
			t.Error = a.targetError(ctx, err)
		}
		r.Targets = append(r.Targets, t)
	}
	stop()
	for _, t := range r.Targets {
		if t.passed != nil {
			a.warn(t.passed)
		}
	}
	// An id is looked for in every target, and is unique to one.
	if ref != repository.Latest && !f.all && len(errs) < len(places) {
		r.Targets = slices.DeleteFunc(r.Targets, func(t validateTarget) bool { return t.Error != nil && t.Error.Code == exitNoMatch })
	}
	if len(errs) == len(places) && !slices.ContainsFunc(r.Targets, func(t validateTarget) bool { return len(t.Snapshots) > 0 }) {
		return worst(ctx, errs)
	}
	r.Code = r.verdict()
	if r.Code == exitDamage && f.from != "" {
		a.warn(errors.New("with --from nothing is marked as damaged: validate with the configuration, so that the next create stores it again"))
	}
	return a.finish(r)
}

// worst returns the first error that says more than that there is no such snapshot.
func worst(ctx context.Context, errs []error) error {
	for _, err := range errs {
		if classify(ctx, err).code != exitNoMatch {
			return err
		}
	}
	return errs[0]
}

// validatePlace validates in one target. The report holds what was found before
// an error.
func (a *app) validatePlace(ctx context.Context, p place, places []place, ref string, ask repository.Ask, all bool, o validate.Options) (validateTarget, error) {
	t := validateTarget{Target: p.name, Snapshots: []validateSnapshot{}, Marked: []string{}}
	opened, err := a.connect(ctx, p)
	if err != nil {
		return t, err
	}
	defer opened.close()
	var closeOthers func()
	o.Fallback, closeOthers = a.fallback(places, p.name)
	defer closeOthers()
	o.Repository, o.Progress = opened.Repository, progress.Or(o.Progress)
	if o.View, err = opened.View(ctx, opened.set); err != nil {
		return t, err
	}
	if o.All = all; all {
		if o.Snapshots, err = opened.Snapshots(ctx, o.View); err != nil {
			return t, err
		}
		if len(o.Snapshots) == 0 {
			return t, fmt.Errorf("%w: set %s in target %s is empty", repository.ErrNoSnapshot, opened.set, p.name)
		}
	} else {
		c, err := opened.Find(ctx, o.View, ref, ask, a.now())
		if err != nil {
			return t, err
		}
		t.passed = passedOver(p.name, c)
		o.Snapshots = []repository.Snapshot{{ID: c.ID, Manifest: c.Manifest}}
	}
	done, err := validate.Run(ctx, o)
	if done != nil {
		t.fill(done)
		for _, id := range done.Swept {
			a.warn(fmt.Errorf("target %s: snapshot %s was left out, for a cleanup is deleting it", p.name, id))
		}
	}
	return t, err
}
