package repository

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Snapshot is a listed snapshot and its manifest, or why that cannot be read.
type Snapshot struct {
	ID       manifest.ID
	Manifest *manifest.Manifest // nil when Err is not
	Expiring bool               // an expiry mark without a keep
	Err      error              // Is ErrDamaged
}

// Cache keeps the bodies of manifests on this host, so that they need not be fetched again: a key is written
// once. Nothing depends on it: what it returns must have the listed size and decode as that
// snapshot's manifest, whose digest it gives itself, or it is fetched again. It is safe for concurrent use.
type Cache interface {
	Get(repository, set string, id manifest.ID) []byte // nil: not there
	Put(repository, set string, id manifest.ID, body []byte)
}

// Ballot is what stands at a ballot. Of Manifest and Err one is nil.
type Ballot struct {
	target.Object
	ID       manifest.ID
	Manifest *manifest.Manifest
	Err      error // Is ErrRevoked for a tombstone, ErrDamaged, or target.ErrNotFound when it is gone since the listing
}

// Ballots reads the listed ballots of a set, in their order; other keys are passed over. Not more than Readers
// of them are in memory, whoever ranges over them. An error that says nothing of the document itself,
// such as a target out of reach, ends the iteration.
func (r *Repository) Ballots(ctx context.Context, set string, listed []target.Object) iter.Seq2[Ballot, error] {
	readers := r.readers()
	return func(yield func(Ballot, error) bool) {
		for len(listed) > 0 {
			batch := listed[:min(readers, len(listed))]
			listed = listed[len(batch):]
			read := make([]Ballot, len(batch))
			g, gctx := errgroup.WithContext(ctx)
			for i, o := range batch {
				g.Go(func() (err error) {
					read[i], err = r.ballot(gctx, set, o)
					return err
				})
			}
			if err := g.Wait(); err != nil {
				yield(Ballot{}, err)
				return
			}
			for _, b := range read {
				if b.ID != "" && !yield(b, nil) {
					return
				}
			}
		}
	}
}

// ballot reads one. Its ID is "" when the key is no ballot's.
func (r *Repository) ballot(ctx context.Context, set string, o target.Object) (Ballot, error) {
	k, err := manifest.ParseKey(o.Key)
	if err != nil || k.Folder != manifest.Manifests || k.Set != set {
		return Ballot{}, nil
	}
	b := Ballot{Object: o, ID: k.ID}
	if r.Cache != nil {
		if body := r.Cache.Get(r.ID, set, k.ID); int64(len(body)) == o.Size {
			b.Manifest, b.Err = r.decode(set, k.ID, body)
			if b.Err == nil {
				return b, nil
			}
		}
	}
	body, err := r.body(ctx, o)
	if err == nil {
		b.Manifest, err = r.decode(set, k.ID, body)
		if r.Cache != nil && err == nil {
			r.Cache.Put(r.ID, set, k.ID, body)
		}
	}
	switch {
	case err == nil, errors.Is(err, ErrRevoked), errors.Is(err, ErrDamaged), errors.Is(err, target.ErrNotFound):
		b.Err = err
		return b, nil
	}
	return Ballot{}, err
}

// body reads a listed ballot whole.
func (r *Repository) body(ctx context.Context, o target.Object) ([]byte, error) {
	if o.Size > manifest.MaxBytes {
		return nil, fmt.Errorf("target %s: %s: %w: %d bytes, at most %d", r.Store.Name(), o.Key, ErrDamaged, o.Size, manifest.MaxBytes)
	}
	b := make([]byte, o.Size)
	err := r.Store.ReadRange(ctx, o.Key, 0, b)
	if errors.Is(err, target.ErrCorrupt) { // shorter than it is listed
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, err
}

// Snapshots reads all manifests of a view, oldest first; tombstones are left out. An error that says
// nothing of the document itself, such as a target out of reach, is returned.
func (r *Repository) Snapshots(ctx context.Context, v *View) ([]Snapshot, error) {
	var snapshots []Snapshot
	for s, err := range r.EachSnapshot(ctx, v) {
		if err != nil {
			return nil, err
		}
		snapshots = append(snapshots, s)
	}
	return snapshots, nil
}

// EachSnapshot is Snapshots for whoever needs one at a time: only a few manifests are in memory.
func (r *Repository) EachSnapshot(ctx context.Context, v *View) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		for b, err := range r.Ballots(ctx, v.Set, v.manifests) {
			if errors.Is(b.Err, ErrRevoked) || errors.Is(b.Err, target.ErrNotFound) { // swept since the listing
				continue
			}
			var usable bool
			if err == nil {
				usable, err = v.Usable(ctx, b.ID)
			}
			if err != nil {
				yield(Snapshot{}, err)
				return
			}
			if !yield(Snapshot{ID: b.ID, Manifest: b.Manifest, Expiring: !usable, Err: b.Err}, nil) {
				return
			}
		}
	}
}
