package swap

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Run replaces every item by what is staged. With an error the outcome is nil when nothing was touched
// (call Abandon), and says Old when everything was put back. An error that Is ErrUnfinished means that
// the journal stays: call Recover, whatever the outcome says. A context that ends stops Run only before
// the first live file is moved.
func (s *Swap) Run(ctx context.Context) (*Outcome, error) {
	if s.j.Phase != Staging {
		return nil, errors.New("a swap runs once")
	}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.j.write(Swapping); err != nil {
		return s.j.goBack(ctx, err)
	}
	return s.j.goForward(ctx)
}

// ready measures both generations, makes the staged one durable and fit to be live, and leaves nothing
// to do but what the journal then tells.
func (s *Swap) ready(ctx context.Context) (err error) {
	j := &s.j
	for _, p := range j.Items {
		if err := j.suitable(p); err != nil {
			return err
		}
	}
	if j.Slots, err = slots(j.Items); err != nil {
		return err
	}
	if err := j.keeping(); err != nil {
		return err
	}
	stamps := make([]string, len(j.Slots))
	for i := range j.Slots {
		if err := j.measure(ctx, &j.Slots[i], &stamps[i]); err != nil {
			return fmt.Errorf("%s: %w", j.Slots[i].Name, err)
		}
	}
	if j.Reverse {
		if err := j.asKept(); err != nil {
			return err
		}
	}
	if s.check != nil {
		if err := s.check(ctx); err != nil {
			return err
		}
	}
	for i, slot := range j.Slots {
		now, err := stamp(ctx, slot.Live)
		if err != nil {
			return err
		}
		if now != stamps[i] && !slot.Loose {
			return fmt.Errorf("%w: %s changed while it was read; nothing is touched; stop the service and restore again", ErrServiceRan, slot.Live)
		}
	}
	return ctx.Err()
}

// suitable sees to it that what is staged can take the place of the item, as its owner left that.
func (j *journaled) suitable(p Planned) error {
	if err := j.h.mounted(p); err != nil || j.Reverse {
		return err
	}
	if err := plain(p); err != nil {
		return err
	}
	if p.Method != Overwrite {
		if err := j.h.step("owner "+p.Name, func() error { return own(p) }); err != nil {
			return err
		}
	}
	if err := j.h.syncTree("staged "+p.Name, p.From); err != nil {
		return err
	}
	return j.h.sync("staged name "+p.Name, filepath.Dir(p.From))
}

