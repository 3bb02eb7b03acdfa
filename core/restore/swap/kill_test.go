package swap_test

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/restore/swap"
)

// half checks a store in the middle of a swap: a database is there only on a whole generation, with the
// sidecars of that and no others. live are the trees of the whole generations.
func (w *world) half(t *testing.T, at string, generations ...tree) {
	t.Helper()
	db, err := os.ReadFile(w.path("data/db/app.db"))
	if err != nil || !strings.HasPrefix(string(db), magic) {
		return
	}
	live := w.live()
	for _, g := range generations {
		if maps.Equal(g, live) {
			return
		}
	}
	t.Fatalf("%s: the database can be opened on half a store: %s", at, cmp.Diff(generations[0], live))
}

// operation is something that can be killed, and how the world is made in which it is.
type operation struct {
	name string
	make func() *world
	run  func(*world) func() (*swap.Outcome, error)
}

func operations(fresh func() *world) []operation {
	done := func() *world {
		w := fresh()
		_, err := w.restore()
		must(err)
		w.write(tree{"data/db/app.db": magic + "written by the service", "data/db/app.db-wal": "log of the service", "data/db/app.db-journal": "", "data/chroma/cc/header.bin": "new segment"})
		return w
	}
	return []operation{
		{"restore", fresh, func(w *world) func() (*swap.Outcome, error) {
			return func() (*swap.Outcome, error) { return w.restore() }
		}},
		{"restore on a fresh host", func() *world {
			w := fresh()
			if len(w.mounts) == 0 {
				must(os.RemoveAll(w.path("data")))
			}
			return w
		}, func(w *world) func() (*swap.Outcome, error) {
			return func() (*swap.Outcome, error) { return w.restore() }
		}},
		{"second restore", done, func(w *world) func() (*swap.Outcome, error) {
			return func() (*swap.Outcome, error) { return w.restore() }
		}},
		{"the same again", func() *world {
			w := fresh()
			_, err := w.restore()
			must(err)
			return w
		}, func(w *world) func() (*swap.Outcome, error) {
			return func() (*swap.Outcome, error) { return w.restore() }
		}},
		{"undo", done, func(w *world) func() (*swap.Outcome, error) { return w.undo }},
		{"redo", func() *world {
			w := done()
			_, err := w.undo()
			must(err)
			return w
		}, func(w *world) func() (*swap.Outcome, error) { return w.undo }},
	}
}

// long asks for every pair of kills in every variant, as make soak does. Without it, two variants have
// every single kill and some pairs.
var long = os.Getenv("HOLDFAST_SOAK") != ""

// Killed at each point of a restore or undo, and at points of the recover that follows, a store is in the
// end as before or as after, to the last byte, mode, owner and left-over.
func TestKilledEverywhere(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		for _, o := range operations(fresh) {
			w := o.make()
			if !long && len(w.mounts) != 0 && (len(w.mounts) != 3 || o.name != "restore" && o.name != "undo") {
				continue
			}
			before, beforeLive := w.look("."), w.live()
			points := w.points(t, o.run(w))
			after, afterLive := w.look("."), w.live()
			begun := time.Now()
			ends := map[swap.Generation]int{}
			kills := 0
			for k := range points {
				for second := -1; long || second < 1 && (second < 0 || k%4 == 0); second++ {
					w := o.make()
					w.killAt(k)
					_, at, err := w.attempt(o.run(w))
					if at == "" {
						t.Fatalf("%s: point %d was not reached: %v", o.name, k, err)
					}
					kills++
					at = o.name + " killed at " + at
					w.half(t, at, beforeLive, afterLive)
					again := ""
					if second >= 0 {
						n := second
						if !long {
							n = k * 31 % 53 // somewhere else each time
						}
						w.killAt(n)
						if _, again, _ = w.attempt(w.recover); again == "" {
							break // it has fewer points
						}
						kills++
						at += ", its recover at " + again
						w.half(t, at, beforeLive, afterLive)
					}
					out, err := w.recover()
					if err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
						t.Fatalf("%s: %v", at, err)
					}
					live := swap.Old
					if maps.Equal(w.ended(t, at, before, after), after) {
						live = swap.New
					}
					if out != nil && out.Live != live {
						t.Fatalf("%s: the store is %s, and it says %s", at, live, out.Live)
					}
					ends[live]++
				}
			}
			if len(points) < 60 || ends[swap.Old] < 10 || ends[swap.New] < 10 {
				t.Errorf("%s: only %d points, %v", o.name, len(points), ends)
			}
			t.Logf("%s: %d points, %d kills, ended %v, %v", o.name, len(points), kills, ends, time.Since(begun))
		}
	})
}
