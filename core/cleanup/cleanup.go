// Package cleanup deletes what retention gives up from one target's repository, one set at a time, and
// what dead creates left. It is the sweeper of section 13 of the repository format; other hosts may
// create, pin and clean up at the same time.
//
// [Run] does it all. Without [Options.Confirm] it changes nothing, not even a mark, and reports what it
// would do. With it, it goes the steps of the format in their order:
//
//	   probe    what time it is by the store's own clock, and whether the store keeps put-if-absent
//	   survey   marks, verdicts, manifests, pins, intents; the plan decides; the guards refuse
//	G1 marks    expiry marks on what the plan gives up
//	G2 verdicts sweep for marks that are older than the grace; E is what is expired and given up and not held
//	G3 K        what lies in archives/
//	G4 I        what lies in intents/
//	G5 resolve  every create in I has voted, or is revoked when it is too old, or the sweep waits for it
//	G6 live     manifests/ until two listings agree, every body
//	G7 delete   what of K no live manifest names, then the manifests of E
//
// A sweep that waits keeps (E, K, I) in its [Notebook]; the next Run goes on with them from G5, before it
// begins a sweep of its own.
//
// Every effect goes through the repository's Store, one at a time when Workers and the repository's Readers
// are 1, and nothing is remembered but in the Notebook: to drive runs against each other in a test, give each its
// own Repository with a Store of its own, Options.Plan, Now and Rand, and no or an in-memory Notebook. Ages are
// told from the ModTime of listed objects only. Any error before G7 means that nothing was deleted; an error
// in G7 stops it, and what is left is found by the next Run.
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
)

// The constants of section 13.3 of the format. No program may use other values for MaxSession and Kept;
// a longer Grace harms nobody.
const (
	MaxSession = 24 * time.Hour       // how old an intent must be before its create may be revoked
	Grace      = 7 * 24 * time.Hour   // how old a mark must be before it is answered with sweep
	Kept       = 365 * 24 * time.Hour // how long marks, verdicts and tombstones outlive what they speak of
)

// Options of a Run. What is not marked optional is required.
type Options struct {
	Repository *repository.Repository
	Set        string

	// Plan decides what is kept, at the time that Now tells: usually retention.Plan with a policy. What it
	// does not speak of is kept.
	Plan func(snapshots []retention.Snapshot, now time.Time) []retention.Decision

	Confirm   bool // do it; else only report what would be done
	NoGrace   bool // marks need not be older than Grace
	Force     bool // more than half may go at once, and snapshots may be missing that are Known
	Exclusive bool // nothing else runs: the store need not keep put-if-absent

	// Known are snapshots that were seen in this repository before, on whatever occasion. Where one is missing that
	// nobody swept, the listing is not believed.
	Known []manifest.ID

	// Only and World are of a plan that was written down: see TargetPlan.Bind. What Only, if it is not nil,
	// does not name is left alone, and a set that is not as World, if it is not "", says is refused.
	Only  *Foresight
	World string

	Notebook Notebook // optional: what a run must remember for the next
	Host     string
	Tool     string
	Rand     io.Reader
	Now      func() time.Time // this host's clock; for the plan, for ends of pins and for notes, never for ages
	Workers  int              // optional: how many objects are deleted at once; 0 means 8
}

// Run cleans up. The report is returned in every case and then holds what is known. The error Is ErrRefused
// when a guard stood in the way; in a dry run that is no error, and is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Workers <= 0 {
		o.Workers = 8
	}
	r := &run{Options: o, repo: o.Repository, at: o.Now()}
	r.report = &Report{DryRun: !o.Confirm, At: r.at}
	err := r.run(ctx)
	for _, id := range r.ids {
		r.report.Snapshots = append(r.report.Snapshots, *r.fates[id])
	}
	if err != nil && !errors.Is(err, ErrRefused) {
		err = fmt.Errorf("clean up set %s in target %s: %w", o.Set, r.repo.Store.Name(), err)
	}
	return r.report, err
}

