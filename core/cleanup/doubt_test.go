package cleanup_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// Section 13.7 of the format: every doubt is resolved so that nothing is deleted. A snapshot whose mark is older
// than the grace stands beside one that is kept.
func TestDoubt(t *testing.T) {
	newer := []byte("{\"format\": 2, \"more\": []}\n")
	const stamp = "20260411T090000Z-00000000" // of a create
	for name, c := range map[string]struct {
		doubt func(w *world, doomed *manifest.Manifest)
		err   error // of the run; nil: it succeeds
		gone  bool  // the doomed snapshot is deleted all the same
	}{
		"nothing": {func(*world, *manifest.Manifest) {}, nil, true},
		"a pin that cannot be decoded": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.PinKey(set, m.ID, "00000000"), []byte("{"))
		}, nil, false},
		"a pin that is too large": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.PinKey(set, m.ID, "00000000"), make([]byte, manifest.MaxNoteBytes+1))
		}, nil, false},
		"a pin of another snapshot": {func(w *world, m *manifest.Manifest) {
			n := note()
			past := noon.Add(-day)
			n.ID, n.Until = stamp, &past
			b, err := n.Encode()
			w.check(err)
			w.mem.Set(manifest.PinKey(set, m.ID, "00000000"), b)
		}, nil, false},
		"a pin that is over": {func(w *world, m *manifest.Manifest) {
			n := note()
			past := noon.Add(-day)
			n.ID, n.Until = m.ID, &past
			b, err := n.Encode()
			w.check(err)
			w.mem.Set(manifest.PinKey(set, m.ID, "00000000"), b)
		}, nil, true},
		"a pin of a later format": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.PinKey(set, m.ID, "00000000"), newer)
		}, errNewer, false},
		"a mark that is no note": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.ExpiredKey(set, m.ID, 1), []byte("x"))
			w.clock = w.clock.Add(cleanup.Grace + time.Second)
		}, nil, true},
		"a mark of a later format": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.ExpiredKey(set, m.ID, 1), newer)
		}, errNewer, false},
		"an intent that is no note": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.IntentKey(set, stamp), []byte("x"))
		}, nil, false},
		"an intent of a later format": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.IntentKey(set, stamp), newer)
		}, errNewer, false},
		"a verdict that is neither word": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.VerdictKey(set, m.ID, 1), []byte("sweep"))
		}, nil, false},
		"a verdict that is too large": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.VerdictKey(set, m.ID, 1), []byte(strings.Repeat("sweep\n", 100)))
		}, nil, false},
		"a verdict that cannot be read, beside a sweep": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.VerdictKey(set, m.ID, 1), []byte("x"))
			w.mem.Set(manifest.ExpiredKey(set, m.ID, 2), []byte("x"))
			w.mem.Set(manifest.VerdictKey(set, m.ID, 2), []byte(manifest.Sweep))
		}, nil, false},
		"a damage mark": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.DamagedKey(set, m.ID, "db-00000.zst"), []byte("x"))
		}, nil, true},
		"a damage mark of a later format": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.DamagedKey(set, m.ID, "db-00000.zst"), newer)
		}, errNewer, false},
		"a manifest that cannot be decoded": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.ManifestKey(set, stamp), []byte("{}"))
		}, repository.ErrDamaged, false},
		"a manifest of a later format": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.ManifestKey(set, stamp), newer)
		}, errNewer, false},
		"another's tombstone": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.ManifestKey(set, stamp), manifest.Tombstone(m.ID))
		}, repository.ErrDamaged, false},
		"a tombstone": {func(w *world, m *manifest.Manifest) {
			w.mem.Set(manifest.ManifestKey(set, stamp), manifest.Tombstone(stamp))
		}, nil, true},
		"a store that does not tell times": {func(w *world, m *manifest.Manifest) {
			w.clock = time.Time{}
		}, nil, false},
		"a mark from the future": {func(w *world, m *manifest.Manifest) {
			w.clock = w.clock.Add(300 * day)
			w.mem.Set(manifest.ExpiredKey(set, m.ID, 1), []byte("x"))
			w.clock = w.clock.Add(-300 * day)
		}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			doomed := w.create(manifest.Good)
			kept := w.create(manifest.Good)
			w.giveUp(doomed)
			w.must(nil)
			w.clock = w.clock.Add(cleanup.Grace + time.Second)
			c.doubt(w, doomed)
			at := w.clock
			if at.IsZero() {
				at = noon
			}
			r, err := w.run(func(o *cleanup.Options) { o.Now = func() time.Time { return at } })
			if c.err == nil && err != nil || c.err != nil && !errors.Is(err, c.err) && !(c.err == errNewer && later(err)) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			w.whole(kept)
			if c.gone {
				w.gone(doomed)
			} else {
				w.whole(doomed)
				if r.Objects != 0 {
					t.Errorf("%d objects were deleted", r.Objects)
				}
			}
		})
	}
}

// errNewer stands for an error that speaks of a later format.
var errNewer = errors.New("a later format")

func later(err error) bool {
	var bad *manifest.DecodeError
	return errors.As(err, &bad) && bad.ID == manifest.UnsupportedFormat
}

