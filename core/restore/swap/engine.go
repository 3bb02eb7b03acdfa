package swap

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// exchanger brings the new of every slot to its live name and the old to the kept one. Each step
// looks where things are, so that it can begin anywhere. To go back, it is given inverted slots.
type exchanger struct {
	h     Hooks
	way   string // in the names of failpoints
	slots []Slot
}

func forward(h Hooks, s []Slot) exchanger { return exchanger{h, "forward", s} }

func backward(h Hooks, s []Slot) exchanger {
	inverted := slices.Clone(s)
	for i := range inverted {
		t := &inverted[i]
		t.Old, t.New, t.Staged, t.Kept = t.New, t.Old, t.Kept, t.Staged
	}
	return exchanger{h, "back", inverted}
}

// run exchanges, and compares what is live then, to the last byte, with what should be.
func (e exchanger) run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{e.lendOut, e.out, e.in, e.lendIn, e.verify} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (e exchanger) point(verb string, s Slot) string { return e.way + " " + verb + " " + s.Name }

// lendOut links sidecars to where they will be kept, because SQLite deletes those that it finds beside
// no database.
func (e exchanger) lendOut(context.Context) error {
	for _, s := range e.slots {
		if s.Rank == sidecar && s.Old != nil {
			if err := e.h.lend(e.point("link out", s), s.Old, s.Live, s.Kept); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e exchanger) out(ctx context.Context) error {
	for _, s := range e.slots {
		var err error
		switch {
		case s.Overwrite && s.Rank == mainDatabase:
			err = e.scrub(ctx, s)
		case s.Overwrite || s.Old == nil:
		default:
			err = e.putOut(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putOut leaves alone what is not there any more, or is not there yet.
func (e exchanger) putOut(s Slot) error {
	live, err := glance(s.Live)
	if err != nil {
		return err
	}
	if !sameInode(live, s.Old) {
		return e.h.syncNames(e.point("out", s), s.Live, s.Kept)
	}
	return e.h.relocate(e.point("out", s), s.Old, s.Live, s.Kept)
}

func (e exchanger) in(ctx context.Context) error {
	for _, s := range e.slots {
		if s.Overwrite {
			if err := e.overwriteRest(ctx, s); err != nil { // before its sidecars come; see halfHeader
				return err
			}
		}
	}
	for _, s := range slices.Backward(e.slots) {
		var err error
		switch {
		case s.Overwrite:
			err = e.overwriteHeader(ctx, s)
		case s.New == nil:
		case s.Rank == sidecar:
			if err = e.h.lend(e.point("link in", s), s.New, s.Staged, s.Live); err != nil {
				break
			}
			if live, lerr := glance(s.Live); lerr != nil || !sameInode(live, s.New) {
				err = errors.Join(lerr, e.h.relocate(e.point("in", s), s.New, s.Staged, s.Live))
			}
		default:
			err = e.h.relocate(e.point("in", s), s.New, s.Staged, s.Live)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lendIn takes the second names of sidecars away, now that the database has its own.
func (e exchanger) lendIn(context.Context) error {
	for _, s := range e.slots {
		if s.Rank == sidecar && s.New != nil {
			if err := e.h.relocate(e.point("unlink", s), s.New, s.Staged, s.Live); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e exchanger) verify(ctx context.Context) error {
	return e.h.step(e.way+" verify", func() error {
		for _, s := range e.slots {
			live, err := measure(ctx, s.Live)
			if err != nil {
				return err
			}
			if (live == nil) != (s.New == nil) || live != nil && !s.is(s.New, live) {
				return fmt.Errorf("%s: %w: it is not what was put there", s.Live, ErrNotWhole)
			}
		}
		return nil
	})
}

// is says that what was found is the node, by inode and content.
func (s *Slot) is(n, found *Node) bool {
	switch {
	case s.Overwrite:
		return sameContent(n, found)
	case s.Loose:
		return sameInode(n, found)
	}
	return sameInode(n, found) && sameContent(n, found)
}
