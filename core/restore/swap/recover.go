package swap

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Recover ends what was killed: everything is new, or everything is old, as Outcome.Live says. Running
// it again is ErrNothingToRecover. A ServiceRanError, ErrNotWhole or ErrNotMounted means that nothing
// was touched; after the first, Take decides. An error that Is ErrUnfinished: mend what it names, and
// call Recover again.
func Recover(ctx context.Context, o RecoverOptions) (*Outcome, error) {
	j, err := open(o.Dir, o.Hooks)
	if err != nil {
		return nil, err
	}
	if o.Take != "" && o.Take != Old && o.Take != New {
		return nil, fmt.Errorf("there is no generation %q; there are %s and %s", o.Take, Old, New)
	}
	if err := j.h.remove("journal temp", filepath.Join(j.dir, journalTemp), false); err != nil {
		return nil, err
	}
	switch j.Phase {
	case None:
		return nil, ErrNothingToRecover
	case Done:
		if err := j.settle(); err != nil {
			return nil, err
		}
		return nil, ErrNothingToRecover
	case Staging:
		if err := j.abandon(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnfinished, err)
		}
		return j.outcome(Old), nil
	}
	for _, p := range j.Items {
		if err := j.h.mounted(p); err != nil {
			return nil, err
		}
	}
	v, err := j.survey(ctx)
	if err != nil {
		return nil, err
	}
	if len(v.alien) > 0 && o.Take == "" {
		return nil, v.serviceRan()
	}
	ctx = context.WithoutCancel(ctx)
	if len(v.alien) > 0 {
		return j.take(ctx, v, o.Take)
	}
	return j.resume(ctx, v, o.Take)
}

// open reads the journal of a directory, to act on it.
func open(dir string, h Hooks) (*journaled, error) {
	doc, err := Look(dir)
	if err != nil {
		return nil, err
	}
	if doc.Phase == None {
		return &journaled{doc, dir, h}, nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	return &journaled{doc, real, h}, err
}

// resume goes the way that the journal tells, or the other one if that generation is not whole.
func (j *journaled) resume(ctx context.Context, v *survey, take Generation) (*Outcome, error) {
	want, otherwise := New, Old
	if j.Phase == Returning && take == "" || take == Old {
		want, otherwise = Old, New
	}
	lacks := v.lacks(want)
	if len(lacks) > 0 {
		if rest := v.lacks(otherwise); take != "" || len(rest) > 0 {
			return nil, fmt.Errorf("%w: the %s one lacks %s; the %s one lacks %s; is every file system mounted?", ErrNotWhole,
				want, strings.Join(lacks, ", "), otherwise, strings.Join(rest, ", "))
		}
		want = otherwise
	}
	return j.end(ctx, want)
}

// end goes one way to its end.
func (j *journaled) end(ctx context.Context, live Generation) (*Outcome, error) {
	if live == Old {
		o, err := j.goBack(ctx, nil)
		return o, err
	}
	if j.Phase != Swapping {
		if err := j.write(Swapping); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnfinished, err)
		}
	}
	return j.goForward(ctx)
}

// take ends a swap in whose middle the service ran, with the generation that somebody chose.
func (j *journaled) take(ctx context.Context, v *survey, g Generation) (*Outcome, error) {
	aside := v.adopt(g)
	if lacks := v.lacks(g); len(lacks) > 0 {
		return nil, fmt.Errorf("%w: the %s one lacks %s; nothing is touched; choose the other", ErrNotWhole, g, strings.Join(lacks, ", "))
	}
	phase := Swapping
	if g == Old {
		phase = Returning
	}
	for _, s := range aside {
		if top := filepath.Dir(filepath.Dir(j.strayPath(s))); !slices.Contains(j.Stray, top) {
			j.Stray = append(j.Stray, top)
		}
	}
	if err := j.write(phase); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	for _, s := range aside {
		if err := j.putAside(ctx, s); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnfinished, err)
		}
	}
	return j.end(ctx, g)
}

// complete says that a generation had all its names when the service ran on it: the name that it gives
// up first and gets last is its own, and nothing is half overwritten.
func (v *survey) complete(g Generation) bool {
	for i, f := range v.at {
		s := &v.j.Slots[i]
		if n, _ := s.node(g); s.Overwrite && !s.is(n, f.live) && (s.Rank == mainDatabase || !v.foreign(i)) {
			return false
		}
	}
	for i, f := range v.at {
		s := &v.j.Slots[i]
		if n, _ := s.node(g); n != nil && !s.Overwrite && s.Rank != sidecar {
			return sameInode(n, f.live)
		}
	}
	return false
}

// adopt makes what the service wrote part of the generation that it wrote to: everything, when that had
// all its names; else the files that it had, and what belongs to a database that it had. It returns the
// slots whose live files are to be put aside.
func (v *survey) adopt(g Generation) []Slot {
	all := v.complete(g)
	has := map[string]bool{} // live paths of databases that are this generation's
	for i, f := range v.at {
		s := &v.j.Slots[i]
		n, _ := s.node(g)
		has[s.Live] = !s.Overwrite && sameInode(n, f.live) || s.is(n, f.live)
	}
	var aside []Slot
	for i, f := range v.at {
		s := &v.j.Slots[i]
		mine := all || v.foreign(i) && has[s.Live] && s.Rank != sidecar || s.Rank == sidecar && has[s.database()]
		switch {
		case mine && g == Old:
			s.Old = f.live
		case mine:
			s.New = f.live
		case v.foreign(i):
			aside = append(aside, *s)
		}
	}
	for _, x := range v.extras {
		if !all && !has[filepath.Join(x.item.Live, chromaFile)] {
			aside = append(aside, Slot{Name: x.item.Name, Live: x.item.Live, Kept: x.item.To}.entry(x.name, ordinary))
		}
	}
	return aside
}

// strayPath is where what is live in a slot is put aside, but for a number.
func (j *journaled) strayPath(s Slot) string {
	kept := filepath.Dir(s.Kept) // parent/.holdfast-old-ID/COMPONENT
	parent := filepath.Dir(filepath.Dir(kept))
	return filepath.Join(parent, strayPrefix+j.ID, filepath.Base(kept), filepath.Base(s.Live))
}

func (j *journaled) putAside(ctx context.Context, s Slot) error {
	n, err := glance(s.Live)
	if n == nil || err != nil {
		return err
	}
	path := j.strayPath(s)
	for _, dir := range []string{filepath.Dir(filepath.Dir(path)), filepath.Dir(path)} {
		if err := j.h.mkdir("stray of "+s.Name, dir); err != nil {
			return err
		}
	}
	to := path
	for i := 2; ; i++ {
		there, err := glance(to)
		if err != nil {
			return err
		}
		if there == nil {
			break
		}
		to = path + "." + strconv.Itoa(i)
	}
	if s.Overwrite {
		return errors.Join(j.h.copyFile(ctx, "stray "+s.Name, s.Live, to), syncPath(filepath.Dir(to)))
	}
	return j.h.relocate("stray "+s.Name, n, s.Live, to)
}
