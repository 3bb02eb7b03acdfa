package cleanup

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// mark is G1. It returns the numbers of the marks that it put.
func (r *run) mark(ctx context.Context, f *Foresight) (map[manifest.ID]int, error) {
	put := map[manifest.ID]int{}
	if len(f.Mark) == 0 {
		return put, nil
	}
	done, err := r.repo.Expire(ctx, r.Set, f.Mark, r.note(), r.at)
	for _, e := range done {
		fate := r.fates[e.ID]
		switch {
		case e.N > 0:
			put[e.ID] = e.N
			fate.Fate = FateMarked
			if !r.now.IsZero() {
				fate.Due = r.now.Add(Grace).UTC()
			}
		case e.Held:
			fate.Held, fate.Fate = true, FateKept
		case e.Standing == repository.Expired:
			fate.Fate = FateExpired
		default: // marked by another run since the survey
			fate.Fate = FateWaiting
		}
	}
	return put, err
}

// begin is G2 to G4, in this order: what is in E was marked, and is not held by a pin that was there before
// its mark; and a create whose intent is not in I has not begun when K was listed, so that it has seen every
// verdict.
func (r *run) begin(ctx context.Context, f *Foresight, marked map[manifest.ID]int) (*sweep, error) {
	pins, err := r.repo.Pins(ctx, r.Set)
	if err != nil {
		return nil, err
	}
	s := &sweep{Expired: []manifest.ID{}, Archives: []stored{}, Intents: []intent{}}
	goes := make([]bool, len(f.Sweep))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.Workers)
	for i, id := range f.Sweep {
		fate := r.fates[id]
		if fate.Fate == FateDeleted { // by the sweep that had waited
			continue
		}
		if pins.Held(id, r.moments()...) {
			fate.Held, fate.Fate = true, FateKept
			continue
		}
		g.Go(func() (err error) {
			if err = gctx.Err(); err == nil {
				goes[i], err = r.expired(gctx, fate, marked[id])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, id := range f.Sweep {
		if goes[i] {
			r.fates[id].Fate = FateExpired
			s.Expired = append(s.Expired, id)
		}
	}
	archives, err := r.repo.Store.ListAll(ctx, manifest.Prefix(r.Set, manifest.Archives))
	if err != nil {
		return nil, err
	}
	for _, o := range archives {
		if _, err := manifest.ParseKey(o.Key); err == nil {
			s.Archives = append(s.Archives, stored{o.Key, o.Size})
		}
	}
	listed, err := r.repo.Store.ListAll(ctx, manifest.Prefix(r.Set, manifest.Intents))
	if err != nil {
		return nil, err
	}
	s.Intents = append(s.Intents, intents(listed)...)
	return s, nil
}

// expired reports whether a snapshot that is to go may go: it answers its open marks that are old enough,
// and obeys whoever answered first. n is the mark that this run put, if any.
func (r *run) expired(ctx context.Context, fate *Snapshot, n int) (bool, error) {
	var open []int
	switch fate.Standing {
	case repository.Expired:
		return true, nil
	case repository.Marked:
		for _, m := range r.view.Open(fate.ID) {
			if r.NoGrace || r.old(m.At, Grace) {
				open = append(open, m.N)
			}
		}
	case repository.Usable:
		if n > 0 && r.NoGrace {
			open = append(open, n)
		}
	}
	says := map[manifest.Verdict]bool{}
	for _, n := range open {
		won, err := r.repo.Answer(ctx, r.Set, fate.ID, n, manifest.Sweep)
		if err != nil {
			return false, err
		}
		says[won] = true
	}
	switch {
	case says[""]:
		fate.Fate = FateDoubtful
		return false, nil
	case says[manifest.Sweep]:
		return true, nil
	case says[manifest.Keep]: // undeleted
		fate.Held, fate.Fate = true, FateKept
	}
	return false, nil
}
