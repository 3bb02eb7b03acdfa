package replicate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

// What is damaged in the source is reported, leaves nothing that counts in the destination, and keeps no
// other snapshot from being copied.
func TestDamagedSource(t *testing.T) {
	for name, c := range map[string]struct {
		key    func(m *manifest.Manifest) string
		change func([]byte) []byte
	}{
		"volume":         {func(m *manifest.Manifest) string { return m.Component("db").Volumes[0].Key }, backuptest.Flip},
		"volume missing": {func(m *manifest.Manifest) string { return m.Component("db").Volumes[0].Key }, func([]byte) []byte { return nil }},
		"index":          {func(m *manifest.Manifest) string { return m.Component("registry").Index[0].Key }, backuptest.Flip},
		"manifest":       {func(m *manifest.Manifest) string { return manifest.ManifestKey(backuptest.Set, m.ID) }, backuptest.Flip},
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "a", "b")
			bad := create(t, w, 1)
			w.Damage(0, c.key(bad), c.change)
			if k, err := manifest.ParseKey(c.key(bad)); err == nil && k.Folder == manifest.Archives {
				w.Mem["a"].Set(manifest.DamagedKey(backuptest.Set, k.ID, k.File), []byte("{}")) // the next create leans on nothing of it
			}
			create(t, w, 1)
			before := w.Keys(0, "")
			r := mustRun(t, w, 0, 1)
			if s := r.Snapshots[0]; outcomes(r) != "damaged copied" || !errors.Is(s.Err, repository.ErrDamaged) || s.ID != bad.ID {
				t.Fatalf("%+v", r)
			}
			good(t, w, 1, 1)
			if !slices.Equal(before, w.Keys(0, "")) {
				t.Error("the source was written to")
			}
		})
	}
}

// An object that fails its hash once is read again.
func TestUnstableSource(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	create(t, w, 1)
	var flipped atomic.Bool
	w.Faults["a"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Get && strings.HasSuffix(key, "db-00000.zst") && flipped.CompareAndSwap(false, true) {
			f.Body = backuptest.Flip
		}
		return f
	}
	if r := mustRun(t, w, 0, 1); outcomes(r) != "copied" || !flipped.Load() {
		t.Errorf("%+v", r)
	}
	good(t, w, 1, 1)
}

// An object of the destination that is marked as damaged, or is not listed as its manifest says, is copied again.
func TestDamagedDestination(t *testing.T) {
	for name, harm := range map[string]func(w *backuptest.World, key string){
		"marked": func(w *backuptest.World, key string) {
			k, err := manifest.ParseKey(key)
			if err != nil {
				t.Fatal(err)
			}
			w.Mem["b"].Set(manifest.DamagedKey(backuptest.Set, k.ID, k.File), []byte("{}"))
		},
		"missing": func(w *backuptest.World, key string) { w.Mem["b"].Remove(key) },
		"short":   func(w *backuptest.World, key string) { w.Damage(1, key, func(b []byte) []byte { return b[1:] }) },
	} {
		w := backuptest.New(t, "a", "b")
		chain(t, w, 1)
		first := load(t, w, 1, mustRun(t, w, 0, 1).Snapshots[0].As)
		bad := first.Component("db").Volumes[0].Key
		harm(w, bad)
		create(t, w, 1)
		r := mustRun(t, w, 0, 1)
		if outcomes(r) != "present copied" {
			t.Fatalf("%s: %+v", name, r)
		}
		second := load(t, w, 1, r.Snapshots[1].As)
		for _, v := range second.Component("db").Volumes {
			if v.Key == bad {
				t.Errorf("%s: %s is named again", name, bad)
			}
		}
		if v := w.Validate(1, validate.Content, second.ID); v.Damaged() {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// Snapshots that are about to go are left where they are, and one that goes meanwhile is gone, not damaged.
func TestSwept(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	all := chain(t, w, 3)
	mark := func(id manifest.ID) {
		w.Mem["a"].Set(manifest.ExpiredKey(backuptest.Set, id, 1), []byte("{}"))
	}
	mark(all[0].ID)
	w.Faults["a"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Get && key == manifest.IndexKey(backuptest.Set, all[1].ID, "db", false) {
			mark(all[1].ID)
			w.Mem["a"].Remove(key)
		}
		return f
	}
	if r := mustRun(t, w, 0, 1); outcomes(r) != "expiring gone copied" {
		t.Errorf("%s: %+v", outcomes(r), r)
	}
	if left := w.Keys(1, "/intents/"); len(left) > 0 {
		t.Errorf("intents are left: %v", left)
	}
}

// What the destination has marked is there, and that it is marked is told; what a cleanup there deletes is not
// there any more.
func TestExpiringInDestination(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	chain(t, w, 3)
	r := mustRun(t, w, 0, 1)
	marked, swept := r.Snapshots[0].As, r.Snapshots[1].As
	for _, id := range []manifest.ID{marked, swept} {
		w.Mem["b"].Set(manifest.ExpiredKey(backuptest.Set, id, 1), []byte("{}"))
	}
	w.Mem["b"].Set(manifest.VerdictKey(backuptest.Set, swept, 1), []byte(manifest.Sweep))
	r = mustRun(t, w, 0, 1)
	if outcomes(r) != "present copied present" || !strings.Contains(r.Snapshots[0].Note, string(marked)) || r.Snapshots[2].Note != "" {
		t.Errorf("%s: %+v", outcomes(r), r)
	}
	if again := r.Snapshots[1].As; again == swept {
		t.Errorf("copied as %s, which is being deleted", again)
	}
	if r = mustRun(t, w, 0, 1); outcomes(r) != "present present present" {
		t.Errorf("the next run: %s", outcomes(r))
	}
}

// A copy that a cleanup of the destination gives up for dead has failed; the others are copied.
func TestRevoked(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	chain(t, w, 2)
	var done atomic.Bool
	w.Faults["b"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if k, err := manifest.ParseKey(key); err == nil && op == memtarget.Put && k.Folder == manifest.Archives && done.CompareAndSwap(false, true) {
			w.Mem["b"].Set(manifest.ManifestKey(k.Set, k.ID), manifest.Tombstone(k.ID))
		}
		return f
	}
	if r := mustRun(t, w, 0, 1); outcomes(r) != "failed copied" || !errors.Is(r.Snapshots[0].Err, repository.ErrRevoked) {
		t.Fatalf("%s: %+v", outcomes(r), r)
	}
	good(t, w, 1, 1)
	if r := mustRun(t, w, 0, 1); outcomes(r) != "copied present" {
		t.Errorf("the next run: %s", outcomes(r))
	}
}
