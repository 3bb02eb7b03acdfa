package restore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore"
)

// holding starts a process that has the file open, and returns its id.
func holding(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("sleep", "600")
	cmd.Stdin = f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func put(t *testing.T, path string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// An open descriptor gives a service away that holds no lock: on any file of a store, under any name.
func TestLookSeesDescriptors(t *testing.T) {
	dir := t.TempDir()
	db := restore.Live{Name: "db", Kind: manifest.SQLite, Path: put(t, filepath.Join(dir, "db"))}
	registry := restore.Live{Name: "registry", Kind: manifest.File, Path: put(t, filepath.Join(dir, "registry.json"))}
	chroma := restore.Live{Name: "chroma", Kind: manifest.Chroma, Path: filepath.Join(dir, "chroma")}
	for _, name := range []string{"db-wal", "db-shm", "db-journal", "other", "chroma/chroma.sqlite3", "chroma/segment/header.bin"} {
		put(t, filepath.Join(dir, name))
	}
	linked := filepath.Join(dir, "linked")
	if err := os.Link(registry.Path, linked); err != nil {
		t.Fatal(err)
	}
	stores := []restore.Live{db, registry, chroma}
	if _, err := restore.Look(stores...); err != nil {
		t.Fatalf("nobody has anything open: %v", err)
	}
	for name, seen := range map[string]bool{
		"db": true, "db-wal": true, "db-shm": true, "db-journal": true, "registry.json": true, "linked": true,
		"chroma/chroma.sqlite3": true, "chroma/segment/header.bin": true, "other": false,
	} {
		t.Run(name, func(t *testing.T) {
			pid := holding(t, filepath.Join(dir, name))
			_, err := restore.Look(stores...)
			var busy *restore.BusyError
			if errors.As(err, &busy) != seen || err != nil && !seen {
				t.Fatalf("look: %v", err)
			}
			if seen && !strings.HasPrefix(busy.By, fmt.Sprintf("process %d (", pid)) {
				t.Errorf("in use by %q, want process %d", busy.By, pid)
			}
		})
	}
}

// What cannot be looked into is told, and is no reason to refuse.
func TestLookTellsWhatItCannotSee(t *testing.T) {
	live := restore.Live{Name: "db", Kind: manifest.SQLite, Path: put(t, filepath.Join(t.TempDir(), "db"))}
	proc, err := os.MkdirTemp("", "holdfast-test-") // not below t.TempDir, which is private
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(proc) })
	if err := os.Chmod(proc, 0o755); err != nil {
		t.Fatal(err)
	}
	blind, err := restore.LookIn(proc, live)
	if err != nil || !strings.Contains(blind, "does not show the processes of others") {
		t.Errorf("an empty procfs: %q, %v", blind, err)
	}
	for _, name := range []string{"1", "7"} {
		if err := os.Mkdir(filepath.Join(proc, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if blind, err = restore.LookIn(proc, live); err != nil || blind != "" {
		t.Errorf("a process without descriptors: %q, %v", blind, err)
	}
	fd := filepath.Join(proc, "7", "fd")
	if err := errors.Join(os.Mkdir(fd, 0o755), os.Symlink(live.Path, filepath.Join(fd, "3"))); err != nil {
		t.Fatal(err)
	}
	if _, err = restore.LookIn(proc, live); !errors.As(err, new(*restore.BusyError)) || !strings.Contains(err.Error(), "process 7") {
		t.Errorf("%v", err)
	}

	// A process of another user: whose descriptors only root may see.
	if err := os.Chmod(fd, 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // then without root's power over permissions, on this thread alone
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer unix.Setfsuid(0)
	}
	if blind, err = restore.LookIn(proc); err != nil || !strings.Contains(blind, "1 process of another user") {
		t.Errorf("%q, %v", blind, err)
	}
}

// A link is followed, also to a store that is not there yet; one that leads nowhere is refused.
func TestResolved(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir+"/real/db")
	for link, to := range map[string]string{"link": "real/db", "dir": "real", "gone": "nowhere/db", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"real/db": "real/db", "link": "real/db", "dir/db": "real/db", "dir/new": "real/new", "no/such/db": "no/such/db",
		"gone": "", "gone/x": "", "loop": "",
	} {
		got, err := restore.Live{Name: "db", Path: filepath.Join(dir, path)}.Resolved()
		if want == "" {
			if err == nil {
				t.Errorf("%s resolves to %s", path, got.Path)
			}
			if strings.HasPrefix(path, "gone") && !strings.Contains(fmt.Sprint(err), "is it mounted?") {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if err != nil || got.Path != filepath.Join(dir, want) {
			t.Errorf("%s resolves to %s, %v", path, got.Path, err)
		}
	}
}
