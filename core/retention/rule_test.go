package retention

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
)

// Each case is moments of good snapshots of one component set, and those that the policy keeps.
func TestRules(t *testing.T) {
	tests := []struct {
		name       string
		policy     Policy
		have, keep string
	}{
		{
			"the ends of a day",
			Policy{Daily: 2},
			"2026-04-10T00:00:00 2026-04-10T23:59:59 2026-04-11T00:00:00 2026-04-11T23:59:59",
			"2026-04-10T23:59:59 2026-04-11T23:59:59",
		},
		{
			"days without a snapshot do not count",
			Policy{Daily: 2},
			"2026-01-01T02:00:00 2026-01-05T02:00:00 2026-04-10T02:00:00",
			"2026-01-05T02:00:00 2026-04-10T02:00:00",
		},
		{
			"hours",
			Policy{Hourly: 2},
			"2026-04-10T09:00:00 2026-04-10T09:59:59 2026-04-10T10:00:00 2026-04-10T10:30:00 2026-04-09T10:30:00",
			"2026-04-10T09:59:59 2026-04-10T10:30:00",
		},
		{
			"the same hour of two days",
			Policy{Hourly: 2},
			"2026-04-08T09:30:00 2026-04-09T10:30:00 2026-04-10T10:30:00", "2026-04-09T10:30:00 2026-04-10T10:30:00",
		},
		{
			"week 53 spans the year",
			Policy{Weekly: 2},
			"2026-12-27T02:00:00 2026-12-28T02:00:00 2026-12-31T02:00:00 2027-01-01T02:00:00 2027-01-03T23:59:59 2027-01-04T00:00:00",
			"2027-01-03T23:59:59 2027-01-04T00:00:00",
		},
		{
			"week 1 begins in the old year",
			Policy{Weekly: 1},
			"2025-12-28T02:00:00 2025-12-29T02:00:00 2026-01-04T02:00:00", "2026-01-04T02:00:00",
		},
		{
			"a leap day",
			Policy{Monthly: 2, Daily: 1},
			"2028-02-28T02:00:00 2028-02-29T02:00:00 2028-03-01T02:00:00", "2028-02-29T02:00:00 2028-03-01T02:00:00",
		},
		{
			"years",
			Policy{Yearly: 2},
			"2024-12-31T23:59:59 2025-01-01T00:00:00 2025-12-31T23:59:59 2026-01-01T00:00:00", "2025-12-31T23:59:59 2026-01-01T00:00:00",
		},
		{
			"the oldest stays while there are too few",
			Policy{Monthly: 3},
			"2026-02-02T02:00:00 2026-02-10T02:00:00 2026-03-10T02:00:00 2026-03-11T02:00:00",
			"2026-02-02T02:00:00 2026-02-10T02:00:00 2026-03-11T02:00:00",
		},
		{
			"and goes when there are enough",
			Policy{Monthly: 2},
			"2026-02-02T02:00:00 2026-02-10T02:00:00 2026-03-10T02:00:00", "2026-02-10T02:00:00 2026-03-10T02:00:00",
		},
		{
			"the last",
			Policy{Last: 2},
			"2026-04-10T01:00:00 2026-04-10T02:00:00 2026-04-10T03:00:00", "2026-04-10T02:00:00 2026-04-10T03:00:00",
		},
		{
			"more than there are",
			Policy{Last: 9},
			"2026-04-10T01:00:00 2026-04-10T02:00:00", "2026-04-10T01:00:00 2026-04-10T02:00:00",
		},
		{
			"within counts from the latest, not from now",
			Policy{Within: Duration{Days: 1, Hours: 2}},
			"2026-01-08T23:59:59 2026-01-09T00:00:00 2026-01-09T00:00:01 2026-01-10T02:00:00", "2026-01-09T00:00:01 2026-01-10T02:00:00",
		},
		{
			"a month before the end of March",
			Policy{Within: Duration{Months: 1}},
			"2026-03-01T02:00:00 2026-03-03T02:00:00 2026-03-03T02:00:01 2026-03-31T02:00:00", "2026-03-03T02:00:01 2026-03-31T02:00:00",
		},
		{
			"the newest of each day within",
			Policy{WithinDaily: Duration{Days: 2}},
			"2026-04-07T02:00:00 2026-04-08T03:00:00 2026-04-08T04:00:00 2026-04-09T02:00:00 2026-04-09T03:00:00 2026-04-10T02:00:00",
			"2026-04-08T04:00:00 2026-04-09T03:00:00 2026-04-10T02:00:00",
		},
		{
			"and the oldest within",
			Policy{WithinMonthly: Duration{Years: 1}},
			"2026-02-02T02:00:00 2026-02-10T02:00:00 2026-03-10T02:00:00", "2026-02-02T02:00:00 2026-02-10T02:00:00 2026-03-10T02:00:00",
		},
		{
			"rules are joined by or",
			Policy{Last: 1, Yearly: 2},
			"2025-04-10T02:00:00 2025-05-10T02:00:00 2026-01-01T02:00:00 2026-04-10T02:00:00", "2025-05-10T02:00:00 2026-04-10T02:00:00",
		},
		{
			"classic on a Sunday that is a first", Classic(),
			"2026-02-01T01:00:00 2026-02-01T02:00:00", "2026-02-01T02:00:00",
		},
		{
			"a Sunday counts by its own date", Classic(),
			"2026-04-04T23:59:59 2026-04-05T00:00:00 2026-04-06T00:00:00 2026-04-07T02:00:00 2026-04-08T02:00:00 2026-04-09T02:00:00" +
				" 2026-04-10T02:00:00 2026-04-11T02:00:00 2026-04-13T02:00:00",
			"2026-04-05T00:00:00 2026-04-06T00:00:00 2026-04-07T02:00:00 2026-04-08T02:00:00 2026-04-09T02:00:00" +
				" 2026-04-10T02:00:00 2026-04-11T02:00:00 2026-04-13T02:00:00",
		},
		{
			"one a Sunday for half a year",
			Policy{Daily: 4},
			"2019-09-01T11:00:00 2019-10-20T11:00:00 2019-10-27T11:00:00 2019-11-03T11:00:00 2019-11-10T11:00:00 2019-11-17T11:00:00",
			"2019-10-27T11:00:00 2019-11-03T11:00:00 2019-11-10T11:00:00 2019-11-17T11:00:00", // the example in restic's manual
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var have []Snapshot
			for moment := range strings.FieldsSeq(tt.have) {
				have = append(have, at(t, moment))
			}
			var kept []string
			for _, d := range Plan(have, tt.policy, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
				if d.Keep {
					kept = append(kept, d.ID.Time().Format("2006-01-02T15:04:05"))
				}
			}
			if diff := cmp.Diff(strings.Fields(tt.keep), kept); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.policy, diff)
			}
		})
	}
}

