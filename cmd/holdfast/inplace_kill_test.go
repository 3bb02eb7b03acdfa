package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/atocore/holdfast/core/restore/swap"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// A restore, an undo and a recovery, killed at every failpoint: a recovery then
// ends with everything old or everything new, by the hash of every file, and a
// second one finds nothing to do.
//
// HOLDFAST_SOAK kills at every point, else it is one of each kind.
func TestKilledInPlace(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	restore := []string{"restore", string(g.id), "--confirm-service-stopped", "--no-pre-snapshot"}
	undo := []string{"restore", "undo", "--confirm-service-stopped"}

	// The stores go to and fro by restores and undos, never by copying: what is
	// live and what is kept is known by its inode, too.
	start := func(g *generations, want string) {
		g.t.Helper()
		if g.which() != want {
			g.must(exitOK, undo...)
		}
		if got := g.which(); got != want {
			g.t.Fatalf("%s is live, want %s", got, want)
		}
	}
	t.Run("restore", func(t *testing.T) {
		g := g.in(t)
		ended := g.killEverywhere(func() { start(g, "old") }, restore)
		if ended["old"] == 0 || ended["new"] == 0 {
			t.Errorf("it always ended %v", ended)
		}
	})
	t.Run("undo", func(t *testing.T) {
		g := g.in(t)
		ended := g.killEverywhere(func() { start(g, "new") }, undo)
		if ended["old"] == 0 || ended["new"] == 0 {
			t.Errorf("it always ended %v", ended)
		}
	})
	t.Run("recover", func(t *testing.T) {
		g := g.in(t)
		start(g, "old")
		points := g.points(restore...)
		starts := []string{"forward out chroma:after"}
		if soak() {
			starts = append(starts, "restore:looked", "forward in registry:after")
		}
		for _, at := range starts {
			n := slices.Index(points, at)
			if n < 0 {
				t.Fatalf("no failpoint is called %s: %q", at, points)
			}
			ended := g.killEverywhere(func() {
				start(g, "old")
				if !g.killed(n+1, restore...) {
					t.Fatal("not killed")
				}
			}, []string{"recover"})
			if len(ended) != 1 {
				t.Errorf("killed at %s, its recovery ended %v", at, ended)
			}
		}
	})
}

// killEverywhere kills a command at its failpoints, each time from the same
// start, and counts which generation was live after a recovery.
func (g *generations) killEverywhere(start func(), args []string) map[string]int {
	g.t.Helper()
	start()
	points := g.points(args...)
	ended := map[string]int{}
	kills := 0
	for n := 1; n <= len(points); n++ {
		if !soak() && !sampled(points, n-1) {
			continue
		}
		start()
		if !g.killed(n, args...) {
			g.t.Errorf("%v was not killed at %d, %s", args, n, points[n-1])
		}
		kills++
		g.must(exitOK, "recover")
		which := g.which()
		ended[which]++
		g.leftovers()
		var again exchangeReport
		decodeLast(g.t, g.must(exitOK, "recover", "--json"), &again)
		if again.Result != "nothing" || g.which() != which {
			g.t.Errorf("a second recovery did something: %+v", again)
		}
		if g.t.Failed() {
			g.t.Fatalf("%v: killed at %d, %s", args, n, points[n-1])
		}
	}
	g.t.Logf("%v: killed at %d of %d failpoints, ended %v", args, kills, len(points), ended)
	return ended
}

// soak asks for all of what is otherwise sampled.
func soak() bool { return os.Getenv("HOLDFAST_SOAK") != "" }

// sampled chooses the first point of each kind, for whichever component it is, and
// every move of a live store. What is before an effect is after the one before it.
func sampled(points []string, n int) bool {
	kind := strings.NewReplacer(" db", "", " registry", "", " chroma", "").Replace
	move := strings.HasPrefix(points[n], "forward") || strings.HasPrefix(points[n], "back")
	first := slices.IndexFunc(points, func(p string) bool { return kind(p) == kind(points[n]) }) == n
	return (move || first) && !strings.HasSuffix(points[n], ":before") && !strings.Contains(points[n], "sync")
}

// With a disk that is full at any step, nothing is replaced, or everything.
func TestFullDiskInPlace(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	args := []string{"restore", string(g.id), "--confirm-service-stopped", "--no-pre-snapshot"}
	points := g.points(args...)
	g.must(exitOK, "restore", "undo", "--confirm-service-stopped")
	tried, failed := 0, 0
	for n := range points {
		if !soak() && (n%5 != 0 || strings.HasSuffix(points[n], ":after")) {
			continue
		}
		at := 0
		code, out := g.hooked(swap.Hooks{Fail: func(point string) error {
			if at++; at == n+1 {
				return fmt.Errorf("%s: %w", point, syscall.ENOSPC)
			}
			return nil
		}}, args...)
		if strings.Contains(out, `"restore_unfinished"`) {
			g.must(exitOK, "recover")
		}
		which := g.which()
		if tried++; code != exitOK {
			failed++
		}
		if code == exitOK && which != "new" || code != exitOK && which != "old" && !strings.Contains(out, `"restore_unfinished"`) {
			t.Errorf("full at %d, %s: ended with %d, and %s is live: %s", n+1, points[n], code, which, out)
		}
		g.must(exitOK, "recover")
		g.leftovers()
		if which == "new" {
			g.must(exitOK, "restore", "undo", "--confirm-service-stopped")
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d failpoints tried, %d failed the restore", tried, len(points), failed)
	if failed == 0 {
		t.Error("no error was heeded")
	}
}

// A restore with its safety snapshot that is stopped at any moment. An interrupt
// leaves nothing to recover: it ends the restore before the first store is moved,
// or after the last.
func TestStoppedInPlace(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 1 << 20})
	random := newRandom(t)
	restore := []string{"restore", string(g.id), "--confirm-service-stopped"}
	whole := g.duration(restore...)
	ended := map[exitCode]int{}
	for n := range 12 {
		if g.which() == "new" {
			g.must(exitOK, "restore", "undo", "--confirm-service-stopped")
		}
		signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM}[n%3]
		code := g.end(random, &whole, signal, restore...)
		ended[code]++
		var r exchangeReport
		decodeLast(t, g.must(exitOK, "recover", "--json"), &r)
		which := g.which()
		if signal != syscall.SIGKILL && code != -1 { // -1: before it had begun to listen to signals
			want := map[exitCode]string{exitOK: "new", exitInterrupted: "old", exitTerminated: "old"}[code]
			if r.Result != "nothing" || which != want {
				t.Errorf("%v: ended with %d, %s is live; a recovery then: %s", signal, code, which, r.Result)
			}
		}
		g.leftovers()
		if t.Failed() {
			return
		}
	}
	t.Logf("ended %v", ended)
	g.must(exitOK, "validate", "--all")
}
