package cleanup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// ErrRefused: a rule that protects snapshots stood in the way. Test with errors.Is.
var ErrRefused = errors.New("refused")

// Identifiers of refusals. They are stable.
const (
	RefusedNothing  = "nothing_listed"   // no manifest is listed, and there were some
	RefusedShrunk   = "snapshots_lost"   // snapshots are missing that nobody swept
	RefusedLastGood = "last_good"        // the one good snapshot that is left would go
	RefusedTooMuch  = "too_much_at_once" // more than half would be gone within seven days
	RefusedShared   = "not_exclusive"    // the store does not keep put-if-absent
	RefusedListing  = "listing_weak"     // the store's listings may lack what was put
	RefusedAltered  = "plan_altered"     // a plan's file was changed
	RefusedMoved    = "world_moved"      // the set is not as it was when a plan was made
)

// Refusal is a rule that stood in the way. It Is ErrRefused.
type Refusal struct {
	ID      string // one of the identifiers above
	Message string
	Next    string // what a person can do; may be empty
}

func (e *Refusal) Error() string { return e.Message }

// Is matches ErrRefused.
func (e *Refusal) Is(target error) bool { return target == ErrRefused }

func refuse(id, message, next string) error { return &Refusal{id, message, next} }

// window is how far back deletions count: seven days, less half a day, so that of runs at one hour of
// the day the eighth does not count.
const window = 7*24*time.Hour - 12*time.Hour

// guard refuses what was foreseen. Errors that are no refusal are the store's.
func (r *run) guard(ctx context.Context, f *Foresight) error {
	if err := r.guardListing(ctx); err != nil {
		return err
	}
	if err := r.guardLastGood(append(slices.Clone(f.Mark), f.Sweep...)); err != nil {
		return err
	}
	return r.guardShare(ctx, f)
}

// guardListing compares the listing with what is known.
func (r *run) guardListing(ctx context.Context) error {
	var lost []manifest.ID
	for _, id := range r.Known {
		if r.fates[id] != nil || slices.Contains(lost, id) {
			continue
		}
		standing, err := r.view.Standing(ctx, id)
		if err != nil {
			return err
		}
		if standing != repository.Expired {
			lost = append(lost, id)
		}
	}
	switch {
	case len(lost) == 0:
		return nil
	case len(r.ids) == 0:
		return refuse(RefusedNothing, fmt.Sprintf("target %s lists no snapshot of set %s, which had %d: nothing is deleted", r.repo.Store.Name(), r.Set, len(lost)),
			"is the right disk mounted, and can all of it be read?")
	case r.Force:
		return nil
	}
	slices.Sort(lost)
	return refuse(RefusedShrunk, fmt.Sprintf("target %s does not list %d snapshots that were there and that no cleanup swept, the newest is %s: nothing is deleted",
		r.repo.Store.Name(), len(lost), lost[len(lost)-1]), "if they were deleted by hand, say --force")
}

// guardLastGood sees that a good snapshot stays, if one is among those that go.
func (r *run) guardLastGood(going []manifest.ID) error {
	goes := false
	for _, id := range r.ids {
		f := r.fates[id]
		switch {
		case f.Grade != manifest.Good:
		case slices.Contains(going, id):
			goes = true
		case f.Standing == repository.Usable:
			return nil
		}
	}
	if !goes {
		return nil
	}
	return refuse(RefusedLastGood, "no good snapshot would be left that is not marked: nothing is deleted", "make a good snapshot first, or undelete one")
}

// guardRival sees that, when good snapshots go, one stays that no other run is about to delete. It looks behind this
// run's own verdicts: of two runs that each give up what the other keeps, the one that looks later sees those of both.
func (r *run) guardRival(ctx context.Context, l *living) error {
	good := func(b *ballot) bool { return b.grade == manifest.Good }
	if !slices.ContainsFunc(l.inside, good) {
		return nil
	}
	for _, b := range slices.Backward(l.outside) { // the newest is the likeliest to stay
		if !good(b) {
			continue
		}
		swept, err := r.repo.Swept(ctx, r.Set, b.id)
		if err != nil || !swept {
			return err
		}
	}
	return refuse(RefusedLastGood, "no good snapshot would be left, for a cleanup of another policy deletes those that this one keeps: nothing is deleted",
		"make a good snapshot first, and give all hosts that clean up here one policy")
}

// guardShare refuses when more than half of the set would be gone within seven days, what was deleted already
// included. What other hosts deleted counts as snapshots, but not in bytes.
func (r *run) guardShare(ctx context.Context, f *Foresight) error {
	fresh := f.Sweep
	if s := r.memory.Sweep; s != nil { // what waits was let pass when it began
		fresh = without(fresh, s.Expired)
	}
	if len(fresh) == 0 || r.Force {
		return nil
	}
	gone, goneBytes := 0, int64(0)
	for id := range r.view.Each {
		if r.fates[id] != nil || !r.recent(id) {
			continue
		}
		standing, err := r.view.Standing(ctx, id)
		if err != nil {
			return err
		}
		if standing == repository.Expired {
			gone++
		}
	}
	for _, d := range r.memory.Deleted {
		if r.now.Sub(d.At) < window {
			goneBytes += d.Bytes
		}
	}
	all, allBytes := gone+len(r.ids), goneBytes+r.bytes(nil)
	gone, goneBytes = gone+len(f.Sweep), allBytes-r.bytes(f.Sweep)
	if gone*2 <= all && goneBytes*2 <= allBytes {
		return nil
	}
	return refuse(RefusedTooMuch, fmt.Sprintf("within seven days %d of %d snapshots and %d of %d bytes would be gone, more than half", gone, all, goneBytes, allBytes),
		"see what would go with a dry run; if it is meant, say --force")
}

// recent reports whether a snapshot was answered with sweep within the window.
func (r *run) recent(id manifest.ID) bool {
	_, last := r.view.Keys(id)
	return last.IsZero() || r.now.IsZero() || r.now.Sub(last) < window
}

// bytes is the size of all objects that manifests outside of those snapshots name.
func (r *run) bytes(without []manifest.ID) (n int64) {
	seen := map[string]bool{}
	for _, b := range r.ballots {
		if slices.Contains(without, b.id) {
			continue
		}
		for _, o := range b.objects {
			if !seen[o.key] {
				seen[o.key] = true
				n += o.size
			}
		}
	}
	return n
}
