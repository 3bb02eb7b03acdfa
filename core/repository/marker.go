package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// ErrMarkerLost: the target holds objects of a repository but no marker. It is never made a repository
// anew: with another id, none of its snapshots could be read again.
var ErrMarkerLost = errors.New("the repository's marker is lost")

// LostError Is ErrMarkerLost, and knows how to mend it.
type LostError struct {
	Target string
	Key    string // the first key that shows that there is a repository
	ID     string // the id on which the readable manifests agree; "" when none can be read or they differ
}

func (e *LostError) Error() string {
	return fmt.Sprintf("target %s: %v: %s is missing, and %s is there", e.Target, ErrMarkerLost, manifest.MarkerKey, e.Key)
}

// Next says what mends it.
func (e *LostError) Next() string {
	if e.ID == "" {
		return "put " + manifest.MarkerKey + " back from a copy: the snapshots that can be read do not tell its content. Or use an empty target"
	}
	return PutBack(e.ID)
}

// Is matches ErrMarkerLost.
func (e *LostError) Is(target error) bool { return target == ErrMarkerLost }

// PutBack tells what the marker of the repository with that id contains.
func PutBack(id string) string {
	return fmt.Sprintf("put %s back with this one line, and a newline at its end: %s",
		manifest.MarkerKey, strings.TrimSuffix(string(manifest.NewMarker(id).Encode()), "\n"))
}

// lostMarker returns a *LostError when the target, which has no marker, holds a key of a repository.
func lostMarker(ctx context.Context, store *target.Store) error {
	var key string
	for o, err := range store.List(ctx, "", "") {
		if err != nil {
			return err
		}
		if _, err := manifest.ParseKey(o.Key); err == nil {
			key = o.Key
			break
		}
	}
	if key == "" {
		return nil
	}
	// Another init and its first create may have come between.
	if _, err := store.Stat(ctx, manifest.MarkerKey); !errors.Is(err, target.ErrNotFound) {
		return err
	}
	id, err := claimed(ctx, store)
	if err != nil {
		return err
	}
	return &LostError{Target: store.Name(), Key: key, ID: id}
}

// maxClaims bounds how many manifests of a set are asked which repository they belong to.
const maxClaims = 8

// Claimed returns the id of the repository to which the newest manifests of all sets say they belong,
// whatever the marker says; "" when none can be read or they differ.
func (r *Repository) Claimed(ctx context.Context) (string, error) { return claimed(ctx, r.Store) }

func claimed(ctx context.Context, store *target.Store) (id string, err error) {
	sets, err := (&Repository{Store: store}).Sets(ctx)
	if err != nil {
		return "", err
	}
	for _, set := range sets {
		objects, err := store.ListAll(ctx, manifest.Prefix(set, manifest.Manifests))
		if err != nil {
			return "", err
		}
		for asked := 0; len(objects) > 0 && asked < maxClaims; objects = objects[:len(objects)-1] {
			b, err := store.GetBytes(ctx, objects[len(objects)-1].Key, manifest.MaxBytes)
			if lost(err) {
				continue
			}
			if err != nil {
				return "", err
			}
			m, err := manifest.Decode(b)
			if err != nil { // a tombstone, or damaged
				continue
			}
			if id != "" && m.Repository != id {
				return "", nil
			}
			id = m.Repository
			asked++
		}
	}
	return id, nil
}
