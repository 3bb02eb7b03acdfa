package repository_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// settled checks what must hold when a create has ended: its ballot is taken, by its manifest exactly when
// it reported success, and no intent is left.
func (w *world) settled(committed bool, id manifest.ID) {
	w.t.Helper()
	_, err := w.repo.Load(w.t.Context(), set, id)
	if committed && err != nil || !committed && !errors.Is(err, repository.ErrRevoked) {
		w.t.Errorf("committed %v, and the ballot says %v", committed, err)
	}
	if left := w.keys(manifest.Intents); len(left) > 0 {
		w.t.Errorf("intents are left: %v", left)
	}
}

func (w *world) put(s *repository.Session) error {
	b := []byte("some volume")
	return s.Put(w.t.Context(), manifest.VolumeKey(set, s.ID, "db", 0, false), bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
}

func TestCommit(t *testing.T) {
	w := newWorld(t)
	s := w.mustBegin(noon)
	if want := []string{manifest.IntentKey(set, s.ID)}; !slices.Equal(w.keys(manifest.Intents), want) {
		t.Errorf("intents %v, want %v", w.keys(manifest.Intents), want)
	}
	if err := w.put(s); err != nil {
		t.Fatal(err)
	}
	m, err := s.Commit(t.Context(), document(noon), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.settled(true, s.ID)
	if m.ID != s.ID || m.Set != set || m.Repository != w.repo.ID || len(m.Nonce) != 16 {
		t.Errorf("committed %+v", m)
	}
	var stored int64
	for _, k := range w.mem.Keys() {
		b, _ := w.mem.Bytes(k)
		stored += int64(len(b))
	}
	marker, _ := w.mem.Bytes(manifest.MarkerKey)
	if intent := s.Sent() - stored + int64(len(marker)); intent < 50 || intent > 1000 {
		t.Errorf("sent %d, of which %d are no object that is left: that is no intent", s.Sent(), intent)
	}
	if err := s.Abandon(t.Context()); err != nil {
		t.Errorf("abandon after the commit: %v", err)
	}
	w.settled(true, s.ID)
}

// A create that was given up for dead by a cleanup is told so, and does not win after all.
func TestRevoked(t *testing.T) {
	w := newWorld(t)
	s := w.mustBegin(noon)
	w.mem.Set(manifest.ManifestKey(set, s.ID), manifest.Tombstone(s.ID))
	if m, err := s.Commit(t.Context(), document(noon), rand.Reader); !errors.Is(err, repository.ErrRevoked) || m != nil {
		t.Errorf("%+v, %v", m, err)
	}
	w.settled(false, s.ID)
}

// What stands at our key and is neither ours nor a tombstone is damage, and is left alone.
func TestForeignBallot(t *testing.T) {
	w := newWorld(t)
	foreign := func(manifest.ID) []byte { return []byte("who put this here?") }
	another := func(id manifest.ID) []byte { // a manifest, and that snapshot's, but not what we put
		m := document(noon)
		m.Repository, m.Set, m.ID, m.Nonce = w.repo.ID, set, id, "0123456789abcdef"
		b, err := manifest.Encode(&m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, stranger := range []func(manifest.ID) []byte{foreign, another} {
		s := w.mustBegin(noon)
		there := stranger(s.ID)
		w.mem.Set(manifest.ManifestKey(set, s.ID), there)
		if _, err := s.Commit(t.Context(), document(noon), rand.Reader); !errors.Is(err, repository.ErrDamaged) {
			t.Errorf("%v", err)
		}
		if b, _ := w.mem.Bytes(manifest.ManifestKey(set, s.ID)); !bytes.Equal(b, there) {
			t.Errorf("it was replaced by %q", b)
		}
	}
}

// Whatever happens to the answer of a put, the create ends settled, and stays so when the put lands late.
func TestLostAnswers(t *testing.T) {
	for _, folder := range []manifest.Folder{manifest.Intents, manifest.Archives, manifest.Manifests} {
		for _, how := range []string{"applied", "lost", "late", "late, at once"} {
			for _, times := range []int{1, 2} { // 2: the retry's answer is lost too, and the outcome is unknown
				t.Run(fmt.Sprintf("%s/%s/%d", folder, how, times), func(t *testing.T) {
					w := newWorld(t)
					lost := 0
					w.fault = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
						switch {
						case op == memtarget.Put && strings.HasPrefix(key, manifest.Prefix(set, folder)) && lost < times:
							lost++
							f = failing(op, key, target.KindUnavailable)
							f.Applied, f.Late = how == "applied", strings.HasPrefix(how, "late")
						case how == "late, at once" && lost == times: // it lands before anything else is asked
							w.mem.Land()
						}
						return f
					}
					s, err := w.begin(noon)
					var m *manifest.Manifest
					if err == nil {
						if err = w.put(s); err == nil {
							m, err = s.Commit(t.Context(), document(noon), rand.Reader)
						} else {
							err = errors.Join(err, s.Abandon(t.Context()))
						}
					}
					if (err == nil) != (m != nil) {
						t.Fatalf("%+v, %v", m, err)
					}
					if (times == 1 || how == "applied") && err != nil {
						t.Errorf("a retry settles this: %v", err)
					}
					id := manifest.ID(strings.TrimSuffix(strings.TrimPrefix(w.keys(manifest.Manifests)[0], manifest.Prefix(set, manifest.Manifests)), ".json"))
					w.settled(m != nil, id)
					before, _ := w.mem.Bytes(manifest.ManifestKey(set, id))
					w.mem.Land()
					if after, _ := w.mem.Bytes(manifest.ManifestKey(set, id)); !bytes.Equal(before, after) {
						t.Errorf("the ballot changed from %q to %q when the put landed", before, after)
					}
				})
			}
		}
	}
}

// A create whose context ends while it votes still finds out how the vote went.
func TestCancelledVote(t *testing.T) {
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint(applied), func(t *testing.T) {
			w := newWorld(t)
			s := w.mustBegin(noon)
			ctx, cancel := context.WithCancel(t.Context())
			w.fault = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
				if op == memtarget.Put && key == manifest.ManifestKey(set, s.ID) && ctx.Err() == nil {
					cancel()
					f.Err, f.Applied = context.Canceled, applied
				}
				return f
			}
			m, err := s.Commit(ctx, document(noon), rand.Reader)
			if (m != nil) != applied || !applied && !errors.Is(err, context.Canceled) {
				t.Errorf("applied %v: %+v, %v", applied, m, err)
			}
			w.settled(applied, s.ID)
		})
	}
}

