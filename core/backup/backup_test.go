package backup_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a live store of a database and a registry, and repositories in memory.
type world struct {
	t        *testing.T
	dir      string
	db       *sql.DB
	now      time.Time
	optional bool
	mem      map[string]*memtarget.Target
	faults   map[string]memtarget.Hook // by target; may be changed between runs
	stores   []*target.Store
}

func newWorld(t *testing.T, targets ...string) *world {
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 4, 11, 9, 46, 46, 0, time.UTC), mem: map[string]*memtarget.Target{}, faults: map[string]memtarget.Hook{}}
	for _, d := range []string{"staging", "state"} {
		if err := os.Mkdir(filepath.Join(w.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.db, err = sql.Open("sqlite3", "file:"+filepath.Join(w.dir, "app.db")+"?_journal_mode=WAL")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.exec("CREATE TABLE items(id INTEGER PRIMARY KEY, body TEXT)")
	w.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 4000) INSERT INTO items SELECT i, hex(randomblob(300)) FROM n")
	w.registry(`{"a": 1, "b": 2}`)
	for _, name := range targets {
		mem := memtarget.New(memtarget.Options{Hook: func(ctx context.Context, op memtarget.Op, key string) memtarget.Fault {
			if f := w.faults[name]; f != nil {
				return f(ctx, op, key)
			}
			return memtarget.Fault{}
		}})
		store := target.Open(name, mem, target.Options{Attempts: 2, Sleep: func(context.Context, time.Duration) error { return nil }})
		if _, _, err := repository.Init(t.Context(), store, rand.Reader); err != nil {
			t.Fatal(err)
		}
		w.mem[name], w.stores = mem, append(w.stores, store)
	}
	return w
}

func (w *world) exec(query string) {
	w.t.Helper()
	if _, err := w.db.Exec(query); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) registry(s string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "registry.json"), []byte(s), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(change func(*backup.Options)) (*backup.Report, error) {
	w.t.Helper()
	w.now = w.now.Add(time.Hour)
	st, err := state.Open(filepath.Join(w.dir, "state"))
	if err != nil {
		w.t.Fatal(err)
	}
	o := backup.Options{
		Set: "atocore", Targets: w.stores, Staging: filepath.Join(w.dir, "staging"), Check: backup.CheckAuto, State: st,
		Host: "test", Tool: "holdfast test", Rand: rand.Reader, Now: func() time.Time { return w.now }, FreezeTimeout: time.Second,
	}
	for _, c := range []kinds.Config{
		{Name: "db", Kind: manifest.SQLite, Path: filepath.Join(w.dir, "app.db")},
		{Name: "registry", Kind: manifest.File, Path: filepath.Join(w.dir, "registry.json"), Format: "json"},
	} {
		s, err := kinds.Open(c)
		if err != nil {
			w.t.Fatal(err)
		}
		o.Components = append(o.Components, backup.Component{Source: s, Format: c.Format, Optional: w.optional && c.Name == "registry"})
	}
	if change != nil {
		change(&o)
	}
	r, err := backup.Run(w.t.Context(), o)
	if left, _ := os.ReadDir(o.Staging); len(left) > 0 {
		w.t.Errorf("staging still holds %s", left[0].Name())
	}
	return r, err
}

// good creates a snapshot that must be good in every target.
func (w *world) good() *backup.Report {
	w.t.Helper()
	r, err := w.create(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range r.Targets {
		if t.Err != nil {
			w.t.Fatalf("target %s: %v", t.Name, t.Err)
		}
	}
	if r.Grade != manifest.Good {
		w.t.Fatalf("grade %s: %+v", r.Grade, r.Reasons)
	}
	return r
}

func (w *world) repo(n int) *repository.Repository {
	w.t.Helper()
	r, err := repository.Open(w.t.Context(), w.stores[n])
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// rows restores the nth target's snapshot and returns how many rows its database has.
func (w *world) rows(n int, m *manifest.Manifest) (rows int) {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "out")
	r, err := restore.ToDir(w.t.Context(), restore.Options{Repository: w.repo(n), Manifest: m, Dir: dir})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Damage {
		w.t.Fatalf("restored with damage: %+v", r)
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "db")+"?immutable=1")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM items").Scan(&rows); err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *world) validate(n int, level validate.Level, ids ...manifest.ID) *validate.Report {
	w.t.Helper()
	repo := w.repo(n)
	view, err := repo.View(w.t.Context(), "atocore")
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := repo.Snapshots(w.t.Context(), view)
	if err != nil {
		w.t.Fatal(err)
	}
	var pick []repository.Snapshot
	for _, s := range all {
		if len(ids) == 0 || s.ID == ids[0] {
			pick = append(pick, s)
		}
	}
	r, err := validate.Run(w.t.Context(), validate.Options{
		Repository: repo, View: view, Snapshots: pick, Level: level, Scratch: w.dir, Mark: true, Host: "test", Tool: "holdfast test",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) keys(n int, contains string) (keys []string) {
	w.t.Helper()
	all, err := w.stores[n].ListAll(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range all {
		if strings.Contains(o.Key, contains) {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

func TestCircle(t *testing.T) {
	w := newWorld(t, "nas", "offsite")
	first := w.good()
	for n := range w.stores {
		if got := w.rows(n, first.Targets[n].Manifest); got != 4000 {
			t.Errorf("target %d: %d rows", n, got)
		}
	}
	if left := w.keys(0, "/intents/"); len(left) > 0 {
		t.Errorf("intents are left: %v", left)
	}

	same := w.good()
	for _, c := range same.Targets[0].Manifest.Components {
		if c.Index[0].Key != first.Targets[0].Manifest.Component(c.Name).Index[0].Key {
			t.Errorf("unchanged component %s got an index of its own", c.Name)
		}
	}
	if got := same.Targets[0].Sent; got > 4096*2 {
		t.Errorf("an unchanged snapshot of two components sent %d bytes", got)
	}

	w.exec("UPDATE items SET body = hex(randomblob(300)) WHERE id % 200 = 0")
	w.exec("INSERT INTO items(body) VALUES ('new')")
	changed := w.good()
	if got := w.rows(1, changed.Targets[1].Manifest); got != 4001 {
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
		if r := w.validate(0, level); r.Damaged() || r.Inconclusive() || len(r.Snapshots) != 3 {
			t.Errorf("level %s: %+v", level, r)
		}
	}
}

// A target that was away makes a group of its own, gets a whole snapshot and joins the others again.
func TestLaggingTarget(t *testing.T) {
	w := newWorld(t, "nas", "offsite")
	w.good()
	away := w.stores
	w.stores = w.stores[:1]
	w.exec("UPDATE items SET body = hex(randomblob(300)) WHERE id % 100 = 0")
	w.good()
	w.stores = away
	w.exec("DELETE FROM items WHERE id = 7")
	r := w.good()
	if a, b := r.Targets[0].Stored["db"], r.Targets[1].Stored["db"]; a >= b {
		t.Errorf("stored %d in the target that was there and %d in the one that lagged", a, b)
	}
	for n := range w.stores {
		if got := w.rows(n, r.Targets[n].Manifest); got != 3999 {
			t.Errorf("target %d: %d rows", n, got)
		}
	}
	w.exec("DELETE FROM items WHERE id = 8")
	r = w.good()
	if a, b := r.Targets[0].Stored["db"], r.Targets[1].Stored["db"]; a != b || a == 0 {
		t.Errorf("the targets did not join again: %d and %d", a, b)
	}
}

func TestFailingTarget(t *testing.T) {
	w := newWorld(t, "nas", "offsite")
	for _, op := range []memtarget.Op{memtarget.Put, memtarget.List, memtarget.Get} {
		w.faults["offsite"] = func(_ context.Context, o memtarget.Op, key string) (f memtarget.Fault) {
			if o == op && strings.HasPrefix(key, "atocore/") {
				f.Err = &target.Error{Op: string(o), Key: key, Kind: target.KindDenied}
			}
			return f
		}
		r, err := w.create(nil)
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		if r.Complete() || r.Targets[0].Err != nil || !errors.Is(r.Targets[1].Err, target.ErrDenied) {
			t.Errorf("%s fails: %v and %v", op, r.Targets[0].Err, r.Targets[1].Err)
		}
		if got := w.rows(0, r.Targets[0].Manifest); got != 4000 {
			t.Errorf("%d rows in the other target", got)
		}
	}
	w.faults["offsite"] = nil
	w.good()

	w.stores = w.stores[1:]
	w.faults["offsite"] = func(_ context.Context, o memtarget.Op, key string) (f memtarget.Fault) {
		if o == memtarget.Put && strings.Contains(key, "/archives/") {
			f.Err = &target.Error{Op: string(o), Key: key, Kind: target.KindFull}
		}
		return f
	}
	w.exec("DELETE FROM items WHERE id = 9")
	if _, err := w.create(nil); !errors.Is(err, backup.ErrNothing) || !errors.Is(err, target.ErrFull) {
		t.Errorf("the only target is full: %v", err)
	}
}

// Damage is found, marked, never leaned on again, and gone with the next create.
func TestHeal(t *testing.T) {
	for _, how := range []string{"flip", "truncate", "delete", "index"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, "nas")
			first := w.good().Targets[0].Manifest
			key := first.Component("db").Volumes[0].Key
			if how == "index" {
				key = first.Component("db").Index[0].Key
			}
			b, err := w.stores[0].GetBytes(t.Context(), key, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			b = bytes.Clone(b)
			if err := w.stores[0].Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if how == "truncate" {
				b = b[:len(b)/2]
			}
			if how != "delete" {
				if _, err := w.stores[0].PutBytes(t.Context(), key, b, target.PutOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			for _, level := range []validate.Level{validate.Data, validate.Content} {
				if r := w.validate(0, level); !r.Damaged() {
					t.Errorf("level %s found nothing", level)
				}
			}
			if marks := w.keys(0, "/damaged/"); (how == "flip" || how == "index") != (len(marks) == 1) {
				t.Errorf("marks: %v", marks)
			}
			_, err = restore.ToDir(t.Context(), restore.Options{Repository: w.repo(0), Manifest: first, Dir: filepath.Join(w.dir, "out")})
			if !errors.Is(err, repository.ErrDamaged) {
				t.Errorf("restore: %v", err)
			}
			if _, err := os.Stat(filepath.Join(w.dir, "out")); err == nil {
				t.Error("a failed restore left its directory")
			}
			healed := w.good().Targets[0].Manifest
			if got := w.rows(0, healed); got != 4000 {
				t.Errorf("%d rows", got)
			}
			if r := w.validate(0, validate.Content, healed.ID); r.Damaged() {
				t.Errorf("the next snapshot is damaged: %+v", r.Snapshots)
			}
		})
	}
}

func TestGrades(t *testing.T) {
	w := newWorld(t, "nas")
	w.good()

	w.registry(`{"a": `)
	r, err := w.create(nil)
	if err != nil || r.Grade != manifest.Suspect || len(r.Reasons) != 1 || r.Reasons[0].ID != "registry_invalid_json" {
		t.Errorf("a torn registry: %v, %s, %+v", err, r.Grade, r.Reasons)
	}

	if err := os.Remove(filepath.Join(w.dir, "registry.json")); err != nil {
		t.Fatal(err)
	}
	w.optional = true
	if r, err = w.create(nil); err != nil || r.Grade != manifest.Degraded {
		t.Errorf("an optional registry that the newest good snapshot has: %v, %s", err, r.Grade)
	}

	fresh := newWorld(t, "nas")
	fresh.optional = true
	if err := os.Remove(filepath.Join(fresh.dir, "registry.json")); err != nil {
		t.Fatal(err)
	}
	if r = fresh.good(); len(r.Reasons) != 1 || r.Reasons[0].ID != "component_absent" {
		t.Errorf("an optional registry that never was: %+v", r.Reasons)
	}

	w.registry(`{}`)
	w.exec("DROP TABLE items")
	w.exec("CREATE TABLE other(x)")
	if r, err = w.create(nil); err != nil || r.Grade != manifest.Suspect {
		t.Errorf("a table is gone: %v, %s", err, r.Grade)
	}
	if r, err = w.create(nil); err != nil || r.Grade != manifest.Suspect {
		t.Errorf("a table is still gone, and the snapshot before is suspect: %v, %s", err, r.Grade)
	}
}

// Full checks run once a day.
func TestChecksDue(t *testing.T) {
	w := newWorld(t, "nas")
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
		got += map[bool]string{true: "F", false: "q"}[ran(w.good())]
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
			w := newWorld(t, "nas")
			w.good()
			lost := 0
			w.faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
				if op == memtarget.Put && strings.Contains(key, "/manifests/") && lost < 2 {
					lost++
					f.Err, f.Applied = &target.Error{Op: string(op), Key: key, Kind: target.KindUnavailable}, applied
				}
				return f
			}
			r, err := w.create(nil)
			w.faults["nas"] = nil
			if applied {
				if err != nil || w.rows(0, r.Targets[0].Manifest) != 4000 {
					t.Errorf("applied, answer lost: %v", err)
				}
			} else if !errors.Is(err, repository.ErrRevoked) {
				t.Errorf("not applied: %v", err)
			}
			if left := w.keys(0, "/intents/"); len(left) > 0 {
				t.Errorf("intents are left: %v", left)
			}
			w.good()
		})
	}
}
