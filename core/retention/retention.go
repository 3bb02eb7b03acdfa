// Package retention decides which snapshots of a set are kept, and says why. It is pure: it opens
// nothing, deletes nothing and knows the time only as an argument.
//
// Start with [Plan]. It takes what is known of every snapshot of one set in one target, a [Policy] and
// the time, and returns a [Decision] with its reasons for each, kept and dropped alike. [Simulate] walks a
// policy into the future; [Policy.Validate] refuses one that says nothing.
//
// # Rules
//
// Rules are joined by "or": what any rule keeps is kept. Hours, days, ISO weeks (Monday to Sunday,
// year and week together: 2027-01-03 lies in 2026-W53), months and years are those of UTC, and only those
// count that have a snapshot.
//
//   - [Classic] is the policy of the tool that this one replaces: the newest snapshot of each of the last 7
//     days, of each of the last 4 Sundays and of each of the last 6 firsts of a month.
//   - The other rules follow what restic documents of its forget command (https://restic.readthedocs.io,
//     "Removing snapshots according to a policy"): the last n; the newest of each of the last n hours, days,
//     weeks, months, years, and while there are fewer of those than n, the oldest snapshot besides; all, or
//     the newest of each hour and so on, within a duration before the latest snapshot; and those that carry
//     all tags of a list.
//
// A rule is applied to every component set on its own: a snapshot is measured against those snapshots
// only that hold every component that it holds. So hourly snapshots without a component never displace
// the nightly ones that have it, and a full one displaces partial ones of its slot.
//
// # What displaces nothing
//
// A good snapshot is displaced, or pushed out of the last n, by good ones alone. One that is suspect or
// degraded is displaced by a newer good one in its slot, and leaves when n newer slots are filled by
// whatever; it displaces nothing itself, and so stands beside what a slot has anyway.
//
// These are kept whatever the policy says, and the first three fill no slot:
//
//   - snapshots whose stamp lies more than 5 minutes in the future
//   - those that could not be judged ([Snapshot.Doubt])
//   - safety snapshots (tag pre-restore), for 14 days from their stamp
//   - pinned ones; they fill slots as any other, so that unpinning changes nothing else
//   - the newest good one of every component set that no newer good one holds, and where there is no good
//     one, the newest. When nothing but safety snapshots is good, the newest good of them.
//
// # Promises
//
// What is kept, or dropped, does not depend on the order of the snapshots. Plan on what it kept keeps
// all of it at the same time, since to take a snapshot away never makes a rule drop another. A larger
// policy keeps all that the smaller one does. A snapshot that is good stays.
package retention

import (
	"cmp"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// MaxAhead is how far in the future a stamp may lie and still be believed.
const MaxAhead = 5 * time.Minute

// SafetyHold is how long a safety snapshot is kept, from its stamp.
const SafetyHold = 14 * 24 * time.Hour

// Snapshot is what a decision needs to know of one snapshot.
type Snapshot struct {
	ID         manifest.ID
	Components []string // their names
	Grade      manifest.Grade
	Tags       []string
	Held       bool   // pinned, and the pin has not run out
	Doubt      string // why it cannot be judged, such as an unreadable manifest; the other fields but ID then mean nothing
}

// Decision is what becomes of one snapshot, and why.
type Decision struct {
	ID      manifest.ID `json:"id"`
	Keep    bool        `json:"keep"`
	Reasons []Reason    `json:"reasons"` // at least one; of a dropped one why no rule keeps it
}

// Plan decides about the snapshots of one set in one target. The decisions are in the order of the
// ids, the oldest first. A policy that does not [Policy.Validate] keeps everything.
func Plan(snapshots []Snapshot, p Policy, now time.Time) []Decision {
	entries := newEntries(snapshots)
	causes := decide(entries, p, now)
	decisions := make([]Decision, 0, len(entries))
	for i, e := range slices.Backward(entries) {
		d := Decision{ID: e.ID, Keep: kept(causes[i])}
		for _, c := range causes[i] {
			if c.why.keeps() == d.Keep {
				d.Reasons = append(d.Reasons, c.reason(&e))
			}
		}
		decisions = append(decisions, d)
	}
	return decisions
}

// entry is a snapshot with what is asked of it again and again.
type entry struct {
	Snapshot
	at   time.Time
	good bool
}

// newEntries returns the snapshots from the newest to the oldest. The caller's are not changed.
func newEntries(snapshots []Snapshot) []entry {
	entries := make([]entry, 0, len(snapshots))
	for _, s := range snapshots {
		entries = append(entries, newEntry(s))
	}
	slices.SortStableFunc(entries, newestFirst)
	return entries
}

func newestFirst(a, b entry) int { return cmp.Compare(b.ID, a.ID) }

func newEntry(s Snapshot) entry {
	s.Components = slices.Clone(s.Components)
	slices.Sort(s.Components)
	s.Components = slices.Compact(s.Components)
	return entry{Snapshot: s, at: s.ID.Time(), good: s.Doubt == "" && s.Grade == manifest.Good}
}

func (e *entry) safety() bool { return slices.Contains(e.Tags, manifest.PreRestore) }

// covers reports whether e has every one of the components, which are sorted as its own are.
func (e *entry) covers(components []string) bool {
	if len(components) > len(e.Components) {
		return false
	}
	i := 0
	for _, c := range components {
		for i < len(e.Components) && e.Components[i] < c {
			i++
		}
		if i == len(e.Components) || e.Components[i] != c {
			return false
		}
	}
	return true
}