func TestAbandon(t *testing.T) {
	w := newWorld(t)
	s := w.mustBegin(noon)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Abandon(ctx); err != nil {
		t.Fatal(err)
	}
	w.settled(false, s.ID)
	if _, err := s.Commit(t.Context(), document(noon), rand.Reader); !errors.Is(err, repository.ErrRevoked) {
		t.Errorf("a commit after it: %v", err)
	}
	w.settled(false, s.ID)
}

// While the ballot may be open the intent stays: it keeps cleanups from sweeping what may yet be committed.
func TestUndecided(t *testing.T) {
	w := newWorld(t)
	s := w.mustBegin(noon)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op != memtarget.Put {
			return memtarget.Fault{}
		}
		f := failing(op, key, target.KindUnavailable)
		f.Late = true
		return f
	}
	_, err := s.Commit(t.Context(), document(noon), rand.Reader)
	if !errors.Is(err, target.ErrUnavailable) || !strings.Contains(err.Error(), "could not be found out") {
		t.Errorf("commit: %v", err)
	}
	if err := s.Abandon(t.Context()); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("abandon: %v", err)
	}
	if len(w.keys(manifest.Intents)) != 1 {
		t.Error("the intent is gone")
	}
	w.fault = nil
	w.mem.Land() // our manifest was first after all
	if err := s.Abandon(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settled(true, s.ID)
}