// like is a snapshot at a moment of 11 April with something changed.
func like(t *testing.T, hour string, change func(*Snapshot)) Snapshot {
	s := at(t, "2026-04-11T"+hour+":00:00")
	change(&s)
	return s
}

func safety(t *testing.T, moment string) Snapshot {
	s := at(t, moment)
	s.Tags = []string{manifest.PreRestore}
	return s
}

func TestWhatDisplacesWhat(t *testing.T) {
	grade := func(g manifest.Grade) func(*Snapshot) { return func(s *Snapshot) { s.Grade = g } }
	components := func(names ...string) func(*Snapshot) { return func(s *Snapshot) { s.Components = names } }
	tags := func(tags ...string) func(*Snapshot) { return func(s *Snapshot) { s.Tags = tags } }
	tests := []struct {
		name   string
		policy Policy
		have   []Snapshot
		want   []string
	}{
		{
			"a partial one does not displace a full one",
			Policy{Daily: 1},
			[]Snapshot{like(t, "02", components("chroma", "db")), like(t, "03", components("db")), like(t, "04", components("db"))},
			[]string{
				"04-11T02 true newest good with chroma, db; daily 2026-04-11",
				"04-11T03 false newer 20260411T040000Z-00000000 fills daily 2026-04-11",
				"04-11T04 true newest good with db; daily 2026-04-11",
			},
		},
		{
			"a full one displaces a partial one",
			Policy{Daily: 1},
			[]Snapshot{like(t, "02", components("db")), like(t, "03", components("chroma", "db"))},
			[]string{
				"04-11T02 false newer 20260411T030000Z-00000000 fills daily 2026-04-11",
				"04-11T03 true newest good with chroma, db; daily 2026-04-11",
			},
		},
		{
			"suspect and degraded ones stand beside",
			Policy{Daily: 1},
			[]Snapshot{like(t, "02", grade(manifest.Suspect)), like(t, "03", grade(manifest.Good)), like(t, "04", grade(manifest.Degraded)), like(t, "05", grade(manifest.Suspect))},
			[]string{
				"04-11T02 false newer 20260411T030000Z-00000000 fills daily 2026-04-11",
				"04-11T03 true newest good with db; daily 2026-04-11",
				"04-11T04 true daily 2026-04-11 (degraded: displaces none)",
				"04-11T05 true daily 2026-04-11 (suspect: displaces none)",
			},
		},
		{
			"suspect ones push no good one out",
			Policy{Last: 1},
			[]Snapshot{like(t, "02", grade(manifest.Suspect)), like(t, "03", grade(manifest.Good)), like(t, "04", grade(manifest.Suspect)), like(t, "05", grade(manifest.Suspect))},
			[]string{
				"04-11T02 false older than the last 1",
				"04-11T03 true newest good with db; last 1",
				"04-11T04 false older than the last 1",
				"04-11T05 true last 1 (suspect: displaces none)",
			},
		},
		{
			"pinned ones fill slots",
			Policy{Daily: 1},
			[]Snapshot{like(t, "02", grade(manifest.Good)), like(t, "03", func(s *Snapshot) { s.Held = true })},
			[]string{
				"04-11T02 false newer 20260411T030000Z-00000000 fills daily 2026-04-11",
				"04-11T03 true pinned; newest good with db; daily 2026-04-11",
			},
		},
		{
			"safety snapshots fill none and are held 14 days",
			Policy{Daily: 1},
			[]Snapshot{safety(t, "2026-04-01T02:59:59"), safety(t, "2026-04-01T03:00:00"), like(t, "02", grade(manifest.Good)), like(t, "03", tags(manifest.PreRestore))},
			[]string{
				"04-01T02 false safety snapshot, held until 2026-04-15T02:59:59Z",
				"04-01T03 false safety snapshot, held until 2026-04-15T03:00:00Z",
				"04-11T02 true newest good with db; daily 2026-04-11",
				"04-11T03 true safety snapshot, held until 2026-04-25T03:00:00Z",
			},
		},
		{
			"tags",
			Policy{Tags: [][]string{{"a", "b"}, {"c"}}},
			[]Snapshot{like(t, "02", tags("a", "b")), like(t, "03", tags("a")), like(t, "04", tags("c")), like(t, "05", tags(manifest.PreRestore, "c")), like(t, "06", tags())},
			[]string{
				"04-11T02 true carries a, b",
				"04-11T03 false no rule of the policy speaks of it: tags a+b, tags c",
				"04-11T04 true carries c",
				"04-11T05 true carries c; safety snapshot, held until 2026-04-25T05:00:00Z",
				"04-11T06 true newest good with db",
			},
		},
		{
			"without a good one the newest stays",
			Policy{Tags: [][]string{{"a"}}},
			[]Snapshot{like(t, "02", grade(manifest.Degraded)), like(t, "03", grade(manifest.Suspect))},
			[]string{
				"04-11T02 false no rule of the policy speaks of it: tags a",
				"04-11T03 true newest with db; there is no good one",
			},
		},
		{
			"doubtful ones and the future",
			Policy{Last: 1},
			[]Snapshot{like(t, "02", func(s *Snapshot) { s.Doubt = "damaged manifest" }), at(t, "2026-04-15T03:05:00"), at(t, "2026-04-15T03:05:01")},
			[]string{
				"04-11T02 true cannot be judged: damaged manifest",
				"04-15T03 true newest good with db; last 1",
				"04-15T03 true stamp lies in the future",
			},
		},
		{
			"within",
			Policy{Within: Duration{Hours: 2}},
			[]Snapshot{like(t, "02", grade(manifest.Good)), like(t, "03", grade(manifest.Good)), like(t, "04", grade(manifest.Good)), like(t, "06", grade(manifest.Suspect))},
			[]string{
				"04-11T02 false not within 2h of 20260411T040000Z-00000000",
				"04-11T03 true within 2h",
				"04-11T04 true newest good with db; within 2h",
				"04-11T06 true within 2h (suspect: displaces none)",
			},
		},
		{
			"a policy of nothing",
			Policy{},
			[]Snapshot{like(t, "02", grade(manifest.Good)), like(t, "03", grade(manifest.Good))},
			[]string{
				"04-11T02 true retention: the policy keeps nothing; give at least one rule a number above zero",
				"04-11T03 true retention: the policy keeps nothing; give at least one rule a number above zero",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, reasons(Plan(tt.have, tt.policy, now))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// When nothing else is good, the newest good safety snapshot outlives its hold.
func TestTheOnlyGoodOneIsASafetySnapshot(t *testing.T) {
	old, newer, suspect := safety(t, "2026-01-01"), safety(t, "2026-01-02"), at(t, "2026-01-03")
	suspect.Grade = manifest.Suspect
	if diff := cmp.Diff([]string{"2026-01-02", "2026-01-03"}, keptDays(Plan([]Snapshot{old, newer, suspect}, Policy{Last: 1}, now))); diff != "" {
		t.Error(diff)
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		policy Policy
		want   string // in the error; "": valid
	}{
		{Classic(), ""},
		{Policy{Last: Unlimited}, ""},
		{Policy{Within: Duration{Hours: 1}}, ""},
		{Policy{Tags: [][]string{{"a"}}}, ""},
		{Policy{}, "keeps nothing"},
		{Policy{Daily: -1, Last: 3}, "daily is -1"},
		{Policy{Classic: true, Daily: 7}, "classic is a whole policy"},
		{Policy{Classic: true, Tags: [][]string{{"a"}}}, "classic is a whole policy"},
		{Policy{WithinDaily: Duration{Days: -1}}, "within_daily: a duration is not negative"},
		{Policy{Within: Duration{Years: 10_001}}, "within: more than 10000"},
		{Policy{Tags: [][]string{{}}}, "empty list of tags"},
		{Policy{Tags: [][]string{{"A"}}}, `"A" cannot be a tag`},
	} {
		err := tt.policy.Validate()
		if got := ""; err != nil {
			got = err.Error()
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%+v: %s", tt.policy, got)
			}
		} else if tt.want != "" {
			t.Errorf("%+v is valid", tt.policy)
		}
	}
	if got, want := (Policy{Last: 1, Yearly: Unlimited, Within: Duration{1, 2, 3, 4}, Tags: [][]string{{"a", "b"}}}).String(), "last 1, yearly unlimited, within 1y2m3d4h, tags a+b"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]Duration{
		"1y2m3d4h": {1, 2, 3, 4}, "30d": {Days: 30}, "2y5m7d3h": {2, 5, 7, 3}, "0y1h": {Hours: 1}, "10000h": {Hours: 10000},
	} {
		got, err := ParseDuration(s)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
		if again, err := ParseDuration(got.String()); err != nil || again != want {
			t.Errorf("%s: String %s", s, got)
		}
	}
	for _, s := range []string{"", "d", "1", "1w", "1h1d", "1d1d", "-1d", "1.5d", " 1d", "1D", "10001d", "99999999999999999999d", "0d"} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("%q: %+v", s, d)
		}
	}
}
