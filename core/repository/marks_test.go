package repository_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func note() manifest.Note { return manifest.Note{At: noon, Host: "test", Tool: "test"} }

// expire marks snapshots.
func (w *world) expire(ids ...manifest.ID) []repository.Expiry {
	w.t.Helper()
	done, err := w.repo.Expire(w.t.Context(), set, ids, note(), noon)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

func (w *world) standing(id manifest.ID) repository.Standing {
	w.t.Helper()
	s, err := w.view().Standing(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// rival puts bytes at a key just before somebody else's put arrives.
func (w *world) rival(key string, b []byte) {
	w.fault = func(_ context.Context, op memtarget.Op, k string) memtarget.Fault {
		if op == memtarget.Put && k == key {
			w.mem.Set(key, b)
		}
		return memtarget.Fault{}
	}
}

func TestExpire(t *testing.T) {
	w := newWorld(t)
	plain, held, marked, swept, kept, doubtful := w.place(noon, nil), w.place(noon, nil), w.place(noon, nil), w.place(noon, nil), w.place(noon, nil), w.place(noon, nil)
	if _, err := w.repo.Pin(t.Context(), set, held, note(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	mark := func(id manifest.ID, verdict string) {
		w.mem.Set(manifest.ExpiredKey(set, id, 1), []byte("x"))
		if verdict != "" {
			w.mem.Set(manifest.VerdictKey(set, id, 1), []byte(verdict))
		}
	}
	mark(marked, "")
	mark(swept, string(manifest.Sweep))
	mark(kept, string(manifest.Keep))
	mark(doubtful, "x")
	w.mem.Set(manifest.VerdictKey(set, kept, 7), []byte("x")) // a verdict takes its number, too
	want := []repository.Expiry{
		{plain, 1, repository.Usable, false},
		{held, 0, repository.Usable, true},
		{marked, 0, repository.Marked, false},
		{swept, 0, repository.Expired, false},
		{kept, 8, repository.Usable, false},
		{doubtful, 0, repository.Doubtful, false},
	}
	if got := w.expire(plain, held, marked, swept, kept, doubtful); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(w.keys(manifest.Expired)) != 6 || w.standing(plain) != repository.Marked {
		t.Errorf("marks: %q", w.keys(manifest.Expired))
	}
	if again := w.expire(plain); again[0].N != 0 {
		t.Errorf("marked twice: %+v", again)
	}

	// Another run's mark serves as well; an answer that is lost does not.
	other := w.place(noon, nil)
	w.rival(manifest.ExpiredKey(set, other, 1), []byte("theirs"))
	w.expire(other)
	if b, _ := w.mem.Bytes(manifest.ExpiredKey(set, other, 1)); string(b) != "theirs" {
		t.Errorf("the rival's mark is %q", b)
	}
	last := w.place(noon, nil)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Put {
			return failing(op, key, target.KindUnavailable)
		}
		return memtarget.Fault{}
	}
	if done, err := w.repo.Expire(t.Context(), set, []manifest.ID{last}, note(), noon); !errors.Is(err, target.ErrUnavailable) || len(done) != 0 {
		t.Errorf("a put that fails: %+v, %v", done, err)
	}
}

// An undelete that stops before its pin, and goes on when the snapshot was undeleted, unpinned and marked again by
// others, speaks of the mark that there is then.
func TestUndeleteLate(t *testing.T) {
	for _, verdict := range []manifest.Verdict{"", manifest.Sweep} {
		w := newWorld(t)
		id := w.place(noon, nil)
		w.expire(id)
		w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
			if op == memtarget.Put && strings.HasPrefix(key, manifest.Prefix(set, manifest.Pins)) {
				w.fault = nil
				w.mem.Set(manifest.VerdictKey(set, id, 1), []byte(manifest.Keep))
				w.mem.Set(manifest.ExpiredKey(set, id, 2), []byte("x"))
				if verdict != "" {
					w.mem.Set(manifest.VerdictKey(set, id, 2), []byte(verdict))
				}
			}
			return memtarget.Fault{}
		}
		pinned, err := w.repo.Undelete(t.Context(), set, id, note(), rand.Reader)
		if verdict == "" && (!pinned || err != nil || w.standing(id) != repository.Usable || len(w.keys(manifest.Pins)) != 1) {
			t.Errorf("marked again: %v, %v, %s", pinned, err, w.standing(id))
		}
		if verdict != "" && (pinned || !errors.Is(err, repository.ErrSwept) || len(w.keys(manifest.Pins)) != 0) {
			t.Errorf("swept: %v, %v, %q", pinned, err, w.keys(manifest.Pins))
		}
	}
}

func TestUndelete(t *testing.T) {
	w := newWorld(t)
	id := w.place(noon, nil)
	undelete := func() (bool, error) { return w.repo.Undelete(t.Context(), set, id, note(), rand.Reader) }
	if pinned, err := undelete(); pinned || err != nil || len(w.keys(manifest.Pins)) != 0 {
		t.Errorf("not marked: %v, %v", pinned, err)
	}
	w.expire(id)
	pinFirst := true
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Put && key == manifest.VerdictKey(set, id, 1) {
			pinFirst = len(w.keys(manifest.Pins)) == 1
		}
		return memtarget.Fault{}
	}
	if pinned, err := undelete(); !pinned || err != nil || !pinFirst || w.standing(id) != repository.Usable {
		t.Errorf("marked: %v, %v, pin first: %v", pinned, err, pinFirst)
	}
	w.fault = nil
	if done := w.expire(id); done[0].N != 0 || !done[0].Held {
		t.Errorf("it is held: %+v", done)
	}
	if n, err := w.repo.Unpin(t.Context(), set, id); n != 1 || err != nil {
		t.Errorf("unpin: %d, %v", n, err)
	}
	if done := w.expire(id); done[0].N != 2 {
		t.Errorf("mark 2 may follow: %+v", done)
	}

	// A sweep that is faster wins, and no pin is left to mislead anybody.
	w.rival(manifest.VerdictKey(set, id, 2), []byte(manifest.Sweep))
	if pinned, err := undelete(); pinned || !errors.Is(err, repository.ErrSwept) || len(w.keys(manifest.Pins)) != 0 {
		t.Errorf("swept meanwhile: %v, %v, %q", pinned, err, w.keys(manifest.Pins))
	}
	w.fault = nil
	if _, err := undelete(); !errors.Is(err, repository.ErrSwept) {
		t.Errorf("swept before: %v", err)
	}
	doubtful := w.place(noon, nil)
	w.mem.Set(manifest.ExpiredKey(set, doubtful, 1), []byte("x"))
	w.mem.Set(manifest.VerdictKey(set, doubtful, 1), []byte("x"))
	if _, err := w.repo.Undelete(t.Context(), set, doubtful, note(), rand.Reader); !errors.Is(err, repository.ErrDamaged) {
		t.Errorf("doubtful: %v", err)
	}
	if _, err := w.repo.Undelete(t.Context(), set, "20260411T120000Z-00000000", note(), rand.Reader); !errors.Is(err, target.ErrNotFound) {
		t.Errorf("no snapshot: %v", err)
	}
}

func TestPin(t *testing.T) {
	w := newWorld(t)
	id := w.place(noon, nil)
	pin := func() error {
		_, err := w.repo.Pin(t.Context(), set, id, note(), rand.Reader)
		return err
	}
	if err := errors.Join(pin(), pin()); err != nil || len(w.keys(manifest.Pins)) != 2 {
		t.Errorf("twice: %v, %q", err, w.keys(manifest.Pins))
	}
	if n, err := w.repo.Unpin(t.Context(), set, id); n != 2 || err != nil {
		t.Errorf("unpin: %d, %v", n, err)
	}
	// A mark that comes before the pin is looked for again wins.
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Put {
			w.mem.Set(manifest.ExpiredKey(set, id, 1), []byte("x"))
		}
		return memtarget.Fault{}
	}
	if err := pin(); !errors.Is(err, repository.ErrMarked) || len(w.keys(manifest.Pins)) != 0 {
		t.Errorf("marked: %v, %q", err, w.keys(manifest.Pins))
	}
	w.mem.Set(manifest.VerdictKey(set, id, 1), []byte(manifest.Keep))
	w.fault = nil
	if err := pin(); err != nil {
		t.Errorf("kept: %v", err)
	}
	// When the marks cannot be listed, nothing is held either.
	if _, err := w.repo.Unpin(t.Context(), set, id); err != nil {
		t.Fatal(err)
	}
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.List {
			return failing(op, key, target.KindDenied)
		}
		return memtarget.Fault{}
	}
	if err := pin(); !errors.Is(err, target.ErrDenied) || len(w.keys(manifest.Pins)) != 0 {
		t.Errorf("no listing: %v, %q", err, w.keys(manifest.Pins))
	}
}

