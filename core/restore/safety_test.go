package restore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// stopped closes the world's database, as a service that ends does, and returns its stores.
func stopped(t *testing.T, w *backuptest.World) (stores []restore.Live) {
	t.Helper()
	if err := w.DB.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.Components {
		stores = append(stores, restore.Live{Name: c.Name, Kind: c.Kind, Path: c.Path, Format: c.Format})
	}
	return stores
}

func safety(w *backuptest.World, stores []restore.Live) *restore.Safety {
	s := &restore.Safety{Stores: stores, Backup: w.Options()}
	for i, name := range []string{"nas", "usb"} {
		s.Targets = append(s.Targets, restore.Place{Name: name, Open: func(context.Context) (*target.Store, error) { return w.Stores[i], nil }})
	}
	return s
}

func load(t *testing.T, w *backuptest.World, n int, id manifest.ID) *manifest.Manifest {
	t.Helper()
	m, err := w.Repo(n).Load(t.Context(), backuptest.Set, id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSafety(t *testing.T) {
	w := backuptest.New(t, "nas", "usb")
	w.Chroma()
	w.Good()
	stores := stopped(t, w)

	saved, err := safety(w, stores).Take(t.Context(), "db", "registry")
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, w, 0, saved.ID)
	if saved.Target != "nas" || !m.HasTag(manifest.PreRestore) || m.Grade != manifest.Good || m.Component("db") == nil || m.Component("registry") == nil || m.Component("chroma") != nil {
		t.Errorf("%+v: %+v", saved, m)
	}
	if _, view := w.View(1); slices.Contains(view.IDs, saved.ID) {
		t.Error("it is in the second target, too")
	}

	// The next one that takes it.
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, _ string) memtarget.Fault {
		return memtarget.Fault{Err: &target.Error{Target: "nas", Op: string(op), Kind: target.KindUnavailable, Err: errors.New("cable")}}
	}
	if saved, err = safety(w, stores).Take(t.Context(), "db"); err != nil || saved.Target != "usb" || len(saved.Failed) != 1 {
		t.Errorf("%+v, %v", saved, err)
	}
	w.Faults["usb"] = w.Faults["nas"]
	if _, err = safety(w, stores).Take(t.Context(), "db"); !errors.Is(err, restore.ErrNoSafety) || target.KindOf(err) != target.KindUnavailable {
		t.Errorf("no target: %v", err)
	}
	w.Faults = map[string]memtarget.Hook{}

	// A component that is not replaced may fail; one that is must not.
	if err := errors.Join(os.Remove(w.Path("registry.json")), os.Mkdir(w.Path("registry.json"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if saved, err = safety(w, stores).Take(t.Context(), "db"); err != nil || load(t, w, 0, saved.ID).Component("db") == nil || len(saved.Lacks) != 1 {
		t.Errorf("%+v, %v", saved, err)
	}
	if _, err = safety(w, stores).Take(t.Context(), "registry"); !errors.Is(err, restore.ErrNoSafety) || !strings.Contains(err.Error(), "registry.json") {
		t.Errorf("%v", err)
	}

	// A host on which nothing is.
	for i := range stores {
		stores[i].Path = filepath.Join(t.TempDir(), stores[i].Name)
	}
	before := len(w.Keys(0, "manifests/"))
	if saved, err = safety(w, stores).Take(t.Context(), "db", "registry"); err != nil || saved.ID != "" || len(w.Keys(0, "manifests/")) != before {
		t.Errorf("%+v, %v", saved, err)
	}
}

// A database that is none any more is saved as it is, with what it cannot be mended without.
func TestSafetyOfDamage(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"garbage":   func(b []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(b)) },
		"zero":      func([]byte) []byte { return nil },
		"truncated": func(b []byte) []byte { return b[:50] },
		"no schema": func(b []byte) []byte { return append(bytes.Clone(b[:100]), bytes.Repeat([]byte{0xa5}, len(b)-100)...) },
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "nas", "usb")
			w.Good()
			stores := stopped(t, w)
			b, err := os.ReadFile(w.Path("app.db"))
			if err != nil {
				t.Fatal(err)
			}
			b = damage(b)
			log := []byte("what a killed writer left")
			if err := errors.Join(os.WriteFile(w.Path("app.db"), b, 0o600), os.WriteFile(w.Path("app.db-journal"), log, 0o600)); err != nil {
				t.Fatal(err)
			}
			saved, err := safety(w, stores).Take(t.Context(), "db", "registry")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(saved.Raw, []string{"db"}) {
				t.Errorf("raw: %v", saved.Raw)
			}
			m := load(t, w, 0, saved.ID)
			if c := m.Component("db"); c == nil || c.Kind != manifest.File {
				t.Fatalf("db: %+v", c)
			}
			dir := w.Restore(0, m)
			for file, want := range map[string][]byte{"db": b, "db_journal": log} {
				if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, want %d, %v", file, len(got), len(want), err)
				}
			}
			if got, err := os.ReadFile(w.Path("app.db-journal")); err != nil || !bytes.Equal(got, log) {
				t.Errorf("the live journal changed: %q, %v", got, err)
			}
		})
	}
}
