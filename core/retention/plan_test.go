package retention

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
)

// at returns a good snapshot of a database at a moment such as 2026-04-11 or 2026-04-11T09:46:46.
func at(t testing.TB, moment string) Snapshot {
	t.Helper()
	if !strings.Contains(moment, "T") {
		moment += "T02:00:00"
	}
	when, err := time.Parse("2006-01-02T15:04:05", moment)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot(when)
}

func snapshot(when time.Time) Snapshot {
	return Snapshot{ID: manifest.ID(when.UTC().Format("20060102T150405Z") + "-00000000"), Components: []string{"db"}, Grade: manifest.Good}
}

// keptDays returns the days of the kept ones.
func keptDays(decisions []Decision) (days []string) {
	for _, d := range decisions {
		if d.Keep {
			days = append(days, d.ID.Time().Format(time.DateOnly))
		}
	}
	return days
}

func reasons(decisions []Decision) (lines []string) {
	for _, d := range decisions {
		var texts []string
		for _, r := range d.Reasons {
			texts = append(texts, r.Text)
		}
		lines = append(lines, fmt.Sprintf("%s %t %s", d.ID.Time().Format("01-02T15"), d.Keep, strings.Join(texts, "; ")))
	}
	return lines
}

func TestClassic(t *testing.T) {
	// Every night at two from 2025-10-01 to 2026-04-15, a Wednesday.
	var nightly []Snapshot
	for when := time.Date(2025, 10, 1, 2, 0, 0, 0, time.UTC); when.Before(time.Date(2026, 4, 16, 0, 0, 0, 0, time.UTC)); when = when.AddDate(0, 0, 1) {
		nightly = append(nightly, snapshot(when))
	}
	now := time.Date(2026, 4, 15, 3, 0, 0, 0, time.UTC)
	want := strings.Fields("2025-11-01 2025-12-01 2026-01-01 2026-02-01 2026-03-01" + // firsts
		" 2026-03-22 2026-03-29 2026-04-01 2026-04-05" + // Sundays, and a first
		" 2026-04-09 2026-04-10 2026-04-11 2026-04-12 2026-04-13 2026-04-14 2026-04-15")
	if diff := cmp.Diff(want, keptDays(Plan(nightly, Classic(), now))); diff != "" {
		t.Error(diff)
	}
	// The order in which they are given does not matter, and is not changed.
	slices.Reverse(nightly)
	before := slices.Clone(nightly)
	if diff := cmp.Diff(want, keptDays(Plan(nightly, Classic(), now))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, nightly); diff != "" {
		t.Error(diff)
	}
}

func TestReasons(t *testing.T) {
	now := time.Date(2026, 4, 15, 3, 0, 0, 0, time.UTC)
	snapshots := []Snapshot{
		at(t, "2026-04-11T09:00:00"), at(t, "2026-04-11T10:00:00"), at(t, "2026-04-12T02:00:00"), at(t, "2026-04-13T02:00:00"), at(t, "2026-04-14T02:00:00"),
	}
	want := []string{
		"04-11T09 false newer 20260411T100000Z-00000000 fills daily 2026-04-11",
		"04-11T10 true daily 2026-04-11",
		"04-12T02 true daily 2026-04-12; Sunday 2026-04-12",
		"04-13T02 true daily 2026-04-13",
		"04-14T02 true newest good with db; daily 2026-04-14",
	}
	if diff := cmp.Diff(want, reasons(Plan(snapshots, Classic(), now))); diff != "" {
		t.Error(diff)
	}
}
