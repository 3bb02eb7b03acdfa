package retention

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/atocore/holdfast/core/manifest"
)

// drawSnapshots returns some of all kinds, crowded enough that they contend for slots. Rapid prints the
// seed of a failure.
func drawSnapshots(t *rapid.T) []Snapshot {
	sets := [][]string{{"db"}, {"chroma", "db"}, {"chroma", "db", "registry"}, {"registry"}}
	tags := [][]string{nil, nil, nil, {"release"}, {"a", "b"}, {manifest.PreRestore}, {manifest.PreRestore, "release"}}
	grades := []manifest.Grade{manifest.Good, manifest.Good, manifest.Good, manifest.Degraded, manifest.Suspect}
	doubts := []string{"", "", "", "", "", "", "", "unreadable"}
	step := rapid.SampledFrom([]int{3600, 6 * 3600, 24 * 3600, 11 * 24 * 3600}).Draw(t, "step")
	n := rapid.IntRange(0, 40).Draw(t, "n")
	snapshots := make([]Snapshot, n)
	for i := range snapshots {
		ago := rapid.IntRange(-2, 60).Draw(t, "ago") * step
		s := snapshot(now.Add(-time.Duration(ago+rapid.IntRange(0, 3).Draw(t, "s")) * time.Second))
		s.ID = s.ID[:17] + manifest.ID(fmt.Sprintf("%08x", i))
		s.Components = rapid.SampledFrom(sets).Draw(t, "set")
		s.Grade = rapid.SampledFrom(grades).Draw(t, "grade")
		s.Tags = rapid.SampledFrom(tags).Draw(t, "tags")
		s.Doubt = rapid.SampledFrom(doubts).Draw(t, "doubt")
		s.Held = rapid.IntRange(0, 9).Draw(t, "held") == 0
		snapshots[i] = s
	}
	return snapshots
}

func drawPolicy(t *rapid.T) Policy {
	if rapid.IntRange(0, 4).Draw(t, "classic") == 0 {
		return Classic()
	}
	return drawRules(t)
}

func drawRules(t *rapid.T) Policy {
	var p Policy
	for _, n := range p.Numbers() {
		*n.N = rapid.SampledFrom([]int{0, 0, 1, 2, 5, Unlimited}).Draw(t, n.Name)
	}
	for _, s := range p.Spans() {
		if rapid.IntRange(0, 3).Draw(t, s.Name) == 0 {
			*s.Within = Duration{Months: rapid.IntRange(0, 2).Draw(t, "months"), Days: rapid.IntRange(0, 40).Draw(t, "days"), Hours: rapid.IntRange(1, 30).Draw(t, "hours")}
		}
	}
	if rapid.Bool().Draw(t, "tagged") {
		p.Tags = [][]string{{"a", "b"}}
	}
	if p.Validate() != nil {
		p.Last = 1
	}
	return p
}

func keptIDs(decisions []Decision) map[manifest.ID]bool {
	ids := map[manifest.ID]bool{}
	for _, d := range decisions {
		if d.Keep {
			ids[d.ID] = true
		}
	}
	return ids
}

func TestDecisionsHaveReasons(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshots := drawSnapshots(t)
		decisions := Plan(snapshots, drawPolicy(t), now)
		if len(decisions) != len(snapshots) || !slices.IsSortedFunc(decisions, func(a, b Decision) int {
			return newestFirst(entry{Snapshot: Snapshot{ID: b.ID}}, entry{Snapshot: Snapshot{ID: a.ID}})
		}) {
			t.Fatalf("%d snapshots, decisions %+v", len(snapshots), decisions)
		}
		for _, d := range decisions {
			if len(d.Reasons) == 0 {
				t.Errorf("%+v has no reason", d)
			}
			for _, r := range d.Reasons {
				if r.ID == "" || r.Text == "" {
					t.Errorf("%+v has an empty reason", d)
				}
			}
		}
	})
}

