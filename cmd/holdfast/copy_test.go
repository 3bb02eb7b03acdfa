package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/replicate"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// newPair is a world with the targets nas and usb.
func newPair(t *testing.T, size int64) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), bin: testBinary(t)}
	if err := store.Generate(t.Context(), w.path("data"), store.Options{Seed: 1, Size: size}); err != nil {
		t.Fatal(err)
	}
	w.must(exitOK, "init", "--data", w.path("data"), "--target-path", "nas="+w.path("nas"), "--target-path", "usb="+w.path("usb"), "--state-dir", w.path(".holdfast"))
	return w
}

// intents are the creates that are in progress in the destination, or were left.
func (w *world) intents() []string {
	w.t.Helper()
	paths, err := filepath.Glob(w.path("usb", "atocore", "intents", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return paths
}

// A copy that is interrupted, terminated or killed at any moment leaves a destination in which every listed
// snapshot is whole, and at most its own intent; the next one takes it up and brings everything to its end.
func TestCopySignalledAtRandom(t *testing.T) {
	w := newPair(t, 4<<20)
	random := newRandom(t)
	copying := []string{"copy", "--from", "nas", "--to", "usb"}
	w.must(exitOK, "create", "--target", "nas")
	whole := w.duration(copying...)
	signals := map[syscall.Signal]exitCode{syscall.SIGINT: exitInterrupted, syscall.SIGTERM: exitTerminated, syscall.SIGKILL: -1}
	seen := map[exitCode]int{}
	resumed := 0
	for n := 0; n < 60 && (n < 9 || len(seen) < 4 || resumed == 0); n++ {
		if err := os.RemoveAll(w.path("usb", "atocore")); err != nil {
			t.Fatal(err)
		}
		signal := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}[n%3]
		run := copying
		if n%2 == 1 {
			run = append(slices.Clone(copying), "--json")
		}
		code := w.end(random, &whole, signal, run...)
		seen[code]++
		// -1: killed, or so early that it had not even begun to listen to signals.
		if code != exitOK && code != signals[signal] && code != -1 {
			t.Errorf("copy with %v ended with %d", signal, code)
		}
		if left := w.intents(); len(left) > 1 || code == exitOK && len(left) > 0 {
			t.Errorf("after %d there are the intents %v", code, left)
		}
		var r copyReport
		decodeLast(t, w.must(exitOK, append(copying, "--json")...), &r)
		if len(r.Snapshots) != 1 {
			t.Fatalf("%+v", r)
		}
		if r.Snapshots[0].Resumed {
			resumed++
		}
		none(t, w.path(".holdfast", "staging", "*", "*")) // a kill may leave an empty directory that nobody can know
		for _, intent := range w.intents() {              // a kill between the ballot and the end: a cleanup resolves it
			if _, err := os.Stat(w.path("usb", "atocore", "manifests", filepath.Base(intent)+".json")); err != nil {
				t.Errorf("an intent is left: %v", err)
			}
		}
		w.must(exitOK, "validate", "--all", "--target", "usb")
	}
	if len(seen) < 4 || resumed == 0 {
		t.Errorf("codes %v, %d copies were resumed", seen, resumed)
	}
}

// A destination that is full ends the copy with what was copied before; with room the next one goes on.
func TestCopyFullDisk(t *testing.T) {
	probe := t.TempDir()
	if err := unix.Mount("holdfast-test", probe, "tmpfs", 0, "size=64k"); errors.Is(err, unix.EPERM) {
		t.Log("this user may not mount")
		return
	} else if err := errors.Join(err, unix.Unmount(probe, 0)); err != nil {
		t.Fatal(err)
	}
	w := newPair(t, 128<<10)
	grow := smallDisk(t, w.path("usb"), "2m")
	w.must(exitOK, "init", "--force")
	w.must(exitOK, "create", "--target", "nas")
	addBlob(t, w, 6<<20)
	w.must(exitOK, "create", "--target", "nas")
	code, stdout, _ := w.run("copy", "--from", "nas", "--to", "usb", "--json")
	var r copyReport
	decodeLast(t, stdout, &r)
	if code != exitIncomplete || len(r.Snapshots) != 2 || r.Snapshots[0].Result != replicate.Copied || r.Snapshots[1].Result != replicate.Failed || r.Error == nil || r.Error.ID != "target_full" {
		t.Errorf("copy ended with %d: %s", code, stdout)
	}
	code, stdout, _ = w.run("copy", "--from", "nas", "--to", "usb", "--json")
	if code != exitTarget || !strings.Contains(stdout, `"id":"target_full"`) {
		t.Errorf("copy ended with %d: %s", code, stdout)
	}
	w.must(exitOK, "validate", "--all", "--target", "usb")
	grow()
	w.must(exitOK, "copy", "--from", "nas", "--to", "usb")
	w.must(exitOK, "validate", "--all", "--target", "usb")
	none(t, w.path(".holdfast", "staging", "*"))
}
