package retention

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/atocore/holdfast/core/manifest"
)

// documented says what a rule keeps of snapshots, newest first, in the words of restic's manual: "for the last n
// hours/days/... which have one or more snapshots, keep only the most recent one for each", within: "all snapshots
// made within the duration of the latest snapshot"; and while a rule is not exhausted it keeps the oldest, too.
func documented(times []time.Time, name string, n int, within Duration) (keep []int) {
	latest := times[0]
	from := time.Date(latest.Year()-within.Years, latest.Month()-time.Month(within.Months), latest.Day()-within.Days,
		latest.Hour()-within.Hours, latest.Minute(), latest.Second(), 0, time.UTC)
	label := func(i int) string {
		t := times[i]
		y, w := t.ISOWeek()
		return map[string]string{
			"hour": t.Format("2006-01-02 15"), "day": t.Format("2006-01-02"), "week": fmt.Sprint(y, "/", w),
			"month": t.Format("2006-01"), "year": t.Format("2006"), "": fmt.Sprint(i),
		}[name]
	}
	filled := map[string]bool{}
	for i := range times {
		if within != (Duration{}) && !times[i].After(from) {
			return keep
		}
		if !filled[label(i)] && len(filled) < n {
			filled[label(i)] = true
			keep = append(keep, i)
		}
	}
	if oldest := len(times) - 1; name != "" && len(filled) < n && !slices.Contains(keep, oldest) {
		keep = append(keep, oldest)
	}
	return keep
}

// Of good snapshots of one component set the rules keep what restic documents, and the newest in any case.
func TestRulesAreAsDocumented(t *testing.T) {
	slots := map[string]string{
		"last": "", "hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year",
		"within": "", "within_hourly": "hour", "within_daily": "day", "within_weekly": "week", "within_monthly": "month", "within_yearly": "year",
	}
	rapid.Check(t, func(t *rapid.T) {
		var p Policy
		for _, r := range p.Numbers() {
			*r.N = rapid.SampledFrom([]int{0, 0, 0, 1, 2, 5, 9}).Draw(t, r.Name)
		}
		for _, r := range p.Spans() {
			if rapid.IntRange(0, 3).Draw(t, r.Name) == 0 {
				part := func(most int, name string) int { return rapid.IntRange(0, most).Draw(t, name) }
				*r.Within = Duration{part(1, "years"), part(3, "months"), part(10, "days"), part(30, "hours")}
			}
		}
		if p.Validate() != nil {
			p.Last = 1
		}
		end := time.Date(2027, 1, 4, 0, 0, 0, 0, time.UTC) // behind a week 53
		at := end.Add(time.Duration(rapid.IntRange(0, 90*24*3600).Draw(t, "end")) * time.Second)
		step := rapid.SampledFrom([]int{1, 8, 30, 200, 900}).Draw(t, "hours")
		times, want := []time.Time{at}, map[manifest.ID]bool{snapshot(at).ID: true}
		have := []Snapshot{snapshot(at)}
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			at = at.Add(-time.Duration(rapid.IntRange(1, step*3600).Draw(t, "gap")) * time.Second)
			times, have = append(times, at), append(have, snapshot(at))
		}
		rule := func(name string, n int, within Duration) {
			for _, i := range documented(times, slots[name], n, within) {
				want[have[i].ID] = true
			}
		}
		for _, r := range p.Numbers() {
			if *r.N > 0 {
				rule(r.Name, *r.N, Duration{})
			}
		}
		for _, r := range p.Spans() {
			if *r.Within != (Duration{}) {
				rule(r.Name, Unlimited, *r.Within)
			}
		}
		for _, d := range Plan(have, p, times[0]) {
			if d.Keep != want[d.ID] {
				t.Errorf("%s, of %d from %v: %s is kept: %v, %v", p, len(have), times[0], d.ID, d.Keep, d.Reasons)
			}
		}
	})
}
