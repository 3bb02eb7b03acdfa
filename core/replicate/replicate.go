// Package replicate copies snapshots from one repository to another.
//
// [Run] does it all. A copy moves stored objects as they are: nothing is decompressed, decrypted or packed
// again. Indexes name volumes by ids of their own, which the manifest maps to keys, so a copied snapshot
// has the source's indexes and volumes under the keys of its own id; what the destination holds already
// is named where it lies. Every object is verified by its SHA-256 while it is read from the source.
//
// In the destination a copy is a create like any other: an intent first, then a listing, and only what that
// shows is leaned on (FORMAT.md, section 13.4). The source is only read: a snapshot that a cleanup takes away
// meanwhile is reported as gone, and the run goes on. A run whose context ends does not give up the create
// in progress, as a create of live stores would: its intent stays, so that the next run can go on with it.
//
// A copy keeps the stamp of its snapshot and gets a random part of its own; its origin names the first
// snapshot that it was made from. A snapshot that the destination has, from wherever, is not copied again, so
// a run that was cut short is taken up by running it again, object by object where it was killed.
package replicate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// Options of a Run. What is not marked optional is required.
type Options struct {
	From, To *repository.Repository
	Set      string
	IDs      []manifest.ID // of the source; empty: all
	Scratch  string        // a directory with room for a few volumes
	Host     string
	Tool     string
	Rand     io.Reader

	// Resume takes up what a killed run of this host left. Its caller sees to it that no other run works on
	// the same set and destination.
	Resume   bool
	DryRun   bool              // optional: tell what would be copied, and put nothing
	Now      func() time.Time  // optional: time.Now
	Progress progress.Progress // optional
}

// Outcome is what became of one snapshot.
type Outcome string

// The outcomes.
const (
	Copied   Outcome = "copied"
	Present  Outcome = "present"  // the destination has it already, and has not begun to delete it
	Expiring Outcome = "expiring" // it carries an expiry mark in the source, and was left there
	Gone     Outcome = "gone"     // a cleanup of the source took it away meanwhile
	Damaged  Outcome = "damaged"  // an object in the source is not what the manifest says, or the manifest is none
	Failed   Outcome = "failed"   // its create was revoked, the destination failed, or its manifest is of a newer format
)

// Snapshot is what became of one snapshot of the source.
type Snapshot struct {
	ID      manifest.ID // in the source
	Outcome Outcome
	As      manifest.ID    // in the destination, where it is there
	Grade   manifest.Grade // "" when the manifest cannot be read
	Sent    int64          // bytes put, or on a dry run those that would be; also of one that failed
	Shared  int64          // bytes of its objects that the destination had
	Resumed bool           // it goes on with what a killed run put
	Err     error          // why it was not copied; nil for Copied and Present
	Note    string         // what else is to be said; may be empty
}

// Report is what a Run did, oldest snapshot first.
type Report struct {
	Snapshots []Snapshot
	Notes     []string
}

// Count is how many snapshots came to that.
func (r *Report) Count(o Outcome) (n int) {
	for _, s := range r.Snapshots {
		if s.Outcome == o {
			n++
		}
	}
	return n
}

// ErrSame: source and destination are one repository.
var ErrSame = errors.New("source and destination are the same repository")

// Run copies the snapshots, oldest first. What is wrong with one of them is in the report; the error is for a
// run that could not go on, as when the destination is full or a target cannot be reached, and comes with
// the report so far. When ctx ends, the copy in progress keeps its place: the next run resumes it.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Progress = progress.Or(o.Progress)
	r := &run{Options: o, report: &Report{}, would: map[manifest.ID]bool{}}
	err := r.run(ctx)
	if err != nil {
		err = fmt.Errorf("copy set %s from target %s to target %s: %w", o.Set, o.From.Store.Name(), o.To.Store.Name(), err)
	}
	return r.report, err
}

type run struct {
	Options
	report   *Report
	present  map[repository.Identity]manifest.ID // in the destination
	there    *repository.Marks                   // in the destination
	sequence int64                               // the greatest there
	cache    []*manifest.Manifest                // of the destination: those read or made last
	would    map[manifest.ID]bool                // on a dry run: what would have been made
}