func TestHeld(t *testing.T) {
	w := newWorld(t)
	id := w.place(noon, nil)
	end := noon.Add(time.Hour)
	n := note()
	n.Until = &end
	if _, err := w.repo.Pin(t.Context(), set, id, n, rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.mem.Set(manifest.Prefix(set, manifest.Pins)+"notes.txt", []byte("x"))
	pins, err := w.repo.Pins(t.Context(), set)
	if err != nil || len(pins) != 1 {
		t.Fatalf("%v, %v", pins, err)
	}
	for _, c := range []struct {
		at   []time.Time
		want bool
	}{
		{[]time.Time{noon}, true},
		{[]time.Time{end}, false},
		{[]time.Time{end.Add(time.Hour), noon}, true}, // clocks that differ: any of them
	} {
		if pins.Held(id, c.at...) != c.want {
			t.Errorf("held at %v: %v", c.at, !c.want)
		}
	}
}

// cache is one in memory.
type cache map[manifest.ID][]byte

func (c cache) Get(_, _ string, id manifest.ID) []byte { return c[id] }

func (c cache) Put(_, _ string, id manifest.ID, b []byte) { c[id] = b }

// A cached manifest is used when it is whole and has the listed size; anything else is read again.
func TestCache(t *testing.T) {
	w := newWorld(t)
	id, other := w.place(noon, nil), w.place(noon.Add(time.Hour), nil)
	tomb := manifest.ID("20260411T090000Z-00000000")
	w.mem.Set(manifest.ManifestKey(set, tomb), manifest.Tombstone(tomb))
	c := cache{}
	w.repo.Cache, w.repo.Readers = c, 1
	gets := 0
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Get {
			gets++
		}
		return memtarget.Fault{}
	}
	read := func() {
		t.Helper()
		gets = 0
		all, err := w.repo.Snapshots(t.Context(), w.view())
		if err != nil || len(all) != 2 || all[0].ID != id || all[0].Manifest == nil || all[0].Manifest.ID != id {
			t.Fatalf("%+v, %v", all, err)
		}
	}
	read()
	if gets != 3 || len(c) != 2 {
		t.Errorf("the first time: %d gets, %d entries", gets, len(c))
	}
	read()
	if gets != 1 { // the tombstone
		t.Errorf("the second time: %d gets", gets)
	}
	whole := slices.Clone(c[id])
	for name, body := range map[string][]byte{
		"flipped": flip(whole), "another's": c[other], "cut": whole[:len(whole)-1], "a tombstone": manifest.Tombstone(id), "empty": {},
	} {
		c[id] = body
		read()
		if gets != 2 || !slices.Equal(c[id], whole) {
			t.Errorf("%s: %d gets, mended: %v", name, gets, slices.Equal(c[id], whole))
		}
	}
}

func flip(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	return b
}
