package retention

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Stream is snapshots of one component set that are expected at even intervals.
type Stream struct {
	Components []string
	Every      time.Duration
	Last       time.Time // the next comes Every after it
}

// Nightly is how often snapshots are expected where nothing tells.
const Nightly = 24 * time.Hour

// fewGaps is how many intervals tell a habit of more than one a night.
const fewGaps = 3

// Streams measures what a set is used to: one stream for every component set whose last snapshot is not
// overdue by more than a week and two of its intervals, at the median of its last 15 intervals, at least a
// minute. Fewer than four snapshots are taken for no more often than nightly: two made by hand are no habit. Safety snapshots, doubtful ones and those in the
// future say nothing. Without any snapshot that does there is one nightly stream, from now on.
func Streams(have []Snapshot, now time.Time) []Stream {
	times := map[string][]time.Time{} // newest first
	var sets [][]string
	for _, e := range newEntries(have) {
		if e.Doubt != "" || e.safety() || e.at.After(now) {
			continue
		}
		name := strings.Join(e.Components, ",")
		if times[name] == nil {
			sets = append(sets, e.Components)
		}
		times[name] = append(times[name], e.at)
	}
	var streams []Stream
	for _, set := range sets {
		at := times[strings.Join(set, ",")]
		every := interval(at[:min(len(at), 16)])
		if now.Sub(at[0]) <= 7*24*time.Hour+2*every {
			streams = append(streams, Stream{set, every, at[0]})
		}
	}
	if len(streams) == 0 {
		components := []string{"store"}
		if len(sets) > 0 {
			components = sets[0]
		}
		streams = []Stream{{components, Nightly, now.Add(-Nightly)}}
	}
	return streams
}

// interval is the median of the intervals between moments, which are newest first.
func interval(at []time.Time) time.Duration {
	var gaps []time.Duration
	for i := range len(at) - 1 {
		gaps = append(gaps, at[i].Sub(at[i+1]))
	}
	if len(gaps) == 0 {
		return Nightly
	}
	slices.Sort(gaps)
	least := time.Minute
	if len(gaps) < fewGaps {
		least = Nightly
	}
	return max(gaps[len(gaps)/2], least)
}

// Month is what a simulation shows of one month.
type Month struct {
	Month  string    `json:"month"`  // such as 2026-04
	Taken  int       `json:"taken"`  // snapshots that were made in it
	Kept   int       `json:"kept"`   // at its end, or at the end of the simulation
	Oldest time.Time `json:"oldest"` // stamp of the oldest of them
}

// maxSteps bounds a simulation: four years of hourly snapshots, and nightly ones for a century.
const maxSteps = 40_000

// Simulate walks a clock from now over the span, with a good snapshot whenever a stream has one and a cleanup
// after each, and shows the months. What a cleanup really deletes is a grace period behind. An error is a
// policy that does not validate, or too many snapshots to walk over.
func Simulate(have []Snapshot, streams []Stream, p Policy, now time.Time, span Duration) ([]Month, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	end := span.After(now)
	steps := 0
	next := make([]time.Time, len(streams))
	for i, s := range streams {
		if s.Every <= 0 {
			return nil, fmt.Errorf("simulate: an interval of %v", s.Every)
		}
		steps += int(min(end.Sub(now)/s.Every, maxSteps))
		next[i] = s.Last.Add(s.Every)
		if next[i].Before(now) { // it is late, and comes now
			next[i] = now
		}
	}
	if steps >= maxSteps {
		return nil, fmt.Errorf("simulate %s: more than %d snapshots would be made; choose a shorter time", span, maxSteps)
	}
	w := walk{policy: p, entries: newEntries(have)}
	w.cleanup(now)
	w.clock = now
	for {
		first := -1
		for i, at := range next {
			if !at.After(end) && (first < 0 || at.Before(next[first])) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		w.take(next[first], first, streams[first].Components)
		next[first] = next[first].Add(streams[first].Every)
	}
	w.turn(end)
	w.record(end)
	return w.months, nil
}

// walk is the state of a simulation.
type walk struct {
	policy  Policy
	entries []entry
	clock   time.Time
	taken   int // in the clock's month
	months  []Month
}

// take makes a snapshot and cleans up.
func (w *walk) take(at time.Time, stream int, components []string) {
	w.turn(at)
	w.taken++
	id := manifest.ID(fmt.Sprintf("%s-%08x", at.UTC().Format("20060102T150405Z"), stream))
	w.entries = slices.Insert(w.entries, 0, newEntry(Snapshot{ID: id, Components: components, Grade: manifest.Good}))
	slices.SortStableFunc(w.entries, newestFirst)
	w.cleanup(at)
}

// turn sets the clock forward and records every month that ends on the way.
func (w *walk) turn(to time.Time) {
	for {
		y, m, _ := w.clock.UTC().Date()
		next := time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
		if to.Before(next) {
			break
		}
		w.record(next.Add(-time.Second))
		w.clock = next
	}
	w.clock = to
}

// record cleans up and notes the month that at lies in.
func (w *walk) record(at time.Time) {
	w.cleanup(at)
	m := Month{Month: at.UTC().Format("2006-01"), Taken: w.taken, Kept: len(w.entries)}
	if m.Kept > 0 {
		m.Oldest = w.entries[m.Kept-1].at
	}
	w.months, w.taken = append(w.months, m), 0
}

func (w *walk) cleanup(now time.Time) {
	causes := decide(w.entries, w.policy, now)
	n := 0
	for i, e := range w.entries {
		if kept(causes[i]) {
			w.entries[n] = e
			n++
		}
	}
	w.entries = w.entries[:n]
}
