package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// Fallback knows where else the bytes of a snapshot may lie, for when its own target has lost some of them:
// in other snapshots there, and in other targets. What is lost is looked for by chunk id, so that
// whatever is found is right; and the recipe, when the index is lost, is that of the same snapshot elsewhere,
// whose stream has the same hash. A nil Fallback looks nowhere. It is for one goroutine.
type Fallback struct {
	// Others are further targets, in the order in which they are asked.
	Others []Other

	others []*neighbour
	asked  map[string]asked // by target
}

// Other is a target that is opened only when it is needed.
type Other struct {
	Name string
	// Open is called at most once. The repository stays open: it belongs to whoever made the function.
	Open func(context.Context) (*repository.Repository, error)
}

// neighbour is an Other that was asked for.
type neighbour struct {
	repo *repository.Repository
	err  error
}

// asked is what near found for one snapshot.
type asked struct {
	by  manifest.ID
	all []*manifest.Manifest
}

// place is a snapshot that may hold what is looked for.
type place struct {
	repo *repository.Repository
	m    *manifest.Manifest
}

// nearby bounds how many snapshots of a target are looked at: those nearest in time.
const nearby = 8

// other opens the nth of the other targets; nil when it cannot be asked.
func (f *Fallback) other(ctx context.Context, n int) *neighbour {
	if f.others == nil {
		f.others = make([]*neighbour, len(f.Others))
	}
	if f.others[n] == nil {
		repo, err := f.Others[n].Open(ctx)
		f.others[n] = &neighbour{repo, err}
	}
	return f.others[n]
}

// same yields the same snapshot in the other targets. Targets that cannot be asked are told to silent.
func (f *Fallback) same(ctx context.Context, m *manifest.Manifest, silent func(error)) iter.Seq[place] {
	return func(yield func(place) bool) {
		for n := range f.Others {
			o := f.other(ctx, n)
			all, err := f.near(ctx, o, m)
			if err != nil {
				silent(err)
			}
			for _, c := range all {
				if repository.Same(m, c) && !yield(place{o.repo, c}) {
					return
				}
			}
		}
	}
}

// places yields the snapshots that may hold chunks of m, likeliest first: the same one elsewhere, then others of its
// own target, then others elsewhere.
func (f *Fallback) places(ctx context.Context, own *repository.Repository, m *manifest.Manifest, silent func(error)) iter.Seq[place] {
	return func(yield func(place) bool) {
		for p := range f.same(ctx, m, silent) {
			if !yield(p) {
				return
			}
		}
		for n := -1; n < len(f.Others); n++ {
			o := &neighbour{repo: own}
			if n >= 0 {
				o = f.other(ctx, n)
			}
			all, err := f.near(ctx, o, m)
			if err != nil && n < 0 { // else it was told above
				silent(err)
			}
			for _, c := range all {
				if (n < 0 && c.ID == m.ID) || (n >= 0 && repository.Same(m, c)) {
					continue
				}
				if !yield(place{o.repo, c}) {
					return
				}
			}
		}
	}
}

// near returns the snapshots of a target that are nearest to m in time. Those that cannot be read are left out.
func (f *Fallback) near(ctx context.Context, o *neighbour, m *manifest.Manifest) (all []*manifest.Manifest, err error) {
	if o.err != nil {
		return nil, o.err
	}
	name := o.repo.Store.Name()
	if known := f.asked[name]; known.by == m.ID {
		return known.all, nil
	}
	defer func() {
		if err == nil {
			if f.asked == nil {
				f.asked = map[string]asked{}
			}
			f.asked[name] = asked{m.ID, all}
		}
	}()
	var ids []manifest.ID
	for obj, err := range o.repo.Store.List(ctx, manifest.Prefix(m.Set, manifest.Manifests), "") {
		if err != nil {
			return nil, err
		}
		if k, err := manifest.ParseKey(obj.Key); err == nil {
			ids = append(ids, k.ID)
		}
	}
	distance := func(id manifest.ID) int64 { return int64(id.Time().Sub(m.ID.Time()).Abs()) }
	slices.SortStableFunc(ids, func(a, b manifest.ID) int { return cmp.Compare(distance(a), distance(b)) })
	for _, id := range ids[:min(len(ids), nearby)] {
		c, err := o.repo.Load(ctx, m.Set, id)
		switch {
		case errors.Is(err, repository.ErrRevoked), errors.Is(err, target.ErrNotFound), errors.Is(err, repository.ErrDamaged):
			continue
		case err != nil:
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Rescue tells that objects of a component were lost in its own target, and where their bytes were found.
type Rescue struct {
	Component string
	Damaged   []*repository.ObjectError // what is damaged or missing there
	Found     []Found                   // in the order of asking
	Lost      Chunks                    // of the lost objects, the chunks that are needed
	Left      Chunks                    // those of them that were found nowhere
	Silent    []error                   // places that could not be asked
}

// Found is what one snapshot had of what was lost.
type Found struct {
	Target string
	ID     manifest.ID
	Index  bool // its index stood in for the lost one
	Chunks
}

// Chunks counts chunks of a stream.
type Chunks struct {
	Chunks int64 `json:"chunks"`
	Bytes  int64 `json:"bytes"`
}

// Whole reports whether everything that was lost was found.
func (r *Rescue) Whole() bool { return r.Left.Chunks == 0 && (r.Lost.Chunks > 0 || len(r.Found) > 0) }

// String says what was lost and where it was found, in a line.
func (r *Rescue) String() string {
	objects := r.Damaged[0].Key + " is damaged"
	if more := len(r.Damaged) - 1; more > 0 {
		objects = fmt.Sprintf("%s and %d more are damaged", r.Damaged[0].Key, more)
	}
	return fmt.Sprintf("%s: %s; %s", r.Component, objects, r.found())
}

// found says how much of what was lost was found, where, and who was not asked.
func (r *Rescue) found() string {
	var places []string
	for _, f := range r.Found {
		var what []string
		if f.Index {
			what = append(what, "the index")
		}
		if f.Chunks.Chunks > 0 {
			what = append(what, fmt.Sprintf("%d chunks", f.Chunks.Chunks))
		}
		places = append(places, fmt.Sprintf("%s in target %s, snapshot %s", strings.Join(what, " and "), f.Target, f.ID))
	}
	s := "found: " + strings.Join(places, ", ")
	if len(places) == 0 {
		s = "nothing of it was found elsewhere"
	}
	if r.Lost.Chunks > 0 && len(places) > 0 {
		s = fmt.Sprintf("%d of %d lost chunks were %s", r.Lost.Chunks-r.Left.Chunks, r.Lost.Chunks, s)
	}
	if len(r.Silent) > 0 {
		s += fmt.Sprintf("; not asked: %v", r.Silent[0])
	}
	return s
}
