package repository

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Session is a create in progress in one repository. Its steps are those of the ballot:
//
//	C1  Begin puts the intent.
//	C2  Begin then lists: only what is seen after the intent may be leaned on, for a cleanup that has
//	    not seen the intent has not swept anything that it lists.
//	C3  Put stores volumes and indexes under this session's id.
//	C4  Commit puts the manifest if absent: the ballot.
//	C5  Commit and Abandon delete the intent once the ballot is taken, and only then.
type Session struct {
	ID   manifest.ID
	View *View
	Late bool // the id's stamp is later than the capture: the clock had gone back behind the last id

	repo      *Repository
	put       atomic.Int64 // bytes
	rehearsal bool         // nothing is put
}

// settle bounds each thing that a session still does when its context has ended: giving up, and finding
// out how a vote went.
const settle = 30 * time.Second

// Rehearse is Begin for a create that only wants to know what it would do: its Put and Commit count
// bytes and leave the target as it is.
func (r *Repository) Rehearse(ctx context.Context, set string, captured, now time.Time, rand io.Reader) (*Session, error) {
	s, err := r.session(ctx, set, captured, now, rand)
	if err != nil {
		return nil, err
	}
	return r.rehearse(ctx, s)
}

// RehearseAt is Rehearse for BeginAt.
func (r *Repository) RehearseAt(ctx context.Context, set string, captured time.Time, rand io.Reader) (*Session, error) {
	s, err := r.sessionAt(set, captured, rand)
	if err != nil {
		return nil, err
	}
	return r.rehearse(ctx, s)
}

func (r *Repository) rehearse(ctx context.Context, s *Session) (_ *Session, err error) {
	s.rehearsal = true
	s.View, err = r.View(ctx, s.View.Set)
	return s, err
}

// session draws an id for what was captured at the given moment.
func (r *Repository) session(ctx context.Context, set string, captured, now time.Time, rand io.Reader) (*Session, error) {
	stamp := captured
	for o, err := range r.Store.List(ctx, manifest.Prefix(set, manifest.Manifests), "") {
		if err != nil {
			return nil, err
		}
		if k, err := manifest.ParseKey(o.Key); err == nil {
			// Ids of one set rise with time, so the greatest is the latest; but one whose stamp is far
			// ahead of the clock must not drag all others after it.
			if t := k.ID.Time(); !t.After(now.Add(MaxAhead)) && !t.Before(stamp.Truncate(time.Second)) {
				stamp = t.Add(time.Second)
			}
		}
	}
	s, err := r.sessionAt(set, stamp, rand)
	if err != nil {
		return nil, err
	}
	s.Late = stamp.Sub(captured) > time.Second
	return s, nil
}

// sessionAt draws an id with exactly that stamp.
func (r *Repository) sessionAt(set string, stamp time.Time, rand io.Reader) (s *Session, err error) {
	s = &Session{repo: r, View: &View{Set: set}}
	s.ID, err = manifest.NewID(stamp, rand)
	return s, err
}

// Begin starts a create of a set that was captured at the given moment. note says who writes.
func (r *Repository) Begin(ctx context.Context, set string, captured, now time.Time, rand io.Reader, note manifest.Note) (*Session, error) {
	s, err := r.session(ctx, set, captured, now, rand)
	if err != nil {
		return nil, err
	}
	return r.begin(ctx, s, now, note)
}

// BeginAt is Begin for a snapshot that was not captured now, but is copied or imported: its id has the stamp of
// that moment, whatever other snapshots there are.
func (r *Repository) BeginAt(ctx context.Context, set string, captured, now time.Time, rand io.Reader, note manifest.Note) (*Session, error) {
	s, err := r.sessionAt(set, captured, rand)
	if err != nil {
		return nil, err
	}
	return r.begin(ctx, s, now, note)
}

func (r *Repository) begin(ctx context.Context, s *Session, now time.Time, note manifest.Note) (*Session, error) {
	set := s.View.Set
	note.ID, note.At = s.ID, now.UTC()
	b, err := note.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode intent %s: %w", s.ID, err)
	}
	outcome, err := r.Store.PutBytes(ctx, manifest.IntentKey(set, s.ID), b, target.PutOptions{})
	switch {
	case err == nil:
	case outcome == target.Unknown && !refused(err): // the intent may be there, or arrive later
		return nil, errors.Join(err, s.Abandon(ctx))
	default:
		return nil, err
	}
	s.put.Store(int64(len(b)))
	view, err := r.View(ctx, set)
	if err != nil {
		return nil, errors.Join(err, s.Abandon(ctx))
	}
	s.View = view
	return s, nil
}

// refused reports whether a put whose outcome is unknown was turned down by the target, so that it
// will not take effect later either.
func refused(err error) bool {
	switch target.KindOf(err) {
	case target.KindDenied, target.KindLocked, target.KindFull, target.KindInvalid:
		return true
	}
	return false
}

// Repository is where the session takes place.
func (s *Session) Repository() *Repository { return s.repo }

