package backup_test

import (
	"crypto/rand"
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
	for _, remembers := range []bool{true, false} {
		futureSnapshot(t, remembers)
	}
}

func futureSnapshot(t *testing.T, remembers bool) {
	w := backuptest.New(t, "nas")
	create := func() *backup.Report {
		t.Helper()
		r, err := w.Create(func(o *backup.Options) {
			if !remembers {
				o.State = nil
			}
		})
		if err != nil || r.Grade != manifest.Good {
			t.Fatal(err, r.Reasons)
		}
		return r
	}
	now := w.Now
	w.Now = now.AddDate(2, 0, 0)
	if future := create().Targets[0].Manifest; future.Sequence != 1 {
		t.Fatalf("sequence %d", future.Sequence)
	}
	w.Now = now
	for want := int64(2); want < 5; want++ {
		r := create()
		if got := r.Targets[0]; len(got.Notes) > 0 || got.Manifest.Sequence != want {
			t.Errorf("notes %q, sequence %d, want %d", got.Notes, got.Manifest.Sequence, want)
		}
		if full := checked(r, "db", "integrity_check"); full != (want == 2) {
			t.Errorf("snapshot %d was checked in full: %v", want, full)
		}
	}
}

// A manifest with the greatest sequence keeps no snapshot from being made.
func TestGreatestSequence(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := *w.Good().Targets[0].Manifest
	var err error
	if m.ID, err = manifest.NewID(w.Now.Add(time.Minute), rand.Reader); err != nil {
		t.Fatal(err)
	}
	m.Sequence = manifest.MaxInt
	b, err := manifest.Encode(&m)
	if err != nil {
		t.Fatal(err)
	}
	w.Mem["nas"].Set(manifest.ManifestKey(backuptest.Set, m.ID), b)
	for range 2 {
		if got := w.Good().Targets[0].Manifest.Sequence; got != manifest.MaxInt {
			t.Errorf("sequence %d", got)
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

// breakIndex makes an index disagree with its table, which integrity_check sees and quick_check does not.
func breakIndex(w *backuptest.World) {
	w.DB.SetMaxOpenConns(1) // the pragma belongs to a connection
	w.Exec("CREATE INDEX by_body ON items(body)")
	w.Exec("PRAGMA writable_schema=ON")
	w.Exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX by_body ON items(id)' WHERE name = 'by_body'")
	w.Exec("PRAGMA writable_schema=OFF")
}

// What the full checks found wrong is never called good by the quick ones, whatever passed before it and
// however long ago it was found.
func TestFailedChecksStayDue(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good() // full, and passed
	breakIndex(w)
	mode := func(m backup.CheckMode) *backup.Report {
		t.Helper()
		r, err := w.Create(func(o *backup.Options) { o.Check = m })
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := mode(backup.CheckQuick); r.Grade != manifest.Good {
		t.Fatalf("quick checks see it too, so this test shows nothing: %s, %+v", r.Grade, r.Reasons)
	}
	if r := mode(backup.CheckFull); r.Grade != manifest.Suspect {
		t.Fatalf("full checks do not see it: %s", r.Grade)
	}
	quick := func(n int) {
		t.Helper()
		r := mode(backup.CheckQuick)
		if r.Grade != manifest.Degraded || len(r.Reasons) != 1 || r.Reasons[0].Component != "db" || r.Reasons[0].ID != "full_checks_due" {
			t.Errorf("quick %d: %s, %+v", n, r.Grade, r.Reasons)
		}
	}
	for n := range 3 {
		quick(n)
		if r := mode(backup.CheckAuto); r.Grade != manifest.Suspect || !checked(r, "db", "integrity_check") {
			t.Errorf("auto %d: %s, %+v", n, r.Grade, r.Reasons)
		}
		w.Now = w.Now.Add(12 * time.Hour)
	}
	w.Now = w.Now.Add(30 * 24 * time.Hour)
	quick(4)
	if r := mode(backup.CheckNone); r.Grade != manifest.Good {
		t.Errorf("without any checks, as was asked for: %s, %+v", r.Grade, r.Reasons)
	}
	w.Exec("DROP INDEX by_body")
	quick(5) // it is mended, which only the full ones can tell
	if r := mode(backup.CheckAuto); r.Grade != manifest.Good {
		t.Errorf("mended: %s, %+v", r.Grade, r.Reasons)
	}
	if r := mode(backup.CheckQuick); r.Grade != manifest.Good {
		t.Errorf("quick checks after full ones that passed: %s, %+v", r.Grade, r.Reasons)
	}
}

// A target that missed the snapshot in which the full checks failed does not make one forget it.
func TestFailedChecksElsewhere(t *testing.T) {
	w := backuptest.New(t, "lagging", "nas")
	w.Good()
	breakIndex(w)
	both := w.Stores
	w.Stores = both[1:]
	if r, err := w.Create(func(o *backup.Options) { o.Check = backup.CheckFull }); err != nil || r.Grade != manifest.Suspect {
		t.Fatalf("%v, %s", err, r.Grade)
	}
	w.Stores = both
	if r := w.Made(); r.Grade != manifest.Suspect {
		t.Errorf("%s, %+v", r.Grade, r.Reasons)
	}
}

// A target that is new does not make one forget what the others know of the store.
func TestNewTarget(t *testing.T) {
	for old := range 2 {
		newTarget(t, old)
	}
}

func newTarget(t *testing.T, old int) {
	w := backuptest.New(t, "one", "two")
	both := w.Stores
	w.Stores = both[old : old+1]
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
