// Package repository is what holdfast keeps under one target's prefix: the marker, the listing of a
// set, manifests, the ballot by which a create commits, and the way from a component's entry in a
// manifest to its bytes.
//
// Begin with [Open] or [Init]. [Repository.View] lists a set, [Repository.Load] reads a manifest,
// [Repository.Begin] starts a create. Nothing here overwrites anything: every key is put once, if
// absent.
package repository

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Errors of opening and finding. Test with errors.Is.
var (
	// ErrNotInitialised: the target holds no marker.
	ErrNotInitialised = errors.New("no repository here")
	// ErrNewer: the repository's format, or a word in requires, is not known to this version.
	ErrNewer = errors.New("the repository's format is newer than this version")
	// ErrRevoked: a tombstone stands where the manifest would; the create was given up for dead.
	ErrRevoked = errors.New("the create was revoked")
	// ErrDamaged: an object is missing, or is not what it should be.
	ErrDamaged = errors.New("damaged")
	// ErrNoSnapshot: no snapshot, or more than one, matches what was asked for.
	ErrNoSnapshot = errors.New("no snapshot matches")
	// ErrAmbiguous: more than one matches. It Is ErrNoSnapshot.
	ErrAmbiguous = fmt.Errorf("%w: ambiguous", ErrNoSnapshot)
	// ErrSealed: the snapshot is encrypted, which this version cannot read.
	ErrSealed = errors.New("the snapshot is encrypted")
)

// Repository is an opened repository.
type Repository struct {
	Store *target.Store
	ID    string // 32 hex digits

	Cache   Cache // optional: manifests that were read before
	Readers int   // how many manifests are read, or marks put, at once; 0 means 8
}

func (r *Repository) readers() int {
	if r.Readers <= 0 {
		return 8
	}
	return r.Readers
}

// Open reads the marker. Where there is none, the error Is ErrNotInitialised, or a *LostError when there
// is a repository all the same.
func Open(ctx context.Context, store *target.Store) (*Repository, error) {
	b, err := store.GetBytes(ctx, manifest.MarkerKey, 64<<10)
	switch {
	case errors.Is(err, target.ErrNotFound):
		if err := lostMarker(ctx, store); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("target %s: %w: run holdfast init", store.Name(), ErrNotInitialised)
	case errors.Is(err, target.ErrCorrupt): // larger than a marker can be, or shorter than it is listed
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return nil, err
	}
	k, err := manifest.DecodeMarker(b)
	var bad *manifest.DecodeError
	switch {
	case errors.As(err, &bad) && bad.ID == manifest.UnsupportedFormat:
		return nil, fmt.Errorf("target %s: %w: %s; use a newer holdfast", store.Name(), ErrNewer, bad.Message)
	case err != nil:
		return nil, fmt.Errorf("target %s: %s: %w: %w", store.Name(), manifest.MarkerKey, ErrDamaged, err)
	}
	return &Repository{Store: store, ID: k.Repository}, nil
}

// Init makes the target a repository, with an id drawn from rand, unless it is one already; created
// says which. It refuses one whose marker is lost with a *LostError.
func Init(ctx context.Context, store *target.Store, rand io.Reader) (r *Repository, created bool, err error) {
	if r, err := Open(ctx, store); !errors.Is(err, ErrNotInitialised) {
		return r, false, err
	}
	var id [16]byte
	if _, err := io.ReadFull(rand, id[:]); err != nil {
		return nil, false, fmt.Errorf("draw a repository id: %w", err)
	}
	marker := manifest.NewMarker(hex.EncodeToString(id[:]))
	outcome, err := store.PutBytes(ctx, manifest.MarkerKey, marker.Encode(), target.PutOptions{})
	if outcome == target.ExistsOther {
		r, err := Open(ctx, store) // somebody else's init was first
		return r, false, err
	}
	if err != nil {
		return nil, false, err
	}
	return &Repository{Store: store, ID: marker.Repository}, true, nil
}

// Sets names the sets that have at least one object, in byte order of the names.
func (r *Repository) Sets(ctx context.Context) (sets []string, err error) {
	after := ""
	for {
		set := ""
		for o, err := range r.Store.List(ctx, "", after) {
			if err != nil {
				return nil, err
			}
			if k, err := manifest.ParseKey(o.Key); err == nil {
				set = k.Set
				break
			}
		}
		if set == "" {
			slices.Sort(sets) // the keys of a-b come before those of a
			return sets, nil
		}
		sets = append(sets, set)
		after = set + "/~" // behind every key of the set: no key has a byte above z
	}
}

// Load reads and checks a manifest. The error Is ErrRevoked for a tombstone, target.ErrNotFound when
// there is neither, and ErrDamaged when the document is not a manifest, or not that snapshot's.
func (r *Repository) Load(ctx context.Context, set string, id manifest.ID) (*manifest.Manifest, error) {
	m, _, err := r.load(ctx, set, id)
	return m, err
}

func (r *Repository) load(ctx context.Context, set string, id manifest.ID) (*manifest.Manifest, []byte, error) {
	key := manifest.ManifestKey(set, id)
	b, err := r.Store.GetBytes(ctx, key, manifest.MaxBytes)
	if errors.Is(err, target.ErrCorrupt) { // larger than a manifest can be, or shorter than it is listed
		return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, nil, err
	}
	m, err := r.decode(set, id, b)
	return m, b, err
}

// decode reads what stands at a ballot.
func (r *Repository) decode(set string, id manifest.ID, b []byte) (*manifest.Manifest, error) {
	if manifest.IsTombstone(b, id) {
		return nil, fmt.Errorf("target %s: snapshot %s: %w", r.Store.Name(), id, ErrRevoked)
	}
	m, err := manifest.Decode(b)
	if err == nil && (m.Repository != r.ID || m.Set != set || m.ID != id) {
		err = fmt.Errorf("it says repository %s, set %s, id %s", m.Repository, m.Set, m.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("target %s: %s: %w: %w", r.Store.Name(), manifest.ManifestKey(set, id), ErrDamaged, err)
	}
	return m, nil
}
