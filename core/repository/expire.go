package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// ErrSwept: the snapshot's mark was answered with sweep: nothing brings it back.
var ErrSwept = errors.New("being deleted: it cannot be brought back")

// Expiry is what Expire did for one snapshot.
type Expiry struct {
	ID       manifest.ID
	N        int      // of the mark that was put; 0 when none was
	Standing Standing // before
	Held     bool     // by a pin
}

// Expire puts the next expiry mark on each of the snapshots that is usable and not held, in the given order. now
// says which pins hold. A mark that another run puts at the same moment is as good as its own.
// The snapshots that were dealt with before an error are returned with it.
func (r *Repository) Expire(ctx context.Context, set string, ids []manifest.ID, note manifest.Note, now time.Time) ([]Expiry, error) {
	marks, err := r.Marks(ctx, set)
	if err != nil {
		return nil, err
	}
	pins, err := r.Pins(ctx, set)
	if err != nil {
		return nil, err
	}
	var done []Expiry
	for _, id := range ids {
		e := Expiry{ID: id, Held: pins.Held(id, now)}
		if e.Standing, err = marks.Standing(ctx, id); err != nil {
			return done, err
		}
		if e.Standing == Usable && !e.Held {
			e.N = marks.next(id)
			if err := r.putMark(ctx, manifest.ExpiredKey(set, id, e.N), id, note, now); err != nil {
				return done, err
			}
		}
		done = append(done, e)
	}
	return done, nil
}

func (r *Repository) putMark(ctx context.Context, key string, id manifest.ID, note manifest.Note, now time.Time) error {
	note.ID, note.At = id, now.UTC()
	b, err := note.Encode()
	if err != nil {
		return err
	}
	outcome, err := r.Store.PutBytes(ctx, key, b, target.PutOptions{})
	if outcome == target.ExistsOther && errors.Is(err, target.ErrExists) {
		return nil // another run's mark
	}
	return err
}

// Undelete takes the unanswered mark on a snapshot back: a pin without end holds it, and keep is the mark's verdict.
// It stays held until Unpin. pinned is false when no mark was open, and then nothing was done. The error
// Is ErrSwept when sweep was first.
func (r *Repository) Undelete(ctx context.Context, set string, id manifest.ID, note manifest.Note, rand io.Reader) (pinned bool, err error) {
	if _, err := r.Load(ctx, set, id); err != nil {
		return false, err
	}
	marks, err := r.marks(ctx, set, id)
	if err != nil {
		return false, err
	}
	standing, err := marks.Standing(ctx, id)
	switch {
	case err != nil:
		return false, err
	case standing == Usable:
		return false, nil
	case standing == Expired:
		return false, fmt.Errorf("target %s: snapshot %s is %w", r.Store.Name(), id, ErrSwept)
	case standing == Doubtful:
		return false, fmt.Errorf("target %s: %w: a verdict on snapshot %s cannot be read; no cleanup deletes the snapshot", r.Store.Name(), ErrDamaged, id)
	}
	note.Until = nil
	pin, err := r.putPin(ctx, set, id, note, rand)
	if err != nil {
		return false, err
	}
	for _, mark := range marks.Open(id) {
		won, err := r.Answer(ctx, set, id, mark.N, manifest.Keep)
		if err != nil { // the answer may be lost: the pin stays, and the next attempt goes on
			return false, err
		}
		if won != manifest.Keep {
			return false, errors.Join(fmt.Errorf("target %s: snapshot %s is %w", r.Store.Name(), id, ErrSwept), r.dropPin(ctx, pin))
		}
	}
	return true, nil
}

// Answer puts a verdict on a mark, if there is none, and returns the one that stands, which is to be
// obeyed: "" when it is neither word.
func (r *Repository) Answer(ctx context.Context, set string, id manifest.ID, n int, says manifest.Verdict) (manifest.Verdict, error) {
	outcome, err := r.Store.PutBytes(ctx, manifest.VerdictKey(set, id, n), []byte(says), target.PutOptions{})
	switch {
	case err == nil:
		return says, nil
	case outcome == target.ExistsOther && errors.Is(err, target.ErrExists):
		return r.verdict(ctx, set, id, n)
	}
	return "", err
}
