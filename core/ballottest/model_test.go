package ballottest

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/manifest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cleaner is one run of a cleanup.
type cleaner func(ctx context.Context, a *actor) error

// game is what all schedules of a run have in common.
type game struct {
	sweep cleaner
	lie   lie                            // nil: everybody is told the truth
	tune  func(*style)                   // nil: schedules are of any style
	blind bool                           // plans give up what anybody marked
	notes func(*schedule, []byte) []byte // nil: a notebook shows what was written
}

// play runs one schedule, until it is over or something is lost.
func (g game) play(t *testing.T, seed uint64, traced bool) (s *schedule) {
	synctest.Test(t, func(*testing.T) {
		s = newSchedule(seed, g)
		s.traced = traced
		s.mem.Set(manifest.MarkerKey, manifest.NewMarker(repositoryID).Encode())
		g.begin(s)
		s.run()
		if len(s.ledger.broken) == 0 {
			g.end(s)
		}
		s.kill()
	})
	return s
}

// begin makes some snapshots in peace, and then starts everybody.
func (g game) begin(s *schedule) {
	ctx := context.Background()
	s.calm = true
	s.start("past", func(a *actor) {
		for range 1 + a.dice.IntN(4) {
			if err := a.create(ctx); err != nil {
				a.ledger.violate("a create without faults: %v", err)
			}
		}
	})
	s.run()
	s.calm = false
	for range s.writers {
		s.start("writer", func(a *actor) {
			for range 1 + a.dice.IntN(5) {
				if a.wait("rest", "").dead {
					return
				}
				a.told("create", a.create(ctx))
			}
		})
	}
	for range s.cleanups {
		s.cleanup(&notebook{})
	}
	for range s.hands {
		s.start("hand", func(a *actor) { a.hand(ctx) })
	}
}

// cleanup starts a host that cleans up every now and then.
func (s *schedule) cleanup(n *notebook) {
	a := s.start("cleanup", func(a *actor) {
		for range 1 + a.dice.IntN(3) {
			if a.wait("rest", "").dead {
				return
			}
			a.runs++
			a.told("cleanup", s.sweep(context.Background(), a))
		}
	})
	a.notebook = n
	if s.notes != nil {
		n.read = func(b []byte) []byte { return s.notes(s, b) }
	}
}

// end lets everything die that is unfinished, lets what is late land or be lost, and sweeps.
func (g game) end(s *schedule) {
	old := &notebook{}
	for _, a := range s.actors {
		if a.dead = true; a.notebook != nil && s.chance(0.3) {
			old = a.notebook
		}
	}
	for len(s.late) > 0 {
		if s.chance(0.5) {
			s.land(0)
		} else {
			s.late = s.late[1:]
		}
	}
	s.calm, s.jumped = true, 0
	for range 2 {
		s.leap(25 * time.Hour)
		s.start("sweeper", func(a *actor) {
			a.notebook = old
			if err := g.sweep(context.Background(), a); err != nil {
				a.ledger.violate("a cleanup without faults: %v", err)
			}
		})
		s.run()
	}
	s.ledger.close()
}

// told records what an actor was told.
func (a *actor) told(what string, err error) {
	if err != nil {
		a.ledger.counts[what+" failed"]++
		a.log(a, "%s: %v", what, err)
		return
	}
	a.ledger.counts[what]++
	a.log(a, "%s: done", what)
}

// report plays a schedule that went wrong again, and shows its trace.
func (g game) report(t *testing.T, seed uint64) {
	t.Helper()
	s := g.play(t, seed, true)
	t.Errorf("repeat it with\n\tHOLDFAST_TEST_SEED=%d HOLDFAST_TEST_SCHEDULES=1 go test -tags sqlite_fts5 ./core/ballottest -run '^%s$'\n%s",
		seed, t.Name(), strings.Join(s.trace, "\n"))
}

// A seed is all that a schedule depends on.
func TestRepeats(t *testing.T) {
	seed := seedOf(t)
	g := game{sweep: clean}
	for n := range uint64(20) {
		a, b := g.play(t, seed+n, true).trace, g.play(t, seed+n, true).trace
		if len(a) < 50 {
			t.Errorf("seed %d: only %d steps", seed+n, len(a))
		}
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("seed %d:\n%s\nand then\n%s", seed+n, a[i], b[i])
			}
		}
	}
}

// honest reports whether no step of the protocol is left out.
func (g game) honest() bool { return g.lie == nil && g.notes == nil && !g.blind }
