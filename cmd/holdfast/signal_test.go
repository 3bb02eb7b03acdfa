package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

// A create that waits for a locked database and gets a signal ends with that
// signal's code, leaves nothing behind, and can be run again.
func TestSignals(t *testing.T) {
	for _, tt := range []struct {
		signal syscall.Signal
		want   exitCode
	}{
		{syscall.SIGINT, exitInterrupted},
		{syscall.SIGTERM, exitTerminated},
	} {
		t.Run(tt.signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			var stdout strings.Builder
			cmd, unlock := blockedCreate(t, dir, &stdout)
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != int(tt.want) {
				t.Errorf("create ended with %v, want %d", err, tt.want)
			}
			if last, err := checkLines([]byte(stdout.String())); err != nil || last != "exit_error" || !strings.Contains(stdout.String(), `"id":"interrupted"`) {
				t.Errorf("stdout ends with %s, %v:\n%s", last, err, stdout.String())
			}
			for _, left := range []string{".holdfast/staging/*", "backup/atocore/intents/*"} {
				none(t, filepath.Join(dir, left))
			}

			unlock()
			if code, out := holdfast(t.Context(), t, dir, "create"); code != exitOK {
				t.Errorf("create afterwards: %d\n%s", code, out)
			}
		})
	}
}

// brief are the verbs that ask targets for something and are through before a signal can be aimed at them.
var brief = []string{"list", "show", "diff", "doctor", "cleanup", "forget", "undelete", "pin", "unpin"}

// A signal that is there before a target was asked ends every verb with its code, and nothing is changed.
func TestSignalledAtOnce(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 64 << 10})
	first, _ := w.created()
	second, _ := w.created()
	ids := []string{string(first), string(second)}
	args := map[string][]string{"list": nil, "doctor": nil, "diff": ids, "cleanup": {"--confirm", "--no-grace"}}
	before := files(t, w.path("backup"))
	for _, verb := range brief {
		run, ok := args[verb]
		if !ok {
			run = ids[:1]
		}
		for signal, want := range map[syscall.Signal]exitCode{syscall.SIGINT: exitInterrupted, syscall.SIGTERM: exitTerminated} {
			for _, form := range []string{"--json", "--quiet"} {
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(signalled{signal})
				code, stdout, stderr := w.runIn(ctx, append([]string{verb, form}, run...)...)
				if code != want || form == "--json" && !strings.Contains(stdout, `"id":"interrupted"`) {
					t.Errorf("%s %s with %v ended with %d, want %d\n%s%s", verb, form, signal, code, want, stdout, stderr)
				}
			}
		}
	}
	if after := files(t, w.path("backup")); !maps.Equal(before, after) {
		t.Errorf("the target held %v, and now %v", before, after)
	}
}

// A create that is killed leaves its copies in staging; the next one removes them.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	cmd, unlock := blockedCreate(t, dir, io.Discard)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it was meant to be
	unlock()
	staging := filepath.Join(dir, ".holdfast", "staging")
	if left, err := os.ReadDir(staging); err != nil || len(left) != 1 {
		t.Fatalf("staging after the kill: %v, %v", left, err)
	}
	if code, out := holdfast(t.Context(), t, dir, "create"); code != exitOK {
		t.Errorf("create afterwards: %d\n%s", code, out)
	}
	if left, err := os.ReadDir(staging); err != nil || len(left) != 0 {
		t.Errorf("staging after the next create: %v, %v", left, err)
	}
}

// blockedCreate makes a store and a configuration in dir, locks the database, and
// starts a create, which by its return waits for the lock.
func blockedCreate(t *testing.T, dir string, stdout io.Writer) (cmd *exec.Cmd, unlock func()) {
	t.Helper()
	o := store.Options{Seed: 1, Size: 64 << 10, Journal: store.Rollback}
	if err := store.Generate(t.Context(), filepath.Join(dir, "data"), o); err != nil {
		t.Fatal(err)
	}
	if code, out := holdfast(t.Context(), t, dir, "init", "--target-path", "backup"); code != exitOK {
		t.Fatalf("init: %d\n%s", code, out)
	}
	unlock = lockDatabase(t, store.Database(filepath.Join(dir, "data")))
	cmd = exec.Command(testBinary(t), "create", "--json")
	cmd.Dir, cmd.Stdout = dir, stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(dir, ".holdfast", "staging", scratchPrefix+"*", "create-*", "copies", "db"))
	return cmd, unlock
}

// holdfast runs a command in dir, in a process of its own, and returns its code
// and output.
func holdfast(ctx context.Context, t *testing.T, dir string, args ...string) (exitCode, string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, testBinary(t), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return exitCode(cmd.ProcessState.ExitCode()), string(out)
}

// lockDatabase holds the exclusive lock of a database in rollback mode.
func lockDatabase(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := db.Exec("ROLLBACK"); err != nil {
			t.Error(err)
		}
	}
}

// waitFor waits until a path matches the pattern.
func waitFor(t *testing.T, pattern string) {
	t.Helper()
	poll(t, "a path like "+pattern, func() bool {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return len(paths) > 0
	})
}
