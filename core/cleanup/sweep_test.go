package cleanup_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// doomed is a world with a snapshot whose mark is older than the grace, and one that is kept.
func doomed(t *testing.T) (w *world, doomed, kept *manifest.Manifest) {
	w = newWorld(t)
	doomed, kept = w.create(manifest.Good), w.create(manifest.Good)
	w.giveUp(doomed)
	w.must(nil)
	w.clock = w.clock.Add(cleanup.Grace + time.Second)
	return w, doomed, kept
}

// A sweep that waits for a create goes on with what it began with, and with nothing newer.
func TestWaits(t *testing.T) {
	w, gone, kept := doomed(t)
	writer := w.begin()
	r := w.must(nil)
	if !slices.Equal(r.Waiting, []manifest.ID{writer.ID}) || !slices.Equal(fates(r), []string{"expired", "kept"}) || r.Objects != 0 || len(w.book.b) == 0 {
		t.Fatalf("beside a create: %+v, %v", r, fates(r))
	}
	w.whole(gone, kept)
	// The writer puts a volume that K does not have, and dies; another create begins and is at work.
	w.put(writer, manifest.VolumeKey(set, writer.ID, "db", 0, false), "of a dead create")
	w.clock = w.clock.Add(cleanup.MaxSession + time.Second)
	second := w.begin()
	w.put(second, manifest.VolumeKey(set, second.ID, "db", 0, false), "at work")
	r = w.must(nil)
	w.gone(gone)
	if !slices.Equal(r.Revoked, []manifest.ID{writer.ID}) || !slices.Equal(r.Waiting, []manifest.ID{second.ID}) || r.Objects != 2 {
		t.Errorf("the first sweep ended, and the next waits: %+v", r)
	}
	if n := len(w.keys("/archives/" + string(writer.ID))); n != 1 {
		t.Errorf("what was not in K has %d objects", n)
	}
	if _, err := writer.Commit(t.Context(), manifest.Manifest{}, rand.Reader); err == nil {
		t.Error("a create that was given up for dead was committed")
	}
	w.whole(kept, w.commitRest(second))
	w.must(nil)
	w.must(nil)
	if len(w.keys("/archives/"+string(writer.ID))) != 0 || len(w.keys("/intents/")) != 0 {
		t.Errorf("left: %q", w.mem.Keys())
	}
}

// commitRest commits a session whose volume is put already.
func (w *world) commitRest(s *repository.Session) *manifest.Manifest {
	w.mem.Remove(manifest.VolumeKey(set, s.ID, "db", 0, false))
	return w.commit(s, manifest.Good)
}

// Between the two halves of a sweep the plan, or a pin, may spare what it began with.
func TestWaitsAndSpares(t *testing.T) {
	w, spared, kept := doomed(t)
	writer := w.begin()
	w.must(nil)
	w.plan = map[manifest.ID]bool{}
	w.commit(writer, manifest.Good)
	r := w.must(nil)
	if !slices.Equal(fates(r), []string{"kept", "kept", "kept"}) || !r.Snapshots[0].Marked() {
		t.Errorf("the plan keeps it now: %v", fates(r))
	}
	w.whole(spared, kept)
}

// A mark, or a sweep, on what this run's own plan keeps deletes nothing.
func TestOthersMark(t *testing.T) {
	w, swept, kept := doomed(t)
	w.mem.Set(manifest.VerdictKey(set, swept.ID, 1), []byte(manifest.Sweep))
	w.plan = map[manifest.ID]bool{}
	r := w.must(nil)
	if !slices.Equal(fates(r), []string{"kept", "kept"}) || r.Snapshots[0].Standing != repository.Expired {
		t.Errorf("%+v", r.Snapshots)
	}
	w.whole(swept, kept)
}

// What is marked takes no other snapshot's place, for it may be half deleted.
func TestMarkedDisplacesNothing(t *testing.T) {
	w := newWorld(t)
	older, newer := w.create(manifest.Good), w.create(manifest.Good)
	w.mem.Set(manifest.ExpiredKey(set, newer.ID, 1), []byte("x"))
	w.mem.Set(manifest.VerdictKey(set, newer.ID, 1), []byte(manifest.Sweep))
	r := w.must(func(o *cleanup.Options) { o.Plan = onePerDay })
	if r.Snapshots[0].ID != older.ID || r.Snapshots[0].Fate != cleanup.FateKept {
		t.Errorf("the swept snapshot displaced the whole one: %v", fates(r))
	}
}

