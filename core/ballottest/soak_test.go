package ballottest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seedOf is the first seed of a test: HOLDFAST_TEST_SEED, or a new one.
func seedOf(t *testing.T) uint64 {
	seed, err := strconv.ParseUint(os.Getenv("HOLDFAST_TEST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64() >> 16
	}
	t.Logf("HOLDFAST_TEST_SEED=%d", seed)
	return seed
}

// schedules is how many schedules a test plays: few in a test of the package, HOLDFAST_SOAK in a soak, or
// HOLDFAST_TEST_SCHEDULES.
func schedules(t *testing.T, few int) func(n int) bool {
	for _, name := range []string{"HOLDFAST_TEST_SCHEDULES", "HOLDFAST_SOAK"} {
		s := os.Getenv(name)
		if n, err := strconv.Atoi(s); err == nil {
			return func(m int) bool { return m < n }
		}
		if d, err := time.ParseDuration(s); err == nil {
			end := time.Now().Add(d)
			return func(int) bool { return time.Now().Before(end) }
		}
		if s != "" {
			t.Fatalf("%s=%s is neither a number nor a duration", name, s)
		}
	}
	return func(m int) bool { return m < few }
}

// tally adds up what happened in many schedules.
type tally map[string]int

func (y tally) add(s *schedule) {
	y["schedules"]++
	y["steps"] += s.steps
	for what, n := range s.ledger.counts {
		y[what] += n
	}
}

func (y tally) String() string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(y)) {
		all = append(all, fmt.Sprintf("%s %d", what, y[what]))
	}
	return strings.Join(all, ", ")
}

// The protocol as it is loses nothing, neither in schedules of any style nor in those that look for one thing.
func TestModel(t *testing.T) {
	seed, more := seedOf(t), schedules(t, 120)
	tunes := []func(*style){nil, nil}
	for _, a := range ablations() {
		tunes = append(tunes, a.tune)
	}
	sum, began := tally{}, time.Now()
	for n := 0; more(n); n++ {
		seed := seed + uint64(n)
		g := game{sweep: clean, tune: tunes[seed%uint64(len(tunes))]}
		s := g.play(t, seed, false)
		if len(s.ledger.broken) > 0 {
			g.report(t, seed)
			break
		}
		sum.add(s)
	}
	t.Logf("%.0f schedules a second: %s", float64(sum["schedules"])/time.Since(began).Seconds(), sum)
}

// Without any one of its steps the protocol loses snapshots, and the model sees it; with it, the same schedules lose
// nothing.
func TestAblations(t *testing.T) {
	seed := seedOf(t)
	for _, a := range ablations() {
		if a.rare && os.Getenv("HOLDFAST_SOAK") == "" {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			g := a.game
			g.sweep = clean
			patience := patience
			if a.rare {
				patience *= 5
			}
			for n := range patience {
				s := g.play(t, seed+uint64(n), false)
				if len(s.ledger.broken) == 0 {
					continue
				}
				t.Logf("after %d schedules: %s", n+1, s.ledger.broken[0].what)
				honest := game{sweep: clean, tune: a.tune}
				if s := honest.play(t, s.seed, false); len(s.ledger.broken) > 0 {
					honest.report(t, s.seed)
				}
				return
			}
			t.Errorf("nothing was lost in %d schedules", patience)
		})
	}
}

// patience is how many schedules may go well without a step of the protocol.
const patience = 30000
