package backup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

// dice is randomness for many goroutines, from HOLDFAST_TEST_SEED or a new seed, which is printed. The
// schedule of the goroutines is not in it.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(t *testing.T) *dice {
	seed, err := strconv.ParseUint(os.Getenv("HOLDFAST_TEST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("HOLDFAST_TEST_SEED=%d", seed)
	return &dice{rng: rand.New(rand.NewPCG(seed, 0))}
}

// one is true once in n times.
func (d *dice) one(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n) == 0
}

// death is progress that may end who makes it.
type death func()

func (d death) Add(string, int64, int64) { d() }

// flaky loses the answers to some puts: of what took effect, and of what takes effect late. Some keys' are
// lost again and again, so that the outcome of the put, or even of the create, stays unknown.
func flaky(d *dice) memtarget.Hook {
	var again sync.Map
	return func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		_, lost := again.Load(key)
		if op != memtarget.Put || !lost && !d.one(10) {
			return f
		}
		if d.one(3) {
			again.Store(key, true)
		} else {
			again.Delete(key)
		}
		f.Err = &target.Error{Op: string(op), Key: key, Kind: target.KindUnavailable}
		f.Applied = d.one(2)
		f.Late = !f.Applied
		return f
	}
}

// Five writers at a time share a target that loses answers, and die at random. What is reported as
// committed is there and whole, and nothing else is; a create is left open only where its writer says so.
func TestWriters(t *testing.T) {
	const writers, rounds = 5, 5
	w := backuptest.New(t, "nas")
	d := newDice(t)
	w.Faults["nas"] = flaky(d)
	var mu sync.Mutex
	committed := map[manifest.ID]bool{}
	failed, open := 0, 0
	for round := range rounds {
		w.Exec(fmt.Sprintf("DELETE FROM items WHERE id = %d", round+1))
		var all sync.WaitGroup
		now := w.Now
		for i := range writers {
			w.Now = now // all of them in one second
			o := w.Options()
			o.State = nil
			o.Staging = w.Path(fmt.Sprintf("staging/%d-%d", round, i))
			if err := os.Mkdir(o.Staging, 0o700); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			o.Progress = death(func() {
				if d.one(25) {
					cancel()
				}
			})
			all.Go(func() {
				defer cancel()
				r, err := backup.Run(ctx, o)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case r.Complete() && err == nil:
					committed[r.Targets[0].Manifest.ID] = true
				case err == nil:
					t.Errorf("not committed, and no error: %+v", r)
				default:
					failed++
					told := fmt.Sprint(err, r.Targets[0].Notes)
					if strings.Contains(told, "could not be found out") || strings.Contains(told, "intent stays") {
						open++
					}
				}
			})
		}
		all.Wait()
		w.Mem["nas"].Land()
	}
	w.Faults["nas"] = nil
	t.Logf("%d committed, %d failed, %d of those left open", len(committed), failed, open)

	intents := w.Keys(0, "/intents/")
	intents = slices.DeleteFunc(intents, func(key string) bool { // one that landed late has its ballot taken
		_, taken := w.Mem["nas"].Bytes(strings.Replace(key, "/intents/", "/manifests/", 1) + ".json")
		return taken
	})
	repo, view := w.View(0)
	snapshots, err := repo.Snapshots(t.Context(), view)
	if err != nil {
		t.Fatal(err)
	}
	unreported := 0
	for _, s := range snapshots {
		if s.Err != nil {
			t.Errorf("%s: %v", s.ID, s.Err)
		}
		if !committed[s.ID] {
			unreported++
		}
		delete(committed, s.ID)
	}
	if len(committed) > 0 || unreported+len(intents) > open {
		t.Errorf("reported and not there: %v; there and not reported: %d; open: %v; said to be open: %d", committed, unreported, intents, open)
	}
	if r := w.Validate(0, validate.Content); r.Damaged() || r.Inconclusive() {
		t.Errorf("%+v", r.Snapshots)
	}
	if err := os.RemoveAll(w.Path("staging")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.Path("staging"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.Good()
}
