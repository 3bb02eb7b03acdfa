package restore

import (
	"context"
	"errors"

	"github.com/atocore/holdfast/core/restore/swap"
)

// Return is what Recover and Undo did.
type Return struct {
	*swap.Outcome
	// Began is how far the restore had come that Recover ended. swap.Staging: nothing live was touched.
	Began swap.Phase
	// Back: what Recover ended was itself to put back what an earlier one had replaced, as Undo does.
	Back  bool
	Blind string // as in InPlaceReport
}

// Recover ends a restore, or an undo, that was killed: everything is new, or everything is old. It
// sees first that no process uses the stores. An error that Is swap.ErrNothingToRecover means that
// there was none, but for directories that a restore which is done was to remove, which are gone now.
// The caller holds the lock of the set.
func Recover(ctx context.Context, o swap.RecoverOptions) (*Return, error) {
	j, err := swap.Look(o.Dir)
	if err != nil {
		return nil, err
	}
	if !j.Unfinished() { // nothing live is touched
		_, err := swap.Recover(ctx, o)
		return nil, err
	}
	r, err := alone(j, func() (*swap.Outcome, error) { return swap.Recover(ctx, o) })
	if r != nil {
		r.Back = j.Reverse
	}
	return r, err
}

// Undo puts back what the last restore in place replaced, and keeps what it takes away: a second Undo
// is a redo. It sees first that no process uses the stores. An error that Is swap.ErrNothingToUndo
// means that there is nothing to put back. The caller holds the lock of the set, and was told that the
// service is stopped.
func Undo(ctx context.Context, o swap.UndoOptions) (*Return, error) {
	j, err := swap.Look(o.Dir)
	switch {
	case err != nil:
		return nil, err
	case j.Phase == swap.None:
		return nil, swap.ErrNothingToUndo
	case j.Unfinished():
		return nil, swap.ErrUnfinished
	}
	return alone(j, func() (*swap.Outcome, error) { return swap.Undo(ctx, o) })
}

// alone calls f while nobody uses the journal's stores.
func alone(j *swap.Journal, f func() (*swap.Outcome, error)) (_ *Return, err error) {
	var stores, waiting []Live
	for _, it := range j.Items {
		stores = append(stores, Live{Name: it.Name, Kind: it.Kind, Path: it.Live})
		for _, path := range []string{it.From, it.To} {
			waiting = append(waiting, Live{Name: it.Name, Kind: it.Kind, Path: path})
		}
	}
	l, err := lookFor(stores, waiting...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	done, err := f()
	if err != nil {
		return nil, err
	}
	return &Return{Outcome: done, Began: j.Phase, Blind: l.blind}, nil
}