// Whoever answers a mark first is obeyed; a pin that was there before the mark's answer holds.
func TestUndeleteWins(t *testing.T) {
	w, back, kept := doomed(t)
	pinned, err := cleanup.Undelete(t.Context(), w.options(), back.ID)
	if err != nil || !pinned {
		t.Fatalf("undelete: %v, %v", pinned, err)
	}
	if r := w.must(nil); !slices.Equal(fates(r), []string{"kept", "kept"}) || !r.Snapshots[0].Held {
		t.Errorf("it is held: %+v", r.Snapshots)
	}
	w.whole(back, kept)
	if n, err := w.repo.Unpin(t.Context(), set, back.ID); n != 1 || err != nil {
		t.Fatalf("unpin: %d, %v", n, err)
	}
	if r := w.must(nil); r.Snapshots[0].Fate != cleanup.FateMarked || len(w.keys("/expired/")) != 2 {
		t.Errorf("the plan gives it up again: %v", fates(r))
	}
	w.must(func(o *cleanup.Options) { o.NoGrace = true })
	w.gone(back)
}

// A pin or an undelete that comes between any two operations of a cleanup either fails, or the snapshot stays.
func TestPinAtAnyMoment(t *testing.T) {
	for name, hold := range map[string]func(w *world, id manifest.ID) error{
		"pin": func(w *world, id manifest.ID) error {
			_, err := w.repo.Pin(w.t.Context(), set, id, note(), rand.Reader)
			return err
		},
		"undelete": func(w *world, id manifest.ID) error {
			pinned, err := w.repo.Undelete(w.t.Context(), set, id, note(), rand.Reader)
			if err == nil && !pinned {
				return errors.New("not marked")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			held, refused := 0, 0
			for n := 1; ; n++ {
				w := newWorld(t)
				doomed, kept := w.create(manifest.Good), w.create(manifest.Good)
				w.giveUp(doomed)
				ops, done, err := 0, false, error(nil)
				w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
					if ops++; ops == n && !done {
						done = true
						hook := w.fault
						w.fault = nil
						err = hold(w, doomed.ID)
						w.fault = hook
					}
					return memtarget.Fault{}
				}
				w.must(func(o *cleanup.Options) { o.NoGrace = true })
				w.fault = nil
				if !done {
					break
				}
				w.whole(kept)
				if err != nil {
					refused++
					continue
				}
				held++
				w.whole(doomed)
				w.must(func(o *cleanup.Options) { o.NoGrace = true })
				w.whole(doomed)
			}
			if held == 0 || refused == 0 {
				t.Errorf("held %d times, refused %d times", held, refused)
			}
		})
	}
}

// Marks, verdicts and tombstones outlive what they speak of by a year; pins of what is gone do not.
func TestYear(t *testing.T) {
	w, gone, kept := doomed(t)
	dead := w.begin()
	w.check(dead.Abandon(t.Context()))
	w.must(nil)
	w.gone(gone)
	w.mem.Set(manifest.PinKey(set, gone.ID, "00000000"), []byte("x"))
	w.must(nil)
	if len(w.keys("/pins/")) != 0 {
		t.Error("the pin of a snapshot that is gone stays")
	}
	marks := func() int {
		return len(w.keys("/expired/")) + len(w.keys("/verdicts/")) + len(w.keys("/manifests/")) - 1
	}
	w.clock = w.clock.Add(cleanup.Kept)
	w.must(nil)
	if marks() != 3 {
		t.Errorf("before the year is over: %q", w.mem.Keys())
	}
	w.clock = w.clock.Add(time.Hour)
	w.must(func(o *cleanup.Options) { o.Notebook = nil })
	if marks() != 2 {
		t.Errorf("when it was deleted is not known: %q", w.mem.Keys())
	}
	w.must(nil)
	if marks() != 0 {
		t.Errorf("after the year: %q", w.mem.Keys())
	}
	w.whole(kept)
}

// What a manifest needs and is not there is told after a sweep.
func TestMissing(t *testing.T) {
	w := newWorld(t)
	m := w.create(manifest.Good)
	key := m.Components[0].Volumes[0].Key
	w.mem.Remove(key)
	if r := w.must(nil); !slices.Equal(r.Missing, []string{key}) {
		t.Errorf("missing %q", r.Missing)
	}
	// A cleanup with another plan may delete it: that is told, and is no damage.
	w.mem.Set(manifest.ExpiredKey(set, m.ID, 1), []byte("x"))
	w.mem.Set(manifest.VerdictKey(set, m.ID, 1), []byte(manifest.Sweep))
	if r := w.must(nil); len(r.Missing) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], string(m.ID)) {
		t.Errorf("missing %q, notes %q", r.Missing, r.Notes)
	}
}
