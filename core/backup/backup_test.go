package backup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCircle(t *testing.T) {
	w := backuptest.New(t, "nas", "offsite")
	first := w.Good()
	for n := range w.Stores {
		if got := w.Rows(n, first.Targets[n].Manifest); got != 4000 {
			t.Errorf("target %d: %d rows", n, got)
		}
	}
	if left := w.Keys(0, "/intents/"); len(left) > 0 {
		t.Errorf("intents are left: %v", left)
	}

	same := w.Good()
	for _, c := range same.Targets[0].Manifest.Components {
		if c.Index[0].Key != first.Targets[0].Manifest.Component(c.Name).Index[0].Key {
			t.Errorf("unchanged component %s got an index of its own", c.Name)
		}
	}
	if got := same.Targets[0].Sent; got > 4096*2 {
		t.Errorf("an unchanged snapshot of two components sent %d bytes", got)
	}

	w.Exec("UPDATE items SET body = hex(randomblob(300)) WHERE id % 200 = 0")
	w.Exec("INSERT INTO items(body) VALUES ('new')")
	changed := w.Good()
	if got := w.Rows(1, changed.Targets[1].Manifest); got != 4001 {
		t.Errorf("%d rows", got)
	}
	if len(changed.Targets[0].Manifest.Component("db").Index) != 2 {
		t.Error("a small change did not make a patch index")
	}
	if changed.Targets[0].Sent*5 > first.Targets[0].Sent {
		t.Errorf("a small change sent %d of %d bytes", changed.Targets[0].Sent, first.Targets[0].Sent)
	}
	if got := changed.Targets[0].Manifest.Sequence; got != 3 {
		t.Errorf("sequence %d", got)
	}
	if changed.Targets[0].Manifest.Parent != same.Targets[0].Manifest.ID {
		t.Errorf("parent %s", changed.Targets[0].Manifest.Parent)
	}
	for _, level := range []validate.Level{validate.Objects, validate.Data, validate.Content} {
		if r := w.Validate(0, level); r.Damaged() || r.Inconclusive() || len(r.Snapshots) != 3 {
			t.Errorf("level %s: %+v", level, r)
		}
	}
}

// A target that was away makes a group of its own, gets a whole snapshot and joins the others again.
func TestLaggingTarget(t *testing.T) {
	w := backuptest.New(t, "nas", "offsite")
	w.Good()
	away := w.Stores
	w.Stores = w.Stores[:1]
	w.Exec("UPDATE items SET body = hex(randomblob(300)) WHERE id % 100 = 0")
	w.Good()
	w.Stores = away
	w.Exec("DELETE FROM items WHERE id = 7")
	r := w.Good()
	if a, b := r.Targets[0].Stored["db"], r.Targets[1].Stored["db"]; a >= b {
		t.Errorf("stored %d in the target that was there and %d in the one that lagged", a, b)
	}
	for n := range w.Stores {
		if got := w.Rows(n, r.Targets[n].Manifest); got != 3999 {
			t.Errorf("target %d: %d rows", n, got)
		}
	}
	w.Exec("DELETE FROM items WHERE id = 8")
	r = w.Good()
	if a, b := r.Targets[0].Stored["db"], r.Targets[1].Stored["db"]; a != b || a == 0 {
		t.Errorf("the targets did not join again: %d and %d", a, b)
	}
}

func TestFailingTarget(t *testing.T) {
	w := backuptest.New(t, "nas", "offsite")
	for _, op := range []memtarget.Op{memtarget.Put, memtarget.List, memtarget.Get} {
		w.Faults["offsite"] = func(_ context.Context, o memtarget.Op, key string) (f memtarget.Fault) {
			if o == op && strings.HasPrefix(key, "atocore/") {
				f.Err = &target.Error{Op: string(o), Key: key, Kind: target.KindDenied}
			}
			return f
		}
		r, err := w.Create(nil)
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		if r.Complete() || r.Targets[0].Err != nil || !errors.Is(r.Targets[1].Err, target.ErrDenied) {
			t.Errorf("%s fails: %v and %v", op, r.Targets[0].Err, r.Targets[1].Err)
		}
		if got := w.Rows(0, r.Targets[0].Manifest); got != 4000 {
			t.Errorf("%d rows in the other target", got)
		}
	}
	w.Faults["offsite"] = nil
	w.Good()

	w.Stores = w.Stores[1:]
	w.Faults["offsite"] = func(_ context.Context, o memtarget.Op, key string) (f memtarget.Fault) {
		if o == memtarget.Put && strings.Contains(key, "/archives/") {
			f.Err = &target.Error{Op: string(o), Key: key, Kind: target.KindFull}
		}
		return f
	}
	w.Exec("DELETE FROM items WHERE id = 9")
	if _, err := w.Create(nil); !errors.Is(err, backup.ErrNothing) || !errors.Is(err, target.ErrFull) {
		t.Errorf("the only target is full: %v", err)
	}
}

