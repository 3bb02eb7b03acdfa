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
// HOLDFAST_TEST_SOAK kills at every point, else it is some of each phase.
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
		for _, at := range []string{"restore:looked", "forward out chroma:after", "forward in registry:after"} {
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
func soak() bool { return os.Getenv("HOLDFAST_TEST_SOAK") != "" }

// sampled chooses points so that each name, without what it is done to, is met.
func sampled(points []string, n int) bool {
	kind := func(p string) string {
		words := strings.FieldsFunc(p, func(r rune) bool { return r == ':' || r == ' ' || r == '/' || r == '=' })
		return words[0] + words[len(words)-1]
	}
	return slices.IndexFunc(points, func(p string) bool { return kind(p) == kind(points[n]) }) == n || n%5 == 0
}

// With a disk that is full at any step, nothing is replaced, or everything.
func TestFullDiskInPlace(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	args := []string{"restore", string(g.id), "--confirm-service-stopped", "--no-pre-snapshot"}
	points := g.points(args...)
	g.must(exitOK, "restore", "undo", "--confirm-service-stopped")
	tried, failed := 0, 0
	for n := range points {
		if !soak() && !sampled(points, n) {
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
