package backup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
)

// A target that lost its newest snapshots is told of, and goes on with the numbers where it was.
func TestRolledBack(t *testing.T) {
	w := backuptest.New(t, "nas")
	var last *manifest.Manifest
	for range 3 {
		last = w.Good().Targets[0].Manifest
	}
	w.Damage(0, manifest.ManifestKey(backuptest.Set, last.ID), func([]byte) []byte { return nil })
	r := w.Good().Targets[0]
	if notes := strings.Join(r.Notes, " "); !strings.Contains(notes, "lost") || !strings.Contains(notes, string(last.ID)) {
		t.Errorf("notes %q", r.Notes)
	}
	if r.Manifest.Sequence != 4 {
		t.Errorf("sequence %d", r.Manifest.Sequence)
	}
	if r = w.Good().Targets[0]; len(r.Notes) > 0 || r.Manifest.Sequence != 5 {
		t.Errorf("the next: notes %q, sequence %d", r.Notes, r.Manifest.Sequence)
	}

	w.Damage(0, manifest.ManifestKey(backuptest.Set, r.Manifest.ID), backuptest.Flip)
	if r = w.Good().Targets[0]; strings.Contains(strings.Join(r.Notes, " "), "lost") || r.Manifest.Sequence != 6 {
		t.Errorf("the newest is damaged, but not lost: notes %q, sequence %d", r.Notes, r.Manifest.Sequence)
	}
}

// A snapshot from a clock that was years ahead freezes no numbers, puts off no checks and raises no alarm.
func TestFutureSnapshot(t *testing.T) {
	w := backuptest.New(t, "nas")
	now := w.Now
	w.Now = now.AddDate(2, 0, 0)
	if future := w.Good().Targets[0].Manifest; future.Sequence != 1 {
		t.Fatalf("sequence %d", future.Sequence)
	}
	w.Now = now
	for want := int64(2); want < 5; want++ {
		r := w.Good()
		if got := r.Targets[0]; len(got.Notes) > 0 || got.Manifest.Sequence != want {
			t.Errorf("notes %q, sequence %d, want %d", got.Notes, got.Manifest.Sequence, want)
		}
		if full := checked(r, "db", "integrity_check"); full != (want == 2) {
			t.Errorf("snapshot %d was checked in full: %v", want, full)
		}
	}
}

// checked reports whether a check of a component was made.
func checked(r *backup.Report, component, check string) bool {
	for _, c := range r.Components {
		for _, k := range c.Checks {
			if c.Name == component && k.Name == check && k.Result != manifest.Skipped {
				return true
			}
		}
	}
	return false
}

// What the full checks found wrong is not called good by the quick ones an hour later.
func TestFailedChecksStayDue(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()
	w.DB.SetMaxOpenConns(1) // the pragma belongs to a connection
	w.Exec("CREATE INDEX by_body ON items(body)")
	w.Exec("PRAGMA writable_schema=ON")
	w.Exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX by_body ON items(id)' WHERE name = 'by_body'") // which quick_check does not see
	w.Now = w.Now.Add(24 * time.Hour)
	for n := range 3 {
		if r := w.Made(); r.Grade != manifest.Suspect || r.Reasons[0].Component != "db" {
			t.Errorf("snapshot %d: %s, %+v", n, r.Grade, r.Reasons)
		}
	}
	r, err := w.Create(func(o *backup.Options) { o.Check = backup.CheckQuick })
	if err != nil || r.Grade != manifest.Good {
		t.Fatalf("quick checks see it too, so this test shows nothing: %v, %s", err, r.Grade)
	}
}

// A target that is new, and first, does not make one forget what the others know of the store.
func TestNewFirstTarget(t *testing.T) {
	w := backuptest.New(t, "fresh", "nas")
	both := w.Stores
	w.Stores = both[1:]
	w.Exec("CREATE TABLE other(x)")
	w.Good()
	w.Stores = both
	w.Exec("DROP TABLE other")
	w.Optional["registry"] = true
	w.Components[1].Path = w.Path("nowhere.json")
	r := w.Made()
	if r.Grade != manifest.Suspect || len(r.Reasons) != 2 || r.Reasons[0].Component != "registry" || !strings.Contains(r.Reasons[1].Message, "other") {
		t.Errorf("%s, %+v", r.Grade, r.Reasons)
	}
	if checked(r, "db", "integrity_check") {
		t.Error("the full checks of an hour ago were forgotten")
	}
}

// The mode says which checks are made, and the snapshot which were not.
func TestCheckModes(t *testing.T) {
	w := backuptest.New(t, "nas")
	for mode, want := range map[backup.CheckMode][2]bool{ // quick_check, integrity_check
		backup.CheckNone: {false, false}, backup.CheckQuick: {true, false}, backup.CheckFull: {false, true},
	} {
		r, err := w.Create(func(o *backup.Options) { o.Check = mode })
		if err != nil || r.Grade != manifest.Good {
			t.Fatalf("%s: %v, %+v", mode, err, r.Reasons)
		}
		if got := [2]bool{checked(r, "db", "quick_check"), checked(r, "db", "integrity_check")}; got != want {
			t.Errorf("%s made %v, want %v", mode, got, want)
		}
		shown := false
		for _, k := range r.Targets[0].Manifest.Component("db").Checks {
			shown = shown || k.Name == "full_checks" && k.Result == manifest.Skipped && k.Detail == "--check "+string(mode)
		}
		if shown == (mode == backup.CheckFull) {
			t.Errorf("%s: checks %+v", mode, r.Targets[0].Manifest.Component("db").Checks)
		}
	}
}
