// Package backuptest holds a small live store and repositories in memory, for tests of the packages that
// make, restore and validate snapshots. [New] makes both; [World.Good] takes a snapshot.
package backuptest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source/chroma/testdata"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// Set is the set of all snapshots of a World.
const Set = "atocore"

// Rows is how many rows the table items has at first.
const Rows = 4000

// World is a live store and its repositories. Its methods fail the test when they cannot do their work.
type World struct {
	t          testing.TB
	Dir        string // holds app.db, registry.json, chroma, staging and state
	DB         *sql.DB
	Now        time.Time // moves on by an hour with every snapshot
	Components []kinds.Config
	Optional   map[string]bool
	Mem        map[string]*memtarget.Target
	Faults     map[string]memtarget.Hook // by target; may be changed between runs
	Stores     []*target.Store           // in the order of the targets
}

// New makes a live store of a database in WAL mode and a registry, and empty repositories.
func New(t testing.TB, targets ...string) *World {
	t.Helper()
	w := &World{
		t: t, Dir: t.TempDir(), Now: time.Date(2026, 4, 11, 9, 46, 46, 0, time.UTC),
		Optional: map[string]bool{}, Mem: map[string]*memtarget.Target{}, Faults: map[string]memtarget.Hook{},
	}
	w.Components = []kinds.Config{
		{Name: "db", Kind: manifest.SQLite, Path: w.Path("app.db")},
		{Name: "registry", Kind: manifest.File, Path: w.Path("registry.json"), Format: "json"},
	}
	for _, d := range []string{"staging", "state"} {
		w.check(os.Mkdir(w.Path(d), 0o700))
	}
	var err error
	w.DB, err = sql.Open("sqlite3", "file:"+w.Path("app.db")+"?_journal_mode=WAL&_synchronous=OFF")
	w.check(err)
	t.Cleanup(func() { w.DB.Close() })
	w.Exec("CREATE TABLE items(id INTEGER PRIMARY KEY, body TEXT)")
	w.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 4000) INSERT INTO items SELECT i, hex(randomblob(300)) FROM n")
	w.Registry(`{"a": 1, "b": 2}`)
	for _, name := range targets {
		w.target(name)
	}
	return w
}

func (w *World) target(name string) {
	mem := memtarget.New(memtarget.Options{Hook: func(ctx context.Context, op memtarget.Op, key string) memtarget.Fault {
		if f := w.Faults[name]; f != nil {
			return f(ctx, op, key)
		}
		return memtarget.Fault{}
	}})
	store := target.Open(name, mem, target.Options{Attempts: 2, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	_, _, err := repository.Init(w.t.Context(), store, rand.Reader)
	w.check(err)
	w.Mem[name], w.Stores = mem, append(w.Stores, store)
}

func (w *World) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Path is a path in the world's directory.
func (w *World) Path(name string) string { return filepath.Join(w.Dir, name) }

// Exec changes the database.
func (w *World) Exec(query string) {
	w.t.Helper()
	_, err := w.DB.Exec(query)
	w.check(err)
}

// Touch gives every nth row another body.
func (w *World) Touch(n string) {
	w.t.Helper()
	w.Exec("UPDATE items SET body = hex(randomblob(300)) WHERE id % " + n + " = 0")
}

// Registry replaces the registry.
func (w *World) Registry(s string) {
	w.t.Helper()
	w.check(os.WriteFile(w.Path("registry.json"), []byte(s), 0o600))
}

// Chroma adds the component chroma, a directory that was recorded from a real server.
func (w *World) Chroma() {
	w.t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(testdata.Small))
	w.check(err)
	defer z.Close()
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		w.check(err)
		path := w.Path(filepath.Clean("/" + h.Name))
		if h.Typeflag == tar.TypeDir {
			w.check(os.MkdirAll(path, 0o700))
			continue
		}
		b, err := io.ReadAll(tr)
		w.check(err)
		w.check(os.MkdirAll(filepath.Dir(path), 0o700))
		w.check(os.WriteFile(path, b, 0o600))
		w.check(os.Chtimes(path, h.ModTime, h.ModTime))
	}
	w.Components = append(w.Components, kinds.Config{Name: "chroma", Kind: manifest.Chroma, Path: w.Path("chroma")})
}

// Options are those of the next snapshot, an hour later than the last.
func (w *World) Options() backup.Options {
	w.t.Helper()
	w.Now = w.Now.Add(time.Hour)
	now := w.Now
	st, err := state.Open(w.Path("state"))
	w.check(err)
	o := backup.Options{
		Set: Set, Targets: w.Stores, Staging: w.Path("staging"), Check: backup.CheckAuto, State: st,
		Host: "test", Tool: "holdfast test", Rand: rand.Reader, Now: func() time.Time { return now }, FreezeTimeout: time.Second,
	}
	for _, c := range w.Components {
		s, err := kinds.Open(c)
		w.check(err)
		o.Components = append(o.Components, backup.Component{Source: s, Format: c.Format, Optional: w.Optional[c.Name]})
	}
	return o
}

// Create takes a snapshot with options that change may change, and sees that staging is empty after it.
func (w *World) Create(change func(*backup.Options)) (*backup.Report, error) {
	w.t.Helper()
	o := w.Options()
	if change != nil {
		change(&o)
	}
	r, err := backup.Run(w.t.Context(), o)
	if left, _ := os.ReadDir(o.Staging); len(left) > 0 {
		w.t.Errorf("staging still holds %s", left[0].Name())
	}
	return r, err
}

// Made takes a snapshot that must be committed to every target.
func (w *World) Made() *backup.Report {
	w.t.Helper()
	r, err := w.Create(nil)
	w.check(err)
	for _, t := range r.Targets {
		if t.Err != nil {
			w.t.Fatalf("target %s: %v", t.Name, t.Err)
		}
	}
	return r
}

// Good takes a snapshot that must be good, in every target.
func (w *World) Good() *backup.Report {
	w.t.Helper()
	r := w.Made()
	if r.Grade != manifest.Good {
		w.t.Fatalf("grade %s: %+v", r.Grade, r.Reasons)
	}
	return r
}

// Repo opens the nth target's repository.
func (w *World) Repo(n int) *repository.Repository {
	w.t.Helper()
	r, err := repository.Open(w.t.Context(), w.Stores[n])
	w.check(err)
	return r
}

// View lists the nth target.
func (w *World) View(n int) (*repository.Repository, *repository.View) {
	w.t.Helper()
	r := w.Repo(n)
	v, err := r.View(w.t.Context(), Set)
	w.check(err)
	return r, v
}

// Keys are the nth target's keys that contain a text.
func (w *World) Keys(n int, contains string) []string {
	return slices.DeleteFunc(w.Mem[w.Stores[n].Name()].Keys(), func(k string) bool { return !strings.Contains(k, contains) })
}

// Damage changes an object of the nth target. A nil result removes it.
func (w *World) Damage(n int, key string, change func([]byte) []byte) {
	w.t.Helper()
	mem := w.Mem[w.Stores[n].Name()]
	b, ok := mem.Bytes(key)
	if !ok {
		w.t.Fatalf("there is no object %s", key)
	}
	if b = change(b); b == nil {
		mem.Remove(key)
	} else {
		mem.Set(key, b)
	}
}

// Flip changes one bit in the middle.
func Flip(b []byte) []byte {
	b[len(b)/2] ^= 1
	return b
}