// keeping makes the directories for what is replaced.
func (j *journaled) keeping() error {
	for _, p := range j.Items {
		for _, top := range tops([]Planned{p}, func(p Planned) []string { return []string{p.Kept, p.SideKept} }) {
			if err := j.h.mkdir("kept "+p.Name, top); err != nil {
				return err
			}
			if err := j.h.mkdir("kept of "+p.Name, filepath.Join(top, p.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure fills in the identities of a slot, saves what will be overwritten, and stamps what is live.
func (j *journaled) measure(ctx context.Context, s *Slot, stamped *string) (err error) {
	if *stamped, err = stamp(ctx, s.Live); err != nil {
		return err
	}
	if s.Old, err = measure(ctx, s.Live); err != nil {
		return err
	}
	if s.Rank != sidecar || j.Reverse {
		if s.New, err = measure(ctx, s.Staged); err != nil {
			return err
		}
	}
	if !s.Overwrite {
		return nil
	}
	if s.Old == nil || s.New == nil {
		return fmt.Errorf("%w: it is a mount point, and there is nothing to overwrite it with; unmount it", ErrUnsuitable)
	}
	if err := j.h.save(ctx, *s); err != nil {
		return err
	}
	if saved, err := measure(ctx, s.Kept); err != nil || !s.is(s.Old, saved) {
		return errors.Join(fmt.Errorf("the copy of %s is not what was read: %w", s.Live, ErrNotWhole), err)
	}
	return j.h.sync("saved "+s.Name, filepath.Dir(s.Kept))
}

// goForward exchanges and ends the swap. What fails is put back.
func (j *journaled) goForward(ctx context.Context) (*Outcome, error) {
	if err := forward(j.h, j.Slots).run(ctx); err != nil {
		if rerr := j.intruded(ctx); rerr != nil {
			return nil, fmt.Errorf("%w: %w: %w", ErrUnfinished, rerr, err)
		}
		return j.goBack(ctx, err)
	}
	dropped, err := j.finish()
	if err != nil {
		err = fmt.Errorf("%w: everything is in its place, but: %w", ErrUnfinished, err)
	}
	o := j.outcome(New)
	o.Dropped = dropped
	return o, err
}

// intruded is the error for a log that somebody made beside a live database: whatever is moved then, it would
// be applied to another database than its own.
func (j *journaled) intruded(ctx context.Context) error {
	for _, s := range j.Slots {
		live, err := glance(s.Live)
		if err != nil || s.Rank != sidecar || live == nil || sameInode(live, s.Old) || sameInode(live, s.New) {
			continue
		}
		v, err := j.survey(ctx)
		if err != nil {
			return err
		}
		return v.serviceRan()
	}
	return nil
}

// goBack puts back what was exchanged, because of a failure, and ends the swap.
func (j *journaled) goBack(ctx context.Context, failure error) (*Outcome, error) {
	// A journal that cannot be written still tells to go forward, which a later Recover then does.
	werr := j.write(Returning)
	err := backward(j.h, j.Slots).run(ctx)
	if err == nil {
		err = j.abandon()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfinished, errors.Join(failure, werr, err))
	}
	if failure != nil {
		failure = fmt.Errorf("%w; nothing is replaced: all is again as it was", failure)
	}
	return j.outcome(Old), failure
}

// finish removes what a swap leaves that is done, and what an earlier one kept.
func (j *journaled) finish() ([]string, error) {
	if err := j.tidy(); err != nil {
		return nil, err
	}
	var dropped []string
	if j.Previous != nil && !j.Reverse {
		dropped = slices.Concat(j.Previous.kept(), j.Discard)
	}
	j.Previous, j.Reverse, j.Discard = nil, false, dropped
	if err := j.write(Done); err != nil {
		return nil, err
	}
	return dropped, j.settle()
}

// settle removes what a swap that is done lists for removal; with nothing left to undo, the journal too.
func (j *journaled) settle() error {
	for _, dir := range j.Discard {
		if err := j.h.remove("discard", dir, true); err != nil {
			return err
		}
	}
	if !j.Undoable() {
		return j.close()
	}
	return nil
}

// abandon removes everything that a swap made which touched nothing live, and its journal.
func (j *journaled) abandon() error {
	for _, dir := range j.kept() {
		if err := j.h.remove("abandon kept", dir, true); err != nil {
			return err
		}
	}
	if !j.Reverse {
		for _, dir := range j.staging() {
			if err := j.h.remove("abandon staging", dir, true); err != nil {
				return err
			}
		}
		for _, p := range slices.Backward(j.Items) {
			for _, dir := range slices.Backward(p.Made) {
				if err := j.h.remove("abandon parent", dir, false); err != nil {
					return err
				}
			}
		}
	}
	return j.close()
}

// tidy removes what is left where the new generation was. Of a kept generation that was put back, only what
// this package put there.
func (j *journaled) tidy() error {
	for _, s := range j.Slots {
		if s.Overwrite {
			if err := j.h.remove("tidy "+s.Name, s.Staged, false); err != nil {
				return err
			}
		}
	}
	for _, top := range j.staging() {
		for _, p := range j.Items {
			if err := j.h.remove("tidy of "+p.Name, filepath.Join(top, p.Name), !j.Reverse); err != nil {
				return err
			}
		}
		if err := j.h.remove("tidy top", top, !j.Reverse); err != nil {
			return err
		}
	}
	return nil
}

func (j *journaled) outcome(live Generation) *Outcome {
	o := &Outcome{ID: j.ID, Label: j.Label, Undo: j.Undo, Live: live, Stray: j.Stray}
	for _, p := range j.Items {
		it := ItemOutcome{Item: p.Item, Method: p.Method}
		if kept, err := glance(p.To); live == New && err == nil && kept != nil {
			it.Kept = p.To
		}
		o.Items = append(o.Items, it)
	}
	return o
}
