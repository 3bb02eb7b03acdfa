package repository

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// MaxSession is how old an intent must be before a cleanup may revoke its create, by the target's clock.
const MaxSession = 24 * time.Hour

// Resume takes up a session that a dead process of this host left: one whose intent says the same as note in
// host, tool and reason, and whose ballot is not taken. It is nil when there is none, or only one that is so old
// that a cleanup may revoke it any moment.
//
// To resume is to go on after C1: the intent is known to be there, and View is listed now. What the dead
// process put under the session's id lies in the view and in reach of no cleanup: see [Session.Holds].
// The caller sees to it that the other process is dead. If it is not after all, the ballot still has one
// winner, and the loser fails.
func (r *Repository) Resume(ctx context.Context, set string, now time.Time, note manifest.Note) (*Session, error) {
	for o, err := range r.Store.List(ctx, manifest.Prefix(set, manifest.Intents), "") {
		if err != nil {
			return nil, err
		}
		k, err := manifest.ParseKey(o.Key)
		if err != nil || now.Sub(o.ModTime) > MaxSession/2 {
			continue
		}
		b, err := r.Store.GetBytes(ctx, o.Key, manifest.MaxNoteBytes)
		if lost(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		left, err := manifest.DecodeNote(b)
		if err != nil || left.ID != k.ID || left.Host != note.Host || left.Tool != note.Tool || left.Reason != note.Reason {
			continue
		}
		v, err := r.View(ctx, set)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(v.IDs, k.ID) {
			return &Session{ID: k.ID, View: v, repo: r}, nil
		}
	}
	return nil, nil
}

// ErrConflict: an object of a resumed session is not what it would be now.
var ErrConflict = errors.New("the session holds other bytes")

// Holds reports whether an object of a resumed session is there, as a whole: it is read back. One that is
// there and is something else is ErrConflict, and the session is of no use.
func (s *Session) Holds(ctx context.Context, key string, size int64, sum [32]byte) (bool, error) {
	listed, ok := s.View.Archives[key]
	if !ok {
		return false, nil
	}
	if listed != size {
		return false, fmt.Errorf("%s: %w", key, ErrConflict)
	}
	body := s.repo.Store.OpenVerified(ctx, key, size, sum)
	_, err := io.Copy(io.Discard, body)
	err = errors.Join(err, body.Close())
	switch {
	case errors.Is(err, target.ErrCorrupt):
		return false, fmt.Errorf("%w: %w", ErrConflict, err)
	case errors.Is(err, target.ErrNotFound):
		return false, nil
	}
	return err == nil, err
}

// LoadSum is Load, and tells the SHA-256 of the manifest's object.
func (r *Repository) LoadSum(ctx context.Context, set string, id manifest.ID) (*manifest.Manifest, [32]byte, error) {
	m, b, err := r.load(ctx, set, id)
	return m, sha256.Sum256(b), err
}
