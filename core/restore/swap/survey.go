package swap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
)

// found is what stands at the three names of a slot.
type found struct {
	live, staged, kept *Node
	torn               bool // live is what an overwriting left that was stopped
}

// survey is what stands at the names of a journal.
type survey struct {
	j      *Journal
	at     []found  // of each slot
	extras []extra  // in a mount, of no generation
	alien  []string // live paths of no generation, and what is wrong
}

// extra is an entry of a mount that no slot tells of.
type extra struct {
	item Planned
	name string
}

func (j *journaled) survey(ctx context.Context) (*survey, error) {
	v := &survey{j: j.Journal}
	for i := range j.Slots {
		s := &j.Slots[i]
		var f found
		var err error
		for _, side := range [...]struct {
			to   **Node
			path string
		}{{&f.live, s.Live}, {&f.staged, s.Staged}, {&f.kept, s.Kept}} {
			if *side.to, err = measure(ctx, side.path); err != nil {
				return nil, err
			}
		}
		if s.Overwrite && f.live != nil {
			if f.torn, err = torn(ctx, s.Live, s.Staged, s.Kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			f.torn = f.torn && s.is(s.Old, f.kept) && s.is(s.New, f.staged)
		}
		v.at = append(v.at, f)
		if v.foreign(i) {
			v.alien = append(v.alien, s.Live+" "+s.strange(f.live))
		}
	}
	for _, p := range j.Items {
		if p.Method != Entries || p.Kind != manifest.Chroma {
			continue
		}
		names, err := entries(p.Live)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			path := filepath.Join(p.Live, name)
			if !slices.ContainsFunc(j.Slots, func(s Slot) bool { return s.Live == path }) {
				v.extras = append(v.extras, extra{p, name})
				v.alien = append(v.alien, path+" is of neither generation")
			}
		}
	}
	return v, nil
}

// foreign says that what is live in a slot is of no generation, or has other bytes.
func (v *survey) foreign(i int) bool {
	s, f := &v.j.Slots[i], v.at[i]
	if f.live == nil {
		return s.Overwrite
	}
	return !f.torn && !s.is(s.Old, f.live) && !s.is(s.New, f.live)
}

func (s *Slot) strange(live *Node) string {
	switch {
	case live == nil:
		return "is gone"
	case sameInode(live, s.New) && !s.Overwrite:
		return "is the new one, and was written to"
	case sameInode(live, s.Old) && !s.Overwrite:
		return "is the old one, and was written to"
	}
	return "is of neither generation"
}

// node returns what a generation has in a slot, and where it waits while it is not live.
func (s *Slot) node(g Generation) (n *Node, path string) {
	if g == Old {
		return s.Old, s.Kept
	}
	return s.New, s.Staged
}

// lacks lists the live paths for which a generation is not all there.
func (v *survey) lacks(g Generation) []string {
	var all []string
	for i, f := range v.at {
		s := &v.j.Slots[i]
		n, path := s.node(g)
		waiting := f.staged
		if g == Old {
			waiting = f.kept
		}
		if n != nil && !s.is(n, f.live) && !s.is(n, waiting) {
			all = append(all, fmt.Sprintf("%s (also sought at %s)", s.Live, path))
		}
	}
	return all
}

// serviceRan is the error that names both generations.
func (v *survey) serviceRan() error {
	e := &ServiceRanError{Label: v.j.Label, Undo: v.j.Undo, Found: v.alien}
	for _, p := range v.j.Items {
		for _, side := range [...]struct {
			to   *[]string
			path string
		}{{&e.Old, p.To}, {&e.New, p.From}} {
			path := side.path
			if !slices.ContainsFunc(v.j.Slots, func(s Slot) bool { return within(s.Live, p.Live) && v.waits(s, path) }) {
				path = p.Live
			}
			if n, err := glance(path); n != nil && err == nil {
				*side.to = append(*side.to, path)
			}
		}
	}
	return e
}

// waits says that something of a slot stands below path.
func (v *survey) waits(s Slot, path string) bool {
	for i := range v.j.Slots {
		if v.j.Slots[i].Live == s.Live {
			return within(s.Kept, path) && v.at[i].kept != nil || within(s.Staged, path) && v.at[i].staged != nil
		}
	}
	return false
}

// mounted refuses an item that was a mount point and is none now.
func (h Hooks) mounted(p Planned) error {
	if p.Method == Rename {
		return nil
	}
	is, err := h.isMountPoint(p.Live)
	if err == nil && !is {
		err = fmt.Errorf("%s is %w, and was when the restore began; mount it, then run holdfast recover", p.Live, ErrNotMounted)
	}
	return err
}
