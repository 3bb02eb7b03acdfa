package main

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// inPlace restores in place and returns the summary.
func (g *generations) inPlace(args ...string) *restoreReport {
	g.t.Helper()
	var r restoreReport
	decodeLast(g.t, g.must(exitOK, append([]string{"restore", string(g.id), "--confirm-service-stopped", "--json"}, args...)...), &r)
	return &r
}

// A database in any state is replaced, its last state is saved and kept, and an
// undo brings it back byte for byte with its sidecars.
func TestInPlaceOverAnything(t *testing.T) {
	base := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	reset := base.keep()
	db := store.Database(base.path("data"))
	registry := store.Registry(base.path("data"))
	chroma := store.Chroma(base.path("data"))
	write := func(path string, b []byte) func() error {
		return func() error { return os.WriteFile(path, b, 0o600) }
	}
	for _, tt := range []struct {
		name  string
		make  func() error
		raw   bool // the database is saved as a plain file
		saved bool
	}{
		{"as it should be", func() error { return nil }, false, true},
		{"abandoned log", func() error { return abandon(db, "PRAGMA journal_mode=WAL") }, false, true},
		{"hot journal", func() error { return abandon(db, "PRAGMA journal_mode=DELETE") }, true, true},
		{"stale log of another", write(db+"-wal", bytes.Repeat([]byte("stale"), 1000)), false, true},
		{"missing", func() error { return os.Remove(db) }, false, true},
		{"missing, with a stale log", func() error { return errors.Join(os.Remove(db), write(db+"-wal", []byte("stale"))()) }, false, true},
		{"zero bytes", func() error { return os.Truncate(db, 0) }, true, true},
		{"garbage", write(db, bytes.Repeat([]byte{0xa5}, 9000)), true, true},
		{"cut off", func() error { return os.Truncate(db, 40) }, true, true},
		{"registry missing", func() error { return os.Remove(registry) }, false, true},
		{"chroma missing", func() error { return os.RemoveAll(chroma) }, false, true},
		{"chroma empty", func() error { return errors.Join(os.RemoveAll(chroma), os.Mkdir(chroma, 0o700)) }, false, true},
		{"chroma damaged", write(filepath.Join(chroma, "chroma.sqlite3"), []byte("garbage")), false, true},
		{"nothing at all", func() error { return os.RemoveAll(base.path("data")) }, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := base.in(t)
			defer reset()
			if err := tt.make(); err != nil {
				t.Fatal(err)
			}
			before := map[string]string{}
			if exists(g.path("data"), func(m os.FileMode) bool { return m.IsDir() }) {
				before = hashes(t, g.path("data"))
			}
			r := g.inPlace()
			g.is("restored", g.new)
			if !r.IntegrityOK || len(r.InPlace.Replaced) != 3 || len(r.InPlace.Left) != 0 {
				t.Errorf("%+v", r)
			}
			if (r.InPlace.PreRestoreSnapshot != "") != tt.saved || (len(r.InPlace.Raw) > 0) != tt.raw {
				t.Errorf("saved as %q, raw %q; want %v, %v", r.InPlace.PreRestoreSnapshot, r.InPlace.Raw, tt.saved, tt.raw)
			}
			if tt.saved {
				g.must(exitOK, "show", string(r.InPlace.PreRestoreSnapshot), "--json")
			}
			g.must(exitOK, "restore", "undo", "--confirm-service-stopped", "--json")
			g.is("undone", before)
			g.must(exitOK, "restore", "undo", "--confirm-service-stopped", "--json")
			g.is("undone again", g.new)
		})
	}
}

// abandon leaves the database as a writer leaves it that is killed in mid-transaction.
func abandon(path, mode string) error {
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	for _, q := range []string{
		mode, "PRAGMA wal_autocheckpoint=0", "CREATE TABLE spill AS SELECT randomblob(200000) AS b",
		"PRAGMA cache_size=1", "BEGIN", "UPDATE spill SET b = randomblob(200000)", "INSERT INTO spill SELECT randomblob(100000)",
	} {
		rows, err := db.Query(q)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if b, err := os.ReadFile(path + suffix); err == nil && len(b) > 0 {
			files[path+suffix] = b
		}
	}
	if _, err := db.Exec("ROLLBACK"); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	for name, b := range files {
		err = errors.Join(err, os.WriteFile(name, b, 0o600))
	}
	return err
}