// run is one Run.
type run struct {
	Options
	repo   *repository.Repository
	report *Report
	memory *memory
	at     time.Time // by this host's clock
	now    time.Time // by the store's own clock; zero: not known, and then everything is young
	keeps  bool      // the store was seen to keep put-if-absent

	view    *repository.View
	pins    repository.Pins
	intents []intent
	ballots map[string]*ballot // by key
	ids     []manifest.ID      // of those with a manifest, ascending
	fates   map[manifest.ID]*Snapshot
	last    *living // of the last sweep that was finished
}

func (r *run) run(ctx context.Context) error {
	r.remember()
	if err := r.look(ctx); err != nil {
		return err
	}
	if r.Confirm {
		if err := r.probe(ctx); err != nil {
			return err
		}
	}
	if err := r.survey(ctx); err != nil {
		return err
	}
	r.decide()
	f := r.bounded(r.foresee())
	r.report.Foresight = f
	if r.Confirm {
		r.leave(f) // from here on a fate is what was done
	} else {
		r.report.foreseen(f, r.view.Archives)
	}
	if refused := r.guard(ctx, f); refused != nil || !r.Confirm {
		if r.Confirm || !errors.Is(refused, ErrRefused) {
			return refused
		}
		r.report.Refused = refused
		return nil
	}
	marked, err := r.mark(ctx, f) // G1
	if err != nil {
		return err
	}
	if done, err := r.resume(ctx); err != nil || !done {
		return err
	}
	s, err := r.begin(ctx, f, marked) // G2, G3, G4
	if err != nil {
		return err
	}
	if done, err := r.finish(ctx, s); err != nil || !done { // G5, G6, G7
		return err
	}
	return r.tidy(ctx)
}

// look compares the set with that of a plan that was written down, or takes it down for one.
func (r *run) look(ctx context.Context) (err error) {
	if r.Confirm && r.World == "" {
		return nil
	}
	if r.report.World, err = World(ctx, r.repo, r.Set); err != nil {
		return err
	}
	if r.World != "" && r.World != r.report.World {
		return refuse(RefusedMoved, fmt.Sprintf("target %s: set %s is not as it was when the plan was made: nothing is changed", r.repo.Store.Name(), r.Set), "make a new plan")
	}
	return nil
}

// resume goes on with a sweep that an earlier run left waiting.
func (r *run) resume(ctx context.Context) (done bool, err error) {
	s := r.memory.Sweep
	if s == nil || r.Only != nil { // what was foreseen is a sweep of its own
		return true, nil
	}
	pins, err := r.repo.Pins(ctx, r.Set)
	if err != nil {
		return false, err
	}
	// Fewer snapshots than it began with may go: the plan, or a person, may have changed their mind.
	mine := s.Expired[:0:0]
	for _, id := range s.Expired {
		if fate := r.fates[id]; (fate == nil || !fate.Keep) && !pins.Held(id, r.moments()...) {
			mine = append(mine, id)
		}
	}
	return r.finish(ctx, &sweep{Expired: mine, Archives: s.Archives, Intents: s.Intents})
}

// finish does G5 to G7. It is not done when it waits for a create; then the sweep is remembered.
func (r *run) finish(ctx context.Context, s *sweep) (done bool, err error) {
	waiting, err := r.resolve(ctx, s.Intents)
	if err != nil {
		return false, err
	}
	r.report.Waiting = waiting
	if len(waiting) > 0 {
		r.memory.Sweep = s
		r.save()
		return false, nil
	}
	live, err := r.live(ctx, s)
	if err != nil {
		return false, err
	}
	if err := r.delete(ctx, s, live); err != nil {
		return false, err
	}
	r.memory.Sweep = nil
	r.save()
	r.last = live
	if err := r.dropIntents(ctx, s.Intents); err != nil {
		return false, err
	}
	return true, r.verify(ctx, live)
}

// moments are those at which a pin that holds at one of them is taken to hold.
func (r *run) moments() []time.Time {
	if r.now.IsZero() {
		return []time.Time{r.at}
	}
	return []time.Time{r.at, r.now}
}

// old reports whether what the store shows with that time is older than d.
func (r *run) old(at time.Time, d time.Duration) bool {
	return !r.now.IsZero() && !at.IsZero() && r.now.Sub(at) > d
}

func (r *run) note() manifest.Note { return manifest.Note{Host: r.Host, Tool: r.Tool} }
