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

// Without its marker a repository is neither absent nor made anew.
func TestMarkerLost(t *testing.T) {
	id := manifest.ID("20260411T130000Z-00000000")
	for name, c := range map[string]struct {
		keys  func(w *world)
		knows bool
	}{
		"one snapshot":   {func(w *world) { w.place(noon, nil) }, true},
		"an intent only": {func(w *world) { w.mem.Set(manifest.IntentKey(set, id), []byte("x")) }, false},
		"a tombstone":    {func(w *world) { w.mem.Set(manifest.ManifestKey(set, id), manifest.Tombstone(id)) }, false},
		"damaged and whole": {func(w *world) {
			w.mem.Set(manifest.ManifestKey(set, id), []byte("{"))
			w.place(noon, nil)
		}, true},
		"two that differ": {func(w *world) {
			w.place(noon, nil)
			w.repo.ID = strings.Repeat("a", 32)
			w.place(noon.Add(time.Minute), nil)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			original := w.repo.ID
			c.keys(w)
			w.mem.Remove(manifest.MarkerKey)
			before := w.mem.Keys()
			_, openErr := repository.Open(t.Context(), w.store)
			_, _, initErr := repository.Init(t.Context(), w.store, rand.Reader)
			for _, err := range []error{openErr, initErr} {
				var lost *repository.LostError
				if !errors.As(err, &lost) || !errors.Is(err, repository.ErrMarkerLost) || errors.Is(err, repository.ErrNotInitialised) {
					t.Fatalf("error %v", err)
				}
				line := strings.TrimSpace(string(manifest.NewMarker(original).Encode()))
				if (lost.ID == original) != c.knows || strings.HasSuffix(lost.Next(), line) != c.knows || !c.knows && lost.ID != "" {
					t.Errorf("it knows %q and says: %s", lost.ID, lost.Next())
				}
			}
			if after := w.mem.Keys(); !slices.Equal(before, after) {
				t.Errorf("keys were %v, now %v", before, after)
			}
		})
	}
}

// A target that answers only in part is not taken for one without a repository.
func TestMarkerLostUnreachable(t *testing.T) {
	for _, broken := range []memtarget.Op{memtarget.List, memtarget.Get} {
		w := newWorld(t)
		w.place(noon, nil)
		w.mem.Remove(manifest.MarkerKey)
		w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
			if op == broken && key != manifest.MarkerKey {
				return failing(op, key, target.KindDenied)
			}
			return memtarget.Fault{}
		}
		if _, _, err := repository.Init(t.Context(), w.store, rand.Reader); !errors.Is(err, target.ErrDenied) {
			t.Errorf("%s fails: %v", broken, err)
		}
	}
}

// An init whose listing shows what another init's first create has just put opens that repository.
func TestInitBesideCreate(t *testing.T) {
	w := newWorld(t)
	w.place(noon, nil)
	marker := manifest.NewMarker(w.repo.ID).Encode()
	w.mem.Remove(manifest.MarkerKey)
	w.fault = func(_ context.Context, op memtarget.Op, _ string) memtarget.Fault {
		if op == memtarget.List {
			w.mem.Set(manifest.MarkerKey, marker)
		}
		return memtarget.Fault{}
	}
	r, created, err := repository.Init(t.Context(), w.store, rand.Reader)
	if err != nil || created || r.ID != w.repo.ID {
		t.Errorf("%+v, %v, %v", r, created, err)
	}
}

func TestClaimed(t *testing.T) {
	w := newWorld(t)
	if id, err := w.repo.Claimed(t.Context()); id != "" || err != nil {
		t.Errorf("nothing claims %q, %v", id, err)
	}
	w.place(noon, nil)
	mine := w.repo.ID
	w.repo.ID = strings.Repeat("b", 32) // as if the marker had been replaced
	if id, err := w.repo.Claimed(t.Context()); id != mine || err != nil {
		t.Errorf("claimed %q, %v", id, err)
	}
}