// A vote that the target refuses was not cast, and the error does not speak as if it might have been.
func TestRefusedVote(t *testing.T) {
	w := newWorld(t)
	s := w.mustBegin(noon)
	refuse := true
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Put && refuse {
			refuse = false
			return failing(op, key, target.KindFull)
		}
		return memtarget.Fault{}
	}
	if _, err := s.Commit(t.Context(), document(noon), rand.Reader); !errors.Is(err, target.ErrFull) || strings.Contains(err.Error(), "found out") {
		t.Errorf("%v", err)
	}
	w.settled(false, s.ID)

	s = w.mustBegin(noon)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Put {
			return failing(op, key, target.KindDenied)
		}
		return memtarget.Fault{}
	}
	_, err := s.Commit(t.Context(), document(noon), rand.Reader)
	if !errors.Is(err, target.ErrDenied) || strings.Contains(err.Error(), "found out") || !strings.Contains(err.Error(), "intent stays") {
		t.Errorf("%v", err)
	}
}

// What stands at the ballot decides, and not the last answer: an attempt whose answer was lost may have taken
// effect before the next one was refused.
func TestLostThenRefused(t *testing.T) {
	for _, c := range []struct {
		applied   bool // the first attempt took effect
		tombstone bool // it can be put
	}{{true, true}, {true, false}, {false, true}, {false, false}} {
		t.Run(fmt.Sprintf("applied %v, tombstone %v", c.applied, c.tombstone), func(t *testing.T) {
			w := newWorld(t)
			s := w.mustBegin(noon)
			puts := 0
			w.fault = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
				if op != memtarget.Put || key != manifest.ManifestKey(set, s.ID) {
					return f
				}
				switch puts++; {
				case puts == 1:
					f = failing(op, key, target.KindUnavailable)
					f.Applied = c.applied
				case puts == 2 || !c.tombstone:
					f = failing(op, key, target.KindDenied)
				}
				return f
			}
			m, err := s.Commit(t.Context(), document(noon), rand.Reader)
			if c.applied {
				if m == nil || err != nil {
					t.Errorf("our manifest stands there: %+v, %v", m, err)
				}
				w.settled(true, s.ID)
				return
			}
			if m != nil || !errors.Is(err, target.ErrDenied) || strings.Contains(err.Error(), "found out") {
				t.Errorf("%+v, %v", m, err)
			}
			if c.tombstone {
				w.settled(false, s.ID)
			} else if !strings.Contains(err.Error(), "intent stays") || len(w.keys(manifest.Intents)) != 1 {
				t.Errorf("%v, intents %v", err, w.keys(manifest.Intents))
			}
		})
	}
}

// A vote that was refused, and of which nothing can be read either, stays open.
func TestRefusedUnread(t *testing.T) {
	w := newWorld(t)
	s := w.mustBegin(noon)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		return failing(op, key, target.KindDenied)
	}
	if m, err := s.Commit(t.Context(), document(noon), rand.Reader); m != nil || !errors.Is(err, target.ErrDenied) || !strings.Contains(err.Error(), "could not be found out") {
		t.Errorf("%+v, %v", m, err)
	}
}

// Whatever fails before the vote, the create is given up.
func TestNoVote(t *testing.T) {
	for name, c := range map[string]struct {
		tool string
		rand []byte
	}{"invalid manifest": {"", make([]byte, 8)}, "no randomness": {"test", nil}} {
		w := newWorld(t)
		s := w.mustBegin(noon)
		m := document(noon)
		m.Tool = c.tool
		if _, err := s.Commit(t.Context(), m, iotest.OneByteReader(bytes.NewReader(c.rand))); err == nil {
			t.Errorf("%s: committed", name)
		}
		w.settled(false, s.ID)
	}
	w := newWorld(t)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.List && key == manifest.Prefix(set, manifest.Archives) {
			return failing(op, key, target.KindDenied)
		}
		return memtarget.Fault{}
	}
	if _, err := w.begin(noon); !errors.Is(err, target.ErrDenied) {
		t.Errorf("begin: %v", err)
	}
	w.fault = nil
	w.settled(false, w.view().IDs[0])
}

// The intent cannot be deleted: the snapshot is there all the same, and both are said.
func TestIntentStays(t *testing.T) {
	w := newWorld(t)
	s := w.mustBegin(noon)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Delete {
			return failing(op, key, target.KindDenied)
		}
		return memtarget.Fault{}
	}
	m, err := s.Commit(t.Context(), document(noon), rand.Reader)
	var intent *repository.IntentError
	if m == nil || !errors.As(err, &intent) || !errors.Is(err, target.ErrDenied) {
		t.Errorf("%+v, %v", m, err)
	}
}
