package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// destination is a target and what it holds of the tree. Its Err ends it.
type destination struct {
	Target
	store *target.Store
	holds map[string][]string // stamp -> the SHA-256 of the metadata of each import of it
}

// open looks at what every target holds.
func (im *importing) open(ctx context.Context) error {
	var g sync.WaitGroup
	for _, store := range im.Targets {
		d := &destination{Target: Target{Name: store.Name()}, store: store, holds: map[string][]string{}}
		im.destinations = append(im.destinations, d)
		g.Go(func() { d.Err = d.open(ctx, im) })
	}
	g.Wait()
	if im.left() {
		return nil
	}
	errs := []error{backup.ErrNothing}
	for _, d := range im.destinations {
		errs = append(errs, d.Err)
	}
	return errors.Join(errs...)
}

func (d *destination) open(ctx context.Context, im *importing) error {
	repo, err := repository.Open(ctx, d.store)
	if im.State != nil && errors.Is(err, repository.ErrNotInitialised) { // another disk, perhaps
		if replaced := im.State.Check(im.Set, d.Name, ""); replaced != nil {
			return replaced
		}
	}
	if err != nil {
		return err
	}
	if im.State != nil {
		if replaced := im.State.Check(im.Set, d.Name, repo.ID); replaced != nil {
			return replaced
		}
	}
	view, err := repo.View(ctx, im.Set)
	if err != nil {
		return err
	}
	for s, err := range repo.EachSnapshot(ctx, view) {
		if err != nil {
			return err
		}
		standing, err := view.Standing(ctx, s.ID)
		if err != nil {
			return err
		}
		// What cannot be read is imported again: that heals it. What a cleanup has begun to delete is there no more.
		if s.Manifest != nil && s.Manifest.Origin != nil && standing != repository.Expired {
			o := s.Manifest.Origin // of a copy it is a whole id, which no stamp is
			d.holds[o.ID] = append(d.holds[o.ID], o.ManifestSHA256)
		}
	}
	return nil
}

// left reports whether any target is left.
func (im *importing) left() bool {
	return slices.ContainsFunc(im.destinations, func(d *destination) bool { return d.Err == nil })
}

// wanting returns the targets that are left and do not hold the stamp. One that holds the stamp of another tree is a
// problem: to take the one for the other would lose it.
func (im *importing) wanting(f *folder, s *Snapshot) (wanting []*destination) {
	for _, d := range im.destinations {
		switch sums := d.holds[f.stamp]; {
		case d.Err != nil:
		case len(sums) == 0:
			wanting = append(wanting, d)
		case slices.Contains(sums, f.sha256):
			s.Already = append(s.Already, d.Name)
			d.Already++
		default:
			s.Problems = append(s.Problems, Problem{IDOther, fmt.Sprintf(
				"target %s holds an import of this stamp with other metadata: import what comes from another machine into a set of its own", d.Name)})
		}
	}
	return wanting
}