// Damage is found, marked, never leaned on again, and gone with the next create.
func TestHeal(t *testing.T) {
	for _, how := range []string{"flip", "truncate", "delete", "index"} {
		t.Run(how, func(t *testing.T) {
			w := backuptest.New(t, "nas")
			first := w.Good().Targets[0].Manifest
			key := first.Component("db").Volumes[0].Key
			if how == "index" {
				key = first.Component("db").Index[0].Key
			}
			w.Damage(0, key, map[string]func([]byte) []byte{
				"flip": backuptest.Flip, "index": backuptest.Flip,
				"truncate": func(b []byte) []byte { return b[:len(b)/2] },
				"delete":   func([]byte) []byte { return nil },
			}[how])
			for _, level := range []validate.Level{validate.Data, validate.Content} {
				if r := w.Validate(0, level); !r.Damaged() {
					t.Errorf("level %s found nothing", level)
				}
			}
			if marks := w.Keys(0, "/damaged/"); (how == "flip" || how == "index") != (len(marks) == 1) {
				t.Errorf("marks: %v", marks)
			}
			_, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: first, Dir: w.Path("out")})
			if !errors.Is(err, repository.ErrDamaged) {
				t.Errorf("restore: %v", err)
			}
			if _, err := os.Stat(w.Path("out")); err == nil {
				t.Error("a failed restore left its directory")
			}
			healed := w.Good().Targets[0].Manifest
			if got := w.Rows(0, healed); got != 4000 {
				t.Errorf("%d rows", got)
			}
			if r := w.Validate(0, validate.Content, healed.ID); r.Damaged() {
				t.Errorf("the next snapshot is damaged: %+v", r.Snapshots)
			}
		})
	}
}

func TestGrades(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()

	w.Registry(`{"a": `)
	r, err := w.Create(nil)
	if err != nil || r.Grade != manifest.Suspect || len(r.Reasons) != 1 || r.Reasons[0].ID != "registry_invalid_json" {
		t.Errorf("a torn registry: %v, %s, %+v", err, r.Grade, r.Reasons)
	}

	if err := os.Remove(w.Path("registry.json")); err != nil {
		t.Fatal(err)
	}
	w.Optional["registry"] = true
	if r, err = w.Create(nil); err != nil || r.Grade != manifest.Degraded {
		t.Errorf("an optional registry that the newest good snapshot has: %v, %s", err, r.Grade)
	}

	fresh := backuptest.New(t, "nas")
	fresh.Optional["registry"] = true
	if err := os.Remove(fresh.Path("registry.json")); err != nil {
		t.Fatal(err)
	}
	if r = fresh.Good(); len(r.Reasons) != 1 || r.Reasons[0].ID != "component_absent" {
		t.Errorf("an optional registry that never was: %+v", r.Reasons)
	}

	w.Registry(`{}`)
	w.Exec("DROP TABLE items")
	w.Exec("CREATE TABLE other(x)")
	if r, err = w.Create(nil); err != nil || r.Grade != manifest.Suspect {
		t.Errorf("a table is gone: %v, %s", err, r.Grade)
	}
	if r, err = w.Create(nil); err != nil || r.Grade != manifest.Suspect {
		t.Errorf("a table is still gone, and the snapshot before is suspect: %v, %s", err, r.Grade)
	}
}

// Full checks run once a day.
func TestChecksDue(t *testing.T) {
	w := backuptest.New(t, "nas")
	ran := func(r *backup.Report) (full bool) {
		for _, k := range r.Components[0].Checks {
			if k.Name == "integrity_check" {
				full = k.Result == manifest.OK
			}
		}
		return full
	}
	var got string
	for range 50 {
		got += map[bool]string{true: "F", false: "q"}[ran(w.Good())]
	}
	want := "F" + strings.Repeat("q", 24) + "F" + strings.Repeat("q", 24)
	if len(got) != 50 || strings.Count(got, "F") != strings.Count(want, "F") {
		t.Errorf("checks ran as %s", got)
	}
}

// A lost answer to the vote is settled: the snapshot is there, or a tombstone is.
func TestLostVote(t *testing.T) {
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint(applied), func(t *testing.T) {
			w := backuptest.New(t, "nas")
			w.Good()
			lost := 0
			w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
				if op == memtarget.Put && strings.Contains(key, "/manifests/") && lost < 2 {
					lost++
					f.Err, f.Applied = &target.Error{Op: string(op), Key: key, Kind: target.KindUnavailable}, applied
				}
				return f
			}
			r, err := w.Create(nil)
			w.Faults["nas"] = nil
			if applied {
				if err != nil || w.Rows(0, r.Targets[0].Manifest) != 4000 {
					t.Errorf("applied, answer lost: %v", err)
				}
			} else if !errors.Is(err, repository.ErrRevoked) {
				t.Errorf("not applied: %v", err)
			}
			if left := w.Keys(0, "/intents/"); len(left) > 0 {
				t.Errorf("intents are left: %v", left)
			}
			w.Good()
		})
	}
}