func (r *run) run(ctx context.Context) error {
	if r.From.ID == r.To.ID {
		return fmt.Errorf("%w, %s", ErrSame, r.From.ID)
	}
	view, err := r.From.View(ctx, r.Set)
	if err != nil {
		return err
	}
	if err := r.survey(ctx); err != nil {
		return err
	}
	for _, id := range view.IDs {
		if len(r.IDs) > 0 && !slices.Contains(r.IDs, id) {
			continue
		}
		s, err := r.snapshot(ctx, view, id)
		if s.Outcome != "" {
			r.report.Snapshots = append(r.report.Snapshots, s)
		}
		if err != nil {
			return err
		}
	}
	if r.report.Count(Copied) > 0 && !r.DryRun {
		if _, err := r.To.Store.RemoveStale(ctx); err != nil {
			r.report.Notes = append(r.report.Notes, fmt.Sprintf("what killed puts left behind could not be removed, the next create will try again: %v", err))
		}
	}
	return ctx.Err()
}

// survey learns which snapshots the destination has, and its greatest sequence. What a cleanup there has begun to
// delete, it has no more.
func (r *run) survey(ctx context.Context) error {
	view, err := r.To.View(ctx, r.Set)
	if err != nil {
		return err
	}
	r.there = view.Marks
	r.present = map[repository.Identity]manifest.ID{}
	for _, id := range view.IDs {
		m, err := r.To.Load(ctx, r.Set, id)
		switch {
		case errors.Is(err, repository.ErrRevoked), errors.Is(err, target.ErrNotFound):
			continue
		case errors.Is(err, repository.ErrDamaged):
			r.report.Notes = append(r.report.Notes, fmt.Sprintf("what this one is a snapshot of is not known: %v", err))
			continue
		case err != nil:
			return err
		}
		standing, err := r.there.Standing(ctx, id)
		if err != nil {
			return err
		}
		if standing == repository.Expired {
			r.sequence = max(r.sequence, m.Sequence)
			continue
		}
		r.remember(m)
	}
	return nil
}

// remember notes a snapshot of the destination.
func (r *run) remember(m *manifest.Manifest) {
	for _, i := range repository.Identities(m) {
		r.present[i] = m.ID
	}
	r.sequence = max(r.sequence, m.Sequence)
}

// snapshot deals with one snapshot of the source. The error ends the run.
func (r *run) snapshot(ctx context.Context, view *repository.View, id manifest.ID) (s Snapshot, err error) {
	s.ID = id
	m, sum, err := r.From.LoadSum(ctx, r.Set, id)
	switch {
	case errors.Is(err, repository.ErrRevoked), errors.Is(err, target.ErrNotFound) && len(r.IDs) == 0:
		return Snapshot{}, nil
	case errors.Is(err, target.ErrNotFound):
		s.Outcome, s.Err = Gone, err
		return s, nil
	case errors.Is(err, repository.ErrDamaged):
		s.Outcome, s.Err = Damaged, err
		var decode *manifest.DecodeError
		if errors.As(err, &decode) && decode.ID == manifest.UnsupportedFormat {
			s.Outcome = Failed
		}
		return s, nil
	case err != nil:
		return Snapshot{}, err
	}
	s.Grade = m.Grade
	for _, i := range repository.Identities(m) {
		if as, ok := r.present[i]; ok {
			s.Outcome, s.As = Present, as
			usable, err := r.there.Usable(ctx, as)
			if err == nil && !usable {
				s.Note = fmt.Sprintf("it is marked as expired in the destination, as %s", as)
			}
			return s, err
		}
	}
	usable, err := view.Usable(ctx, id)
	if err != nil {
		return Snapshot{}, err
	}
	if !usable {
		s.Outcome, s.Err = Expiring, errors.New("it is marked as expired in the source")
		return s, nil
	}
	return r.copy(ctx, m, sum)
}
