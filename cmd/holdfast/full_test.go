package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// A full disk, be it the target's, staging's or the one that is restored to: the
// code and the identifier say so, what was there stays whole, nothing
// half-written is left, and with room again the next run succeeds.
//
// The disks are small file systems in memory, which only root may mount;
// TestFileLimit is for everybody.
func TestFullDisk(t *testing.T) {
	probe := t.TempDir()
	if err := unix.Mount("holdfast-test", probe, "tmpfs", 0, "size=64k"); errors.Is(err, unix.EPERM) {
		t.Log("this user may not mount: see TestFileLimit")
		return
	} else if err := errors.Join(err, unix.Unmount(probe, 0)); err != nil {
		t.Fatal(err)
	}
	t.Run("target", func(t *testing.T) {
		w := newWorld(t, store.Options{Seed: 1, Size: 128 << 10})
		grow := smallDisk(t, w.path("backup"), "2m")
		w.must(exitOK, "init") // the disk covers what was there
		w.must(exitOK, "create")
		before := w.ids()
		addBlob(t, w, 6<<20)
		code, stdout, _ := w.run("create", "--json")
		if code != exitTarget || !strings.Contains(stdout, `"id":"target_full"`) {
			t.Errorf("create ended with %d: %s", code, stdout)
		}
		w.unharmed(before)
		grow()
		w.must(exitOK, "create")
		w.must(exitOK, "validate", "--all", "--level", "content")
	})
	t.Run("staging", func(t *testing.T) {
		w := newWorld(t, store.Options{Seed: 1, Size: 4 << 20})
		w.must(exitOK, "create")
		before := w.ids()
		mkdir(t, w.path(".holdfast", "staging"))
		grow := smallDisk(t, w.path(".holdfast", "staging"), "2m")
		code, stdout, _ := w.run("create", "--json")
		if code != exitFailed || !strings.Contains(stdout, `"id":"no_space"`) {
			t.Errorf("create ended with %d: %s", code, stdout)
		}
		for _, args := range [][]string{{"dump", "latest", "db"}, {"validate", "--level", "content"}} {
			want := map[string]exitCode{"dump": exitFailed, "validate": exitInconclusive}[args[0]]
			code, stdout, stderr := w.run(args...)
			if all := stdout + stderr; code != want || !strings.Contains(all, "scratch space in "+w.path(".holdfast", "staging")) || !strings.Contains(all, "free room there") {
				t.Errorf("%v ended with %d: %s", args, code, all)
			}
		}
		w.unharmed(before)
		grow()
		w.must(exitOK, "create")
	})
	t.Run("restore", func(t *testing.T) {
		w := newWorld(t, store.Options{Seed: 1, Size: 4 << 20})
		w.must(exitOK, "create")
		mkdir(t, w.path("out"))
		grow := smallDisk(t, w.path("out"), "2m")
		code, stdout, _ := w.run("restore", "latest", "--to", w.path("out"), "--json")
		if code != exitFailed || !strings.Contains(stdout, `"id":"no_space"`) {
			t.Errorf("restore ended with %d: %s", code, stdout)
		}
		if left := files(t, w.path("out")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		grow()
		w.must(exitOK, "restore", "latest", "--to", w.path("out"))
	})
}

// Writes that fail in the middle of a file, after every check of free space has passed. It is tried
// with a limit on the size of files, which every user may set.
func TestFileLimit(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 128 << 10})
	w.must(exitOK, "create")
	addBlob(t, w, 6<<20)
	const limit = 4 << 20 // what the database exceeds, in staging and in the target

	// Staging: the component is missing, the others are captured.
	code, stdout := w.limited(limit, "create", "--json")
	var r createReport
	decodeLast(t, stdout, &r)
	if code != exitIncomplete || r.Grade != manifest.Degraded || r.Components[0].Error == "" || r.Components[2].Error != "" {
		t.Errorf("create ended with %d: %s", code, stdout)
	}
	before := w.ids()
	w.unharmed(before)

	w.must(exitOK, "create")
	before = w.ids()

	to := w.path("out")
	for _, tt := range []struct {
		want exitCode
		args []string
	}{
		{exitFailed, []string{"restore", "latest", "--to", to, "--json"}},
		{exitInconclusive, []string{"validate", "latest", "--json"}}, // the repository is not to blame
		{exitFailed, []string{"dump", "latest", "db"}},
	} {
		code, stdout := w.limited(limit, tt.args...)
		if code != tt.want || !strings.Contains(stdout, "file too large") && tt.args[0] != "dump" {
			t.Errorf("%s ended with %d, want %d: %.1000s", tt.args[0], code, tt.want, stdout)
		}
		if tt.args[0] == "dump" && stdout != "" {
			t.Errorf("dump wrote %d bytes of what it could not verify", len(stdout))
		}
		none(t, to)
		w.unharmed(before)
	}
	none(t, w.path("backup", "atocore", "damaged", "*"))
	w.must(exitOK, "restore", "latest", "--to", to)
}

// limited runs holdfast so that no file that it writes can have more bytes.
func (w *world) limited(bytes int, args ...string) (exitCode, string) {
	w.t.Helper()
	script := fmt.Sprintf(`ulimit -f %d; exec "$@"`, bytes/512)
	cmd := exec.CommandContext(w.t.Context(), "sh", append([]string{"-c", script, "sh", w.bin}, args...)...)
	cmd.Dir = w.dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return exitCode(cmd.ProcessState.ExitCode()), string(out)
}

// unharmed insists that the target holds exactly these snapshots, all whole,
// and that nothing is left in staging.
func (w *world) unharmed(before []manifest.ID) {
	w.t.Helper()
	if got := w.ids(); !slices.Equal(got, before) {
		w.t.Errorf("snapshots are %v, want %v", got, before)
	}
	w.must(exitOK, "validate", "--all", "--json")
	none(w.t, w.path(".holdfast", "staging", "*"))
}

// addBlob makes the database larger by what no compression can shrink.
func addBlob(t *testing.T, w *world, size int) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+store.Database(w.path("data")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS ballast AS SELECT randomblob(?) AS b", size)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// smallDisk mounts a file system of that size at dir, and returns what makes it large.
func smallDisk(t *testing.T, dir, size string) (grow func()) {
	t.Helper()
	if err := unix.Mount("holdfast-test", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatal(os.NewSyscallError("mount", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return func() {
		t.Helper()
		if err := unix.Mount("holdfast-test", dir, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
	}
}