// Whatever operation fails, once and for good: as long as nothing was deleted nothing is, live snapshots stay whole, and the next
// run ends what this one began.
func TestEveryFailure(t *testing.T) {
	scene := func() (w *world, doomed, kept *manifest.Manifest) {
		w = newWorld(t)
		doomed = w.create(manifest.Good)
		kept = w.create(manifest.Good, doomed)
		dead := w.begin()
		w.put(dead, manifest.VolumeKey(set, dead.ID, "db", 0, false), "of a dead create")
		w.giveUp(doomed)
		w.must(nil)
		w.clock = w.clock.Add(cleanup.Grace + time.Second)
		return w, doomed, kept
	}
	for name, fault := range map[string]func(op memtarget.Op, key string) memtarget.Fault{
		"refused":     func(op memtarget.Op, key string) memtarget.Fault { return failing(op, key, target.KindDenied) },
		"unreachable": func(op memtarget.Op, key string) memtarget.Fault { return failing(op, key, target.KindUnavailable) },
		"applied, and the answer lost": func(op memtarget.Op, key string) memtarget.Fault {
			f := failing(op, key, target.KindUnknown)
			f.Applied = true
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			failed := 0
			for n := 1; ; n++ {
				w, doomed, kept := scene()
				ops, deleted, failedKey := 0, 0, ""
				w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
					if ops++; ops == n || failedKey == string(op)+" "+key {
						failedKey = string(op) + " " + key
						return fault(op, key)
					}
					if op == memtarget.Delete && (strings.Contains(key, "/archives/") || strings.Contains(key, "/manifests/")) {
						deleted++
					}
					return memtarget.Fault{}
				}
				r, err := w.run(nil)
				w.fault = nil
				if len(r.Snapshots) > 0 && r.Snapshots[0].Fate == cleanup.FateDeleted {
					w.gone(doomed)
				}
				if ops < n {
					break // every operation had its turn
				}
				if err != nil {
					failed++
				}
				if err != nil && deleted == 0 && !strings.HasPrefix(failedKey, "delete "+set+"/archives/") {
					w.whole(doomed)
				}
				w.whole(kept)
				w.must(nil)
				w.gone(doomed)
				w.whole(kept)
				if left := w.keys("/archives/"); len(left) != 3 || len(w.keys("/intents/")) != 0 {
					t.Errorf("operation %d (%s, %v): left %q and %q", n, failedKey, err, left, w.keys("/intents/"))
				}
			}
			if failed < 15 {
				t.Errorf("only %d operations made a run fail", failed)
			}
		})
	}
}

func failing(op memtarget.Op, key string, kind target.Kind) memtarget.Fault {
	return memtarget.Fault{Err: &target.Error{Op: string(op), Key: key, Kind: kind}}
}

// A rival's verdict that is neither word is obeyed as a doubt.
func TestDoubtfulRival(t *testing.T) {
	w, doomed, kept := doomed(t)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Put && key == manifest.VerdictKey(set, doomed.ID, 1) {
			w.mem.Set(key, []byte("maybe\n"))
		}
		return memtarget.Fault{}
	}
	if r := w.must(nil); r.Snapshots[0].Fate != cleanup.FateDoubtful {
		t.Errorf("%v", fates(r))
	}
	w.whole(doomed, kept)
}

// A listing that shrinks between two looks is not believed.
func TestListingShrinks(t *testing.T) {
	w := newWorld(t)
	doomed, kept := w.create(manifest.Good), w.create(manifest.Good)
	w.giveUp(doomed)
	w.must(nil)
	w.clock = w.clock.Add(cleanup.Grace + time.Second)
	listings := 0
	hidden, _ := w.mem.Bytes(manifest.ManifestKey(set, kept.ID))
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.List && key == manifest.Prefix(set, manifest.Manifests) {
			if listings++; listings == 2 {
				w.mem.Remove(manifest.ManifestKey(set, kept.ID))
			}
		}
		return memtarget.Fault{}
	}
	_, err := w.run(nil)
	wantRefused(t, err, cleanup.RefusedShrunk)
	w.mem.Set(manifest.ManifestKey(set, kept.ID), hidden)
	w.whole(doomed, kept)
}

func wantRefused(t *testing.T, err error, id string) {
	t.Helper()
	var refusal *cleanup.Refusal
	if !errors.Is(err, cleanup.ErrRefused) || !errors.As(err, &refusal) || refusal.ID != id {
		t.Errorf("error %v, want %s", err, id)
	}
}

// A create that commits while the sweep runs is seen, whatever it leans on.
func TestCommitMeanwhile(t *testing.T) {
	w := newWorld(t)
	doomed, kept := w.create(manifest.Good), w.create(manifest.Good)
	w.giveUp(doomed)
	w.must(nil)
	w.clock = w.clock.Add(cleanup.Grace + time.Second)
	writer := w.begin()
	var late *manifest.Manifest
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if late == nil && op == memtarget.List && key == manifest.Prefix(set, manifest.Intents) {
			w.fault = nil
			late = w.commit(writer, manifest.Good, kept)
		}
		return memtarget.Fault{}
	}
	w.must(nil)
	w.whole(kept, late)
	if usable, err := w.repo.View(t.Context(), set); err != nil || len(usable.IDs) != 2 {
		t.Errorf("%v, %v", usable, err)
	}
}