// Sent is how many bytes were put so far.
func (s *Session) Sent() int64 { return s.put.Load() }

// Put stores a finished object under one of this session's keys. It is safe for concurrent use.
func (s *Session) Put(ctx context.Context, key string, r io.ReaderAt, size int64, sum [32]byte) error {
	if !s.rehearsal {
		if _, err := s.repo.Store.Put(ctx, key, r, target.PutOptions{Size: size, SHA256: sum}); err != nil {
			return err
		}
	}
	s.put.Add(size)
	return nil
}

// Commit takes the ballot with m, whose Repository, Set, ID and Nonce it sets, and returns it as it was
// read back. What stands at the ballot decides, whatever the answers to the puts were: with our manifest there
// Commit succeeds, and beside the manifest its error is nil or an *IntentError. After any other error the
// snapshot does not exist, or the error says that this could not be found out. When ctx ends during
// the vote, Commit still finds out how it went.
func (s *Session) Commit(ctx context.Context, m manifest.Manifest, rand io.Reader) (*manifest.Manifest, error) {
	b, err := s.ballot(&m, rand)
	if err != nil {
		return nil, errors.Join(err, s.Abandon(ctx))
	}
	if s.rehearsal {
		s.put.Add(int64(len(b)))
		return &m, nil
	}
	outcome, err := s.repo.Store.PutBytes(ctx, manifest.ManifestKey(m.Set, m.ID), b, target.PutOptions{})
	var open error // why the ballot may not be taken
	if outcome == target.Unknown {
		// The answer is lost, perhaps to an earlier attempt than the last, and the put may have arrived, or may
		// yet. A tombstone settles it: whichever of the two stands there is the truth.
		open = s.revoke(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	committed, got, lerr := s.repo.load(ctx, m.Set, m.ID)
	switch {
	case lerr == nil && bytes.Equal(got, b):
		s.put.Add(int64(len(b)))
		return committed, s.deleteIntent(ctx)
	case errors.Is(lerr, ErrRevoked) && refused(err): // by ourselves, and for this
		return nil, errors.Join(err, s.deleteIntent(ctx))
	case errors.Is(lerr, ErrRevoked):
		return nil, errors.Join(fmt.Errorf("%w; run the create again", lerr), err, s.deleteIntent(ctx))
	case errors.Is(lerr, target.ErrNotFound) && open != nil && refused(err):
		return nil, fmt.Errorf("snapshot %s was not committed, and its intent stays until a cleanup resolves it: %w", s.ID, errors.Join(err, open))
	case lerr != nil && open != nil && !errors.Is(lerr, ErrDamaged):
		return nil, fmt.Errorf("snapshot %s: it could not be found out whether it was committed; holdfast list will tell once the target answers: %w",
			s.ID, errors.Join(err, open, lerr))
	case lerr != nil:
		return nil, fmt.Errorf("snapshot %s: its ballot is taken and cannot be read back: %w", s.ID, lerr)
	}
	return nil, fmt.Errorf("snapshot %s: %w: its manifest is not what was put", s.ID, ErrDamaged)
}

// ballot completes m and encodes it.
func (s *Session) ballot(m *manifest.Manifest, rand io.Reader) ([]byte, error) {
	m.Repository, m.Set, m.ID = s.repo.ID, s.View.Set, s.ID
	var nonce [8]byte
	if _, err := io.ReadFull(rand, nonce[:]); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	m.Nonce = hex.EncodeToString(nonce[:])
	return manifest.Encode(m)
}

// Abandon gives the create up: the ballot is taken by a tombstone, and the intent goes. What was put is
// left for cleanup. It works also when ctx has ended. A manifest that is committed stays.
func (s *Session) Abandon(ctx context.Context) error {
	if s.rehearsal {
		return nil
	}
	if err := s.revoke(ctx); err != nil {
		return fmt.Errorf("give up snapshot %s: its intent stays until a cleanup resolves it: %w", s.ID, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	return s.deleteIntent(ctx)
}

// revoke puts a tombstone unless the ballot is taken, also when ctx has ended. When it returns nil, the
// ballot is taken, by whatever.
func (s *Session) revoke(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	outcome, err := s.repo.Store.PutBytes(ctx, manifest.ManifestKey(s.View.Set, s.ID), manifest.Tombstone(s.ID), target.PutOptions{})
	if outcome == target.ExistsOther && errors.Is(err, target.ErrExists) {
		return nil
	}
	return err
}

func (s *Session) deleteIntent(ctx context.Context) error {
	if err := s.repo.Store.Delete(ctx, manifest.IntentKey(s.View.Set, s.ID)); err != nil {
		return &IntentError{err}
	}
	return nil
}

// IntentError says that only the deletion of the intent failed: the ballot is taken, and the intent is
// resolved by the next cleanup. Commit returns it beside a committed manifest.
type IntentError struct{ Err error }

func (e *IntentError) Error() string {
	return fmt.Sprintf("the intent could not be deleted, the next cleanup will: %v", e.Err)
}

func (e *IntentError) Unwrap() error { return e.Err }
