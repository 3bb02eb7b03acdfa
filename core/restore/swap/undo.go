package swap

import (
	"context"
	"errors"
	"fmt"
)

// Undo puts back what the last swap that is done replaced, by a swap of its own: what is live now is
// kept, so that a second Undo is a redo. What the service wrote since is no obstacle. It returns what
// Run returns; with an outcome of nil and no ErrUnfinished, nothing was touched and nothing is left.
func Undo(ctx context.Context, o UndoOptions) (*Outcome, error) {
	last, err := Look(o.Dir)
	if err != nil {
		return nil, err
	}
	if !last.Undoable() && !last.Unfinished() {
		return nil, ErrNothingToUndo
	}
	s, err := begin(o.Dir, o.Now, o.Rand, o.Hooks)
	if err != nil {
		return nil, err
	}
	done := s.j.Previous
	s.check, s.j.Label, s.j.Undo, s.j.Reverse = o.Check, done.Label, !done.Undo, true
	for _, p := range done.Items {
		p.Staging, p.SideStaging, p.From, p.Made = p.Kept, p.SideKept, p.To, nil
		s.j.keep(&p)
		s.j.Items = append(s.j.Items, p)
	}
	if err := s.j.write(Staging); err != nil {
		return nil, errors.Join(err, s.Abandon())
	}
	out, err := s.Run(ctx)
	if err != nil {
		err = errors.Join(err, s.Abandon())
	}
	return out, err
}

// asKept refuses to put back a generation that is not what was kept.
func (j *journaled) asKept() error {
	now := map[string]*Slot{}
	for i := range j.Slots {
		now[j.Slots[i].Live] = &j.Slots[i]
	}
	for _, was := range j.Previous.Slots {
		is := now[was.Live]
		if (was.Old == nil) != (is == nil || is.New == nil) || was.Old != nil && !was.is(was.Old, is.New) {
			return fmt.Errorf("%w: %s is not what was kept of %s; nothing is touched", ErrNotWhole, was.Kept, was.Live)
		}
	}
	return nil
}

// Drop removes the generation that the last swap replaced, and returns its directories. It cannot be undone
// then. Killed, it is ended by the next Drop, Recover or Prepare.
func Drop(ctx context.Context, o DropOptions) ([]string, error) {
	j, err := open(o.Dir, o.Hooks)
	if err != nil {
		return nil, err
	}
	switch {
	case j.Unfinished():
		return nil, ErrUnfinished
	case j.Phase == None:
		return nil, ErrNothingToUndo
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	dropped := j.kept()
	if len(dropped) > 0 {
		j.Discard, j.Items, j.Slots = append(j.Discard, dropped...), nil, nil
		if err := j.write(Done); err != nil {
			return nil, err
		}
	} else {
		dropped = j.Discard
	}
	return dropped, j.settle()
}
