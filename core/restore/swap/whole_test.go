package swap_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/restore/swap"
)

// What is live is read again before a swap is done; what is not what was staged goes back.
func TestVerify(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		w := fresh()
		before := w.look(".")
		w.fail = func(point string) error {
			if point == "forward verify:before" {
				w.write(tree{"data/chroma/bb/header.bin": "New header"})
			}
			return nil
		}
		out, err := w.restore()
		if !errors.Is(err, swap.ErrNotWhole) || errors.Is(err, swap.ErrUnfinished) || out == nil || out.Live != swap.Old {
			t.Fatal(out, err)
		}
		w.fail = nil
		w.ended(t, "went back", before)
	})
}

// A recover goes back when what is staged is damaged, and touches nothing when the old generation is
// damaged, too.
func TestStagedDamaged(t *testing.T) {
	const id = "20260411T094601Z-7f3a9c01"
	for point, c := range map[string]struct{ staged, kept string }{
		"journal swapping sync:after":          {"data/.holdfast-restore-" + id + "/chroma/chroma/bb/header.bin", ""},
		"forward out registry from sync:after": {"data/.holdfast-restore-" + id + "/registry/registry", "data/.holdfast-old-" + id + "/chroma/chroma/aa/data.bin"},
		"forward in registry from sync:after":  {"data/.holdfast-restore-" + id + "/chroma/chroma/chroma.sqlite3", "data/.holdfast-old-" + id + "/registry/registry.json"},
		"forward in chroma from sync:after":    {"data/db/.holdfast-restore-" + id + "/db/db", "data/db/.holdfast-old-" + id + "/db/app.db-wal"},
	} {
		w := newWorld(scratch(t))
		before := w.look(".")
		killedAt(t, w, point)
		w.write(tree{c.staged: "damaged"})
		if c.kept == "" {
			if out, err := w.recover(); err != nil || out.Live != swap.Old {
				t.Errorf("%s: %v, %v", point, out, err)
			}
			w.ended(t, point, before)
			continue
		}
		good, err := os.ReadFile(w.path(c.kept))
		must(err)
		w.write(tree{c.kept: "damaged, too"})
		damaged := w.look(".")
		for _, g := range []swap.Generation{"", swap.Old, swap.New} {
			if out, err := w.take(g); out != nil || !errors.Is(err, swap.ErrNotWhole) {
				t.Errorf("%s, take %q: %v, %v", point, g, out, err)
			}
		}
		if diff := cmp.Diff(damaged, w.look(".")); diff != "" {
			t.Errorf("%s: touched %s", point, diff)
		}
		w.write(tree{c.kept: string(good)})
		if out, err := w.recover(); err != nil || out.Live != swap.Old {
			t.Errorf("%s: %v, %v", point, out, err)
		}
		w.ended(t, point, before)
	}
}

// Taking a generation in the middle of a swap ends with it, though no service ran.
func TestTake(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		for _, point := range []string{"journal swapping sync:after", "forward out db:after", "forward verify:after"} {
			if len(fresh().mounts) > 0 && point == "forward out db:after" {
				point = "forward verify:before"
			}
			w := fresh()
			before := w.look(".")
			killedAt(t, w, point)
			if out, err := w.take(swap.Old); err != nil || out.Live != swap.Old || len(out.Stray) > 0 {
				t.Error(point, out, err)
			}
			w.ended(t, point, before)
			if out, err := killedAt(t, fresh(), point).take(swap.New); err != nil || out.Live != swap.New {
				t.Error(point, out, err)
			}
			if _, err := killedAt(t, fresh(), point).take("middle"); err == nil {
				t.Error("there is no such generation")
			}
		}
	})
}

// A swap that failed and was killed while it went back goes on going back.
func TestKilledGoingBack(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		var points []string
		for k := 0; k == 0 || k < len(points); k++ {
			w := fresh()
			before := w.look(".")
			n := k
			w.fail = func(point string) error {
				if point == "forward verify:before" {
					return unix.EIO
				}
				if !strings.HasPrefix(point, "back ") {
					return nil
				}
				if k == 0 {
					points = append(points, point)
				} else if n--; n == 0 {
					panic(killed{point})
				}
				return nil
			}
			_, at, _ := w.attempt(func() (*swap.Outcome, error) { return w.restore() })
			if at == "" != (k == 0) {
				t.Fatalf("point %d: killed at %q", k, at)
			}
			if out, err := w.recover(); k > 0 && (err != nil || out.Live != swap.Old) {
				t.Fatalf("killed at %s: %v, %v", at, out, err)
			}
			w.ended(t, at, before)
		}
		if len(points) < 20 {
			t.Errorf("only %d points", len(points))
		}
	})
}
