package retention

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
)

var now = time.Date(2026, 4, 15, 3, 0, 0, 0, time.UTC)

func TestSimulate(t *testing.T) {
	// Two weeks of nightly snapshots, and a safety snapshot that leaves on its day.
	var have []Snapshot
	for n := range 14 {
		have = append(have, snapshot(time.Date(2026, 4, 2+n, 2, 0, 0, 0, time.UTC)))
	}
	safety := snapshot(time.Date(2026, 4, 15, 2, 30, 0, 0, time.UTC))
	safety.Tags = []string{manifest.PreRestore}
	have = append(have, safety)
	streams := Streams(have, now)
	if want := []Stream{{[]string{"db"}, Nightly, time.Date(2026, 4, 15, 2, 0, 0, 0, time.UTC)}}; !cmp.Equal(want, streams) {
		t.Fatal(cmp.Diff(want, streams))
	}
	months, err := Simulate(have, streams, Classic(), now, Duration{Months: 9})
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) time.Time { return at(t, s).ID.Time() }
	want := []Month{
		// 24 to 30 April, the Sundays 5, 12, 19 (26 is a day of the seven); the first was before 2 April.
		{"2026-04", 15, 10, day("2026-04-05")},
		// 25 to 31 May, the Sundays 10, 17, 24 (31), the first of May.
		{"2026-05", 31, 11, day("2026-05-01")},
		{"2026-06", 30, 12, day("2026-05-01")},
		{"2026-07", 31, 13, day("2026-05-01")},
		{"2026-08", 31, 14, day("2026-05-01")},
		{"2026-09", 30, 15, day("2026-05-01")},
		{"2026-10", 31, 16, day("2026-05-01")},
		{"2026-11", 30, 16, day("2026-06-01")},
		{"2026-12", 31, 16, day("2026-07-01")},
		{"2027-01", 15, 16, day("2026-08-01")},
	}
	if diff := cmp.Diff(want, months); diff != "" {
		t.Error(diff)
	}
	if have[0].ID.Time() != day("2026-04-02") {
		t.Error("the caller's snapshots were changed")
	}
}

func TestSimulateRefuses(t *testing.T) {
	streams := Streams(nil, now)
	if _, err := Simulate(nil, streams, Policy{}, now, Duration{Years: 1}); err == nil {
		t.Error("an empty policy is simulated")
	}
	if _, err := Simulate(nil, streams, Classic(), now, Duration{Years: 200}); err == nil {
		t.Error("two centuries are simulated")
	}
	if _, err := Simulate(nil, []Stream{{Components: []string{"db"}}}, Classic(), now, Duration{Years: 1}); err == nil {
		t.Error("a stream without an interval is simulated")
	}
}

func TestStreams(t *testing.T) {
	full := func(s Snapshot) Snapshot { s.Components = []string{"db", "chroma"}; return s }
	hours := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
	var have []Snapshot
	for n := range 100 {
		have = append(have, snapshot(hours(n)))
	}
	have = append(have, full(snapshot(hours(1))), full(snapshot(hours(25))), full(snapshot(hours(51)))) // one was late
	gone := snapshot(hours(24 * 30))
	gone.Components = []string{"old"}
	doubtful := snapshot(hours(0))
	doubtful.Components, doubtful.Doubt = []string{"x"}, "unreadable"
	future := snapshot(hours(-1))
	future.Components = []string{"y"}
	have = append(have, gone, doubtful, future)
	want := []Stream{{[]string{"db"}, time.Hour, hours(0)}, {[]string{"chroma", "db"}, 26 * time.Hour, hours(1)}}
	if diff := cmp.Diff(want, Streams(have, now)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Stream{{[]string{"old"}, Nightly, now.Add(-Nightly)}}, Streams([]Snapshot{gone}, now)); diff != "" {
		t.Error(diff)
	}
	byHand := []Snapshot{snapshot(now.Add(-time.Second)), snapshot(now)}
	if diff := cmp.Diff([]Stream{{[]string{"db"}, Nightly, now}}, Streams(byHand, now)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Stream{{[]string{"store"}, Nightly, now.Add(-Nightly)}}, Streams(nil, now)); diff != "" {
		t.Error(diff)
	}
}
