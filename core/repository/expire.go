package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

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

// Expire puts the next expiry mark on each of the snapshots that is usable and not held, Readers of them at once. now
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
	all := make([]Expiry, len(ids))
	for i, id := range ids {
		all[i] = Expiry{ID: id, Held: pins.Held(id, now)}
		if all[i].Standing, err = marks.Standing(ctx, id); err != nil {
			return nil, err
		}
	}
	dealt := make([]bool, len(ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.readers())
	for i := range all {
		g.Go(func() error {
			e := &all[i]
			if e.Standing == Usable && !e.Held {
				if gctx.Err() != nil {
					return gctx.Err()
				}
				n := marks.next(e.ID)
				// Not gctx: a put that is under way when another fails is not cut off, so that it is known what it did.
				if err := r.putMark(ctx, manifest.ExpiredKey(set, e.ID, n), e.ID, note, now); err != nil {
					return err
				}
				e.N = n
			}
			dealt[i] = true
			return nil
		})
	}
	err = g.Wait()
	var done []Expiry
	for i, e := range all {
		if dealt[i] {
			done = append(done, e)
		}
	}
	return done, err
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
	if open, err := r.open(ctx, set, id); err != nil || len(open) == 0 {
		return false, err
	}
	note.Until = nil
	pin, err := r.putPin(ctx, set, id, note, rand)
	if err != nil {
		return false, err
	}
	// What is answered is what is listed behind the pin: since the listing before it, others may have undeleted
	// the snapshot, unpinned it and marked it again. No mark that is put from here on is swept while the pin is there.
	open, err := r.open(ctx, set, id)
	if errors.Is(err, ErrSwept) || errors.Is(err, ErrDamaged) {
		return false, errors.Join(err, r.dropPin(ctx, pin))
	}
	if err != nil { // the pin stays, and the next attempt goes on
		return false, err
	}
	for _, mark := range open {
		won, err := r.Answer(ctx, set, id, mark.N, manifest.Keep)
		if err != nil { // the answer may be lost: as above
			return false, err
		}
		if won != manifest.Keep {
			return false, errors.Join(r.swept(id), r.dropPin(ctx, pin))
		}
	}
	return true, nil
}

// open lists the marks on a snapshot that have no verdict. The error Is ErrSwept when one has sweep, and
// ErrDamaged when one has a verdict that cannot be read.
func (r *Repository) open(ctx context.Context, set string, id manifest.ID) ([]Mark, error) {
	marks, err := r.marks(ctx, set, id)
	if err != nil {
		return nil, err
	}
	standing, err := marks.Standing(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case standing == Expired:
		return nil, r.swept(id)
	case standing == Doubtful:
		return nil, fmt.Errorf("target %s: %w: a verdict on snapshot %s cannot be read; no cleanup deletes the snapshot", r.Store.Name(), ErrDamaged, id)
	}
	return marks.Open(id), nil
}

func (r *Repository) swept(id manifest.ID) error {
	return fmt.Errorf("target %s: snapshot %s is %w", r.Store.Name(), id, ErrSwept)
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
