// Package backup makes snapshots: sources become frozen copies, frozen copies become archives, and a
// manifest in each target makes the snapshot exist there.
//
// [Run] does it all. The sources are captured first, at one instant, into staging, and let go. Then
// every target stands on its own: it has its own session, parent and manifest, and its failure neither
// stops nor changes the others. Targets whose parents hold the same stream of a component form a group
// that shares the work: a chunk is stored when any of the group lacks it, and is compressed once.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
)

// Component is a configured component.
type Component struct {
	Source   source.Source
	Format   string // for kind file: "json" or ""
	Optional bool   // its absence is a note, unless it was there in the newest good snapshot that was to have it

	// Inspected is what full checks found in exactly the copy that Source will give; it is then not looked into
	// again, and compared with no other snapshot. nil, as for every live store: it is inspected.
	Inspected *source.Report
}

// Past makes a snapshot one of an earlier moment, as an import does: its id and its captured_at are of that
// moment, whatever snapshots there are already, and only those that are not newer may be its parent. It is
// all or nothing: a component that fails ends the run. State is asked, and remembers nothing.
type Past struct {
	At     time.Time
	Origin manifest.Origin
}

// CheckMode says which checks a create makes on what it captured.
type CheckMode string

// Auto makes the quick checks always, and the full ones when the last full ones did not pass or are over
// a day old. Quick after full ones that did not pass is no better than degraded.
const (
	CheckAuto  CheckMode = "auto"
	CheckQuick CheckMode = "quick"
	CheckFull  CheckMode = "full"
	CheckNone  CheckMode = "none"
)

// fullEvery is how old the last full check may be.
const fullEvery = 24 * time.Hour

// Options of a Run. What is not marked optional is required.
type Options struct {
	Set        string
	Components []Component
	Targets    []*target.Store
	Staging    string // an existing directory on a file system with room for the copies
	Tags       []string
	Check      CheckMode
	Host       string
	Tool       string
	Rand       io.Reader  // read by several goroutines at once, as crypto/rand.Reader may be
	State      *state.Dir // optional: remembers what was seen in each target; one that holds another repository now fails

	Guard         Guard             // optional: nothing is looked at
	Past          *Past             // optional: the snapshot is not of now
	DryRun        bool              // optional: capture, check and compress, and put nothing
	Now           func() time.Time  // optional: time.Now
	FreezeTimeout time.Duration     // optional: source.FreezeTimeout
	Workers       int               // optional: one per CPU, at most 16
	Progress      progress.Progress // optional
}

// ErrNothing: no component could be captured, or no target could be opened; nothing was committed.
var ErrNothing = errors.New("no snapshot was made")

// Run captures the components and commits a snapshot to every target. The error is for a run that came
// to nothing anywhere; a target that failed, or a component that is missing, is in the report, which
// is returned in every case and then holds what is known.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Workers == 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), 16)
	}
	o.Progress = progress.Or(o.Progress)
	r := &run{Options: o, report: &Report{}}
	err := r.run(ctx)
	if err != nil {
		err = fmt.Errorf("create a snapshot of set %s: %w", o.Set, err)
	}
	return r.report, err
}

type run struct {
	Options
	report  *Report
	targets []*targetRun
	scratch string
	cut     *source.Result
}