// What was kept is kept by the next plan at the same time; indeed whatever else is taken away.
func TestIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshots, p := drawSnapshots(t), drawPolicy(t)
		kept := keptIDs(Plan(snapshots, p, now))
		fewer := slices.DeleteFunc(slices.Clone(snapshots), func(s Snapshot) bool {
			return !kept[s.ID] || rapid.IntRange(0, 5).Draw(t, "gone") == 0
		})
		for _, d := range Plan(fewer, p, now) {
			if !d.Keep {
				t.Errorf("%s was kept before: %v", d.ID, d.Reasons)
			}
		}
	})
}

// A larger policy keeps all that the smaller one keeps.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshots, small := drawSnapshots(t), drawRules(t)
		large := small
		more := large.Numbers()
		for i, n := range small.Numbers() {
			if grow := rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, n.Name); *n.N < Unlimited {
				*more[i].N = *n.N + grow
			}
		}
		for _, s := range large.Spans() {
			s.Within.Months += rapid.IntRange(0, 1).Draw(t, "months")
			s.Within.Days += rapid.IntRange(0, 20).Draw(t, "days")
		}
		if rapid.Bool().Draw(t, "release") {
			large.Tags = append(slices.Clone(small.Tags), []string{"release"})
		}
		kept := keptIDs(Plan(snapshots, large, now))
		for id := range keptIDs(Plan(snapshots, small, now)) {
			if !kept[id] {
				t.Errorf("%s keeps %s, %s does not", small, id, large)
			}
		}
	})
}

// Whatever is asked for, the newest good snapshot stays, for each component, and so do those of which
// nobody can say what they are worth.
func TestTheNewestGoodStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshots, p := drawSnapshots(t), drawPolicy(t)
		kept := keptIDs(Plan(snapshots, p, now))
		newest := map[string]manifest.ID{}
		var safety manifest.ID
		for _, s := range snapshots {
			pre := slices.Contains(s.Tags, manifest.PreRestore)
			future := s.ID.Time().After(now.Add(5 * time.Minute))
			age := now.Sub(s.ID.Time())
			switch {
			case (s.Doubt != "" || future || s.Held || pre && age < 14*24*time.Hour) && !kept[s.ID]:
				t.Errorf("%+v is dropped", s)
			case s.Doubt != "" || future || s.Grade != manifest.Good:
			case pre:
				safety = max(safety, s.ID)
			default:
				for _, c := range append(s.Components, "") {
					newest[c] = max(newest[c], s.ID)
				}
			}
		}
		for c, id := range newest {
			if !kept[id] {
				t.Errorf("%s, the newest good with %q, is dropped", id, c)
			}
		}
		if len(newest) == 0 && safety != "" && !kept[safety] {
			t.Errorf("%s, the only good one, is dropped", safety)
		}
	})
}

// Snapshots that are not good, safety snapshots, doubtful ones and those in the future change nothing for
// the good ones, but where those that are not good are all there is.
func TestOnlyGoodOnesDisplace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshots, p := drawSnapshots(t), drawPolicy(t)
		good := slices.DeleteFunc(slices.Clone(snapshots), func(s Snapshot) bool {
			return s.Grade != manifest.Good || s.Doubt != "" || slices.Contains(s.Tags, manifest.PreRestore) || s.ID.Time().After(now.Add(MaxAhead))
		})
		all := keptIDs(Plan(snapshots, p, now))
		for id := range keptIDs(Plan(good, p, now)) {
			if !all[id] {
				t.Errorf("%s is kept among good ones only", id)
			}
		}
	})
}

// The order and the components' order do not matter.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snapshots, p := drawSnapshots(t), drawPolicy(t)
		want := Plan(snapshots, p, now)
		shuffled := rapid.Permutation(snapshots).Draw(t, "order")
		for i := range shuffled {
			shuffled[i].Components = slices.Clone(shuffled[i].Components)
			slices.Reverse(shuffled[i].Components)
		}
		if got := Plan(shuffled, p, now); fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("want %v\ngot %v", want, got)
		}
	})
}
