package repository_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Ids rise although clocks do not, except behind a stamp that lies so far ahead that it must be wrong.
func TestClock(t *testing.T) {
	w := newWorld(t)
	commit := func(captured time.Time) (manifest.ID, bool) {
		t.Helper()
		s := w.mustBegin(captured)
		if _, err := s.Commit(t.Context(), document(captured), rand.Reader); err != nil {
			t.Fatal(err)
		}
		return s.ID, s.Late
	}
	var last manifest.ID
	for _, step := range []struct {
		captured time.Time
		stamp    time.Time
		late     bool
	}{
		{noon, noon, false},
		{noon, noon.Add(time.Second), false}, // two in one second
		{noon.Add(500 * time.Millisecond), noon.Add(2 * time.Second), true},
		{noon.Add(-4 * time.Minute), noon.Add(3 * time.Second), true}, // the clock went back
		{noon.Add(time.Hour), noon.Add(time.Hour), false},
		{noon.Add(time.Hour + time.Second/2), noon.Add(time.Hour + time.Second), false},
	} {
		id, late := commit(step.captured)
		if id <= last || !id.Time().Equal(step.stamp) || late != step.late {
			t.Errorf("captured at %v behind %s: %s, late %v", step.captured, last, id, late)
		}
		last = id
	}
	w.place(noon.AddDate(3, 0, 0), nil)
	if id, late := commit(noon.Add(2 * time.Hour)); !id.Time().Equal(noon.Add(2*time.Hour)) || late {
		t.Errorf("beside a stamp three years ahead: %s, late %v", id, late)
	}
}

// A copy keeps the stamp of what it is made from, though newer snapshots are there.
func TestBeginAt(t *testing.T) {
	w := newWorld(t)
	w.place(noon, nil)
	then := noon.Add(-72 * time.Hour)
	s, err := w.repo.BeginAt(t.Context(), set, then, noon, rand.Reader, manifest.Note{Host: "test", Tool: "holdfast test"})
	if err != nil {
		t.Fatal(err)
	}
	if !s.ID.Time().Equal(then) || s.Late {
		t.Errorf("the session has id %s, want the stamp of %s", s.ID, then)
	}
	if len(s.View.IDs) != 1 {
		t.Errorf("the view lists %v", s.View.IDs)
	}
	if err := s.Abandon(t.Context()); err != nil {
		t.Error(err)
	}
	r, err := w.repo.RehearseAt(t.Context(), set, then, rand.Reader)
	if err != nil || !r.ID.Time().Equal(then) {
		t.Errorf("rehearsed: %v, %v", r, err)
	}
}