func (r *run) run(ctx context.Context) (err error) {
	if err := r.open(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(r.Staging, "create-")
	if err != nil {
		return fmt.Errorf("staging: %w", err)
	}
	r.scratch = dir
	defer func() {
		rerr := os.RemoveAll(dir)
		if rerr != nil && err == nil { // the snapshot is there
			r.report.Targets[0].Notes = append(r.report.Targets[0].Notes, fmt.Sprintf("staging could not be cleared: %v", rerr))
		} else {
			err = errors.Join(err, rerr)
		}
	}()
	if err := r.capture(ctx, filepath.Join(dir, "copies")); err != nil {
		return err
	}
	defer r.end(ctx)
	r.begin(ctx)
	if err := r.nothing(); err != nil {
		return err
	}
	packed, err := r.pack(ctx)
	if err != nil {
		return err
	}
	r.commit(ctx, packed)
	return r.nothing()
}

// nothing is the run's error when no target is left.
func (r *run) nothing() error {
	errs := []error{ErrNothing}
	for _, t := range r.targets {
		if t.Err == nil {
			return nil
		}
		errs = append(errs, t.Err)
	}
	return errors.Join(errs...)
}

// open opens all repositories, before any store is touched.
func (r *run) open(ctx context.Context) error {
	if len(r.Targets) == 0 {
		return fmt.Errorf("%w: no target is given", ErrNothing)
	}
	r.report.Targets = make([]TargetReport, len(r.Targets))
	var g sync.WaitGroup
	for n, store := range r.Targets {
		t := &targetRun{n: n, TargetReport: TargetReport{Name: store.Name(), Stored: map[string]int64{}}}
		r.targets = append(r.targets, t)
		g.Go(func() {
			t.repo, t.Err = r.openTarget(ctx, store)
		})
	}
	g.Wait()
	for _, t := range r.targets {
		r.report.Targets[t.n] = t.TargetReport
	}
	return r.nothing()
}

// openTarget opens a repository, unless it is not the one that is remembered.
func (r *run) openTarget(ctx context.Context, store *target.Store) (*repository.Repository, error) {
	repo, err := repository.Open(ctx, store)
	if r.State == nil || err != nil && !errors.Is(err, repository.ErrNotInitialised) {
		return repo, err
	}
	id := ""
	if repo != nil {
		id = repo.ID
	}
	if replaced := r.State.Check(r.Set, store.Name(), id); replaced != nil {
		return nil, replaced
	}
	return repo, err
}

// capture takes the cut.
func (r *run) capture(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("staging: %w", err)
	}
	var sources []source.Source
	for _, c := range r.Components {
		sources = append(sources, c.Source)
	}
	var err error
	r.cut, err = source.Cut(ctx, sources, source.Options{
		Staging: dir, FreezeTimeout: r.FreezeTimeout, Now: r.Now, Progress: r.Progress,
	})
	if err != nil {
		return err
	}
	if r.Past != nil {
		r.cut.Instant = r.Past.At.UTC()
	}
	r.report.CapturedAt = r.cut.Instant
	var failed []error
	for _, c := range r.Components {
		name := c.Source.Name()
		report := ComponentReport{Name: name, Kind: c.Source.Kind(), Held: r.cut.Held[name], Err: r.cut.Failed[name]}
		if f := r.cut.Frozen[name]; f != nil {
			report.Size = f.Size()
		}
		r.report.Components = append(r.report.Components, report)
		if report.Err != nil {
			failed = append(failed, report.Err)
		}
	}
	if len(r.cut.Frozen) == 0 || r.Past != nil && len(failed) > 0 {
		return errors.Join(append([]error{fmt.Errorf("%w: no component could be captured", ErrNothing)}, failed...)...)
	}
	return nil
}

// begin starts a session in every target that is open.
func (r *run) begin(ctx context.Context) {
	var g sync.WaitGroup
	for _, t := range r.targets {
		if t.Err != nil {
			continue
		}
		g.Go(func() {
			t.Err = t.begin(ctx, r)
		})
	}
	g.Wait()
}

// end gives up the sessions that did not come to their vote.
func (r *run) end(ctx context.Context) {
	var g sync.WaitGroup
	for _, t := range r.targets {
		g.Go(func() { t.end(ctx) })
	}
	g.Wait()
	for _, t := range r.targets {
		r.report.Targets[t.n] = t.TargetReport
	}
}

// commit votes in every target that is left.
func (r *run) commit(ctx context.Context, components []packedComponent) {
	r.grade(ctx, components)
	var g sync.WaitGroup
	for _, t := range r.targets {
		if t.Err != nil {
			continue
		}
		g.Go(func() {
			t.Err = t.commit(ctx, r, components)
		})
	}
	g.Wait()
}