// A service that runs is seen, whatever its connection does, and nothing is touched.
func TestInPlaceBesideAService(t *testing.T) {
	base := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	reset := base.keep()
	g := base
	for _, tt := range []struct {
		name, file string
		do         []string
	}{
		{"idle in WAL mode", "db/atocore.db", []string{"PRAGMA journal_mode=WAL", "SELECT count(*) FROM sqlite_schema"}},
		{"idle in rollback mode", "db/atocore.db", []string{"PRAGMA journal_mode=DELETE", "SELECT count(*) FROM sqlite_schema"}},
		{"writing in WAL mode", "db/atocore.db", []string{"PRAGMA journal_mode=WAL", "BEGIN IMMEDIATE"}},
		{"writing in rollback mode", "db/atocore.db", []string{"PRAGMA journal_mode=DELETE", "BEGIN EXCLUSIVE"}},
		{"in Chroma's database", "chroma/chroma.sqlite3", []string{"SELECT count(*) FROM sqlite_schema"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := g.in(t)
			defer reset()
			db, err := sql.Open("sqlite3", "file:"+g.path("data", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			for _, q := range tt.do {
				rows, err := db.Query(q)
				if err != nil {
					t.Fatal(err)
				}
				for rows.Next() {
				}
				if err := rows.Close(); err != nil {
					t.Fatal(err)
				}
			}
			// Another process than the service's, which is this one: its locks must not be dropped.
			cmd := g.command("restore", string(g.id), "--confirm-service-stopped", "--json")
			out, err := cmd.Output()
			if code := exitCode(cmd.ProcessState.ExitCode()); code != exitRefused || !strings.Contains(string(out), `"service_running"`) {
				t.Errorf("ended with %d, %v: %s", code, err, out)
			}
			if _, err := db.Exec("SELECT 1"); err != nil {
				t.Error(err)
			}
			none(t, g.path("data", "*", ".holdfast-*"))
			if n := len(g.ids()); n != 1 {
				t.Errorf("%d snapshots", n)
			}
		})
	}
}

// What is refused is refused with its code, and nothing is changed.
func TestInPlaceRefused(t *testing.T) {
	base := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	reset := base.keep()
	restore := []string{"restore", string(base.id), "--confirm-service-stopped"}
	t.Run("not confirmed", func(t *testing.T) {
		g := base.in(t)
		g.refused(exitRefused, "service_not_confirmed_stopped", "restore", "latest")
		g.refused(exitRefused, "service_not_confirmed_stopped", "restore", "undo")
	})
	t.Run("a link that leads nowhere", func(t *testing.T) {
		g := base.in(t)
		defer reset()
		db := store.Database(g.path("data"))
		if err := errors.Join(os.Remove(db), os.Symlink("/nonexistent/volume/db", db)); err != nil {
			t.Fatal(err)
		}
		code, out, errs := g.run(append(restore, "--json")...)
		if code != exitFailed || !strings.Contains(out, "is it mounted?") {
			t.Errorf("%d: %s%s", code, out, errs)
		}
		none(t, g.path("data", "*", ".holdfast-*"))
	})
	t.Run("a directory in place of the database", func(t *testing.T) {
		g := base.in(t)
		defer reset()
		db := store.Database(g.path("data"))
		if err := errors.Join(os.Remove(db), os.Mkdir(db, 0o700)); err != nil {
			t.Fatal(err)
		}
		g.refused(exitRefused, "cannot_be_replaced", append(restore, "--no-pre-snapshot")...)
	})
	t.Run("a raw safety snapshot", func(t *testing.T) {
		g := base.in(t)
		defer reset()
		if err := os.Truncate(store.Database(g.path("data")), 0); err != nil {
			t.Fatal(err)
		}
		r := g.inPlace()
		reset()
		g.refused(exitRefused, "other_kind", "restore", string(r.InPlace.PreRestoreSnapshot), "--confirm-service-stopped")
	})
}

// A symbolic link stays, and what it leads to is replaced; owner and mode too stay what they were.
func TestInPlaceKeeps(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	db := store.Database(g.path("data"))
	real := g.path("volume", "real.db")
	if err := errors.Join(os.Mkdir(g.path("volume"), 0o755), os.Rename(db, real), os.Symlink(real, db), os.Chmod(real, 0o640)); err != nil {
		t.Fatal(err)
	}
	const foreign = 12345
	owned := os.Geteuid() == 0
	if !owned {
		t.Log("only root may give a file away: the owner is not tested")
	} else if err := os.Chown(real, foreign, foreign); err != nil {
		t.Fatal(err)
	}
	r := g.inPlace()
	if to, err := os.Readlink(db); err != nil || to != real || r.Components[0].Path != real {
		t.Errorf("the link leads to %s, %v; replaced is %s", to, err, r.Components[0].Path)
	}
	g.is("restored", g.new)
	var st syscall.Stat_t
	if err := syscall.Stat(real, &st); err != nil || st.Mode&0o777 != 0o640 || owned && (st.Uid != foreign || st.Gid != foreign) {
		t.Errorf("owner %d, group %d, mode %o, %v", st.Uid, st.Gid, st.Mode, err)
	}
}

// A Chroma directory that is a mount point stays one, and so does a registry.
func TestInPlaceOnAMount(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	chroma := store.Chroma(g.path("data"))
	if err := unix.Mount("holdfast-test", g.path("data", "chroma"), "tmpfs", 0, "size=64m"); errors.Is(err, unix.EPERM) {
		t.Log("this user may not mount: the method is tested where restores are swapped")
		return
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(chroma, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(chroma, "other"), []byte("of the volume"), 0o600); err != nil {
		t.Fatal(err)
	}
	registry := store.Registry(g.path("data"))
	if err := unix.Mount(registry, registry, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(registry, 0); err != nil {
			t.Error(err)
		}
	})
	before := hashes(t, g.path("data"))
	var plan restoreReport
	decodeLast(t, g.must(exitOK, "restore", string(g.id), "--dry-run", "--json"), &plan)
	if staging := plan.InPlace.Replaced[2].Staging; staging != chroma {
		t.Errorf("chroma would be staged in %s", staging)
	}
	g.inPlace()
	g.is("restored", g.new)
	g.must(exitOK, "restore", "undo", "--confirm-service-stopped")
	g.is("undone", before)
}

// A target that takes nothing is no safety: it is refused, unless it is not wanted.
func TestInPlaceReadOnlyTarget(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	if err := unix.Mount(g.path("backup"), g.path("backup"), "", unix.MS_BIND, ""); errors.Is(err, unix.EPERM) {
		t.Log("this user may not mount: see the script unwritable_inplace")
		return
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(g.path("backup"), 0); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mount("", g.path("backup"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	g.refused(exitRefused, "safety_snapshot_failed", "restore", string(g.id), "--confirm-service-stopped")
	if r := g.inPlace("--no-pre-snapshot"); r.InPlace.PreRestoreSnapshot != manifest.ID("") {
		t.Errorf("%+v", r.InPlace)
	}
	g.is("restored", g.new)
}

// A disk that cannot take what is staged on it, found out before or in the middle:
// nothing is replaced, and with room it is.
func TestInPlaceFullDisk(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 8 << 20})
	restore := []string{"restore", string(g.id), "--confirm-service-stopped", "--no-pre-snapshot"}

	code, out := g.limited(4<<20, append(restore, "--json")...)
	if code != exitFailed || !strings.Contains(out, "file too large") {
		t.Errorf("ended with %d: %s", code, out)
	}
	g.is("after a write that failed", g.old)
	g.leftovers()

	if err := os.Rename(g.path("data"), g.path("aside")); err != nil {
		t.Fatal(err)
	}
	mkdir(t, g.path("data"))
	if err := unix.Mount("holdfast-test", g.path("data"), "tmpfs", 0, "size=64k"); errors.Is(err, unix.EPERM) {
		t.Log("this user may not mount: a full disk is not tested")
		return
	} else if err := errors.Join(err, unix.Unmount(g.path("data"), 0)); err != nil {
		t.Fatal(err)
	}
	grow := smallDisk(t, g.path("data"), "16m")
	for _, name := range []string{"db", "config", "chroma"} {
		if err := exec.Command("cp", "-a", g.path("aside", name), g.path("data")).Run(); err != nil {
			t.Fatal(err)
		}
	}
	g.refused(exitFailed, "no_space", restore...)
	grow()
	g.inPlace()
	g.is("with room", g.new)
}
