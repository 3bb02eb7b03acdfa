package retention

import (
	"fmt"
	"time"
)

// slot is a kind of interval of the calendar. A rule keeps the newest snapshot of each.
type slot int

const (
	single slot = iota // every snapshot is a slot of its own
	hour
	day
	week // ISO 8601
	month
	year
	sunday // a day that is a Sunday; others are in no slot
	first  // a day that is the first of its month
)

// key returns a number that is the same for all moments in one slot and grows from slot to slot; ok is
// false when t is in no slot. n is the place of the snapshot among all, for single.
func (s slot) key(t time.Time, n int) (key int64, ok bool) {
	t = t.UTC()
	days := func() int64 { return int64(t.Year())*1000 + int64(t.YearDay()) }
	switch s {
	case hour:
		return days()*24 + int64(t.Hour()), true
	case day:
		return days(), true
	case week:
		y, w := t.ISOWeek()
		return int64(y)*100 + int64(w), true
	case month:
		return int64(t.Year())*100 + int64(t.Month()), true
	case year:
		return int64(t.Year()), true
	case sunday:
		return days(), t.Weekday() == time.Sunday
	case first:
		return days(), t.Day() == 1
	}
	return -int64(n), true // the newest is 0
}

// label names the slot that t is in.
func (s slot) label(t time.Time) string {
	t = t.UTC()
	switch s {
	case hour:
		return t.Format("2006-01-02T15")
	case week:
		y, w := t.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", y, w)
	case month:
		return t.Format("2006-01")
	case year:
		return t.Format("2006")
	}
	return t.Format(time.DateOnly)
}

// plural is what a rule counts.
func (s slot) plural() string {
	return [...]string{"snapshots", "hours", "days", "weeks", "months", "years", "Sundays", "firsts of a month"}[s]
}

// rule keeps the newest snapshot of each of the last n slots, within a duration when there is one.
type rule struct {
	id     string
	n      int
	slot   slot
	within Duration
	oldest bool // while fewer than n slots are filled, the oldest snapshot as well
}

// name is the rule's in a text.
func (r *rule) name() string {
	switch r.slot {
	case sunday:
		return "Sunday"
	case first:
		return "first of the month"
	}
	return r.id
}

// apply judges the members of one component set. covering is every snapshot that fills slots and holds at
// least the set's components, as places in entries, newest first.
func (r *rule) apply(entries []entry, covering []int, member func(i int) bool, judged func(i int, c cause)) {
	oldest := -1
	for _, i := range covering {
		if r.oldest && entries[i].good {
			oldest = i
		}
	}
	var good, all tally
	for n, i := range covering {
		e := &entries[i]
		key, ok := r.slot.key(e.at, n)
		if !ok {
			continue
		}
		if all.add(key, e); member(i) {
			judged(i, r.judge(e, key, &good, &all, i == oldest))
		}
		if e.good {
			good.add(key, e)
		}
	}
}

// judge says whether the rule keeps e, whose slot is key. good has counted the good ones that are newer;
// all has counted everything that is newer, and e.
func (r *rule) judge(e *entry, key int64, good, all *tally, oldest bool) cause {
	c := cause{rule: r}
	latest, newer := all.latest, all.slots-1
	if e.good {
		newer = good.slots
		if latest = good.latest; latest == nil {
			latest = e
		}
	}
	switch {
	case r.within != (Duration{}) && !e.at.After(r.within.Before(latest.at)):
		c.why, c.by = outside, latest.ID
	case good.fills(key) && oldest && good.slots < r.n:
		c.why = oldestOne
	case good.fills(key):
		c.why, c.by = displaced, good.filler.ID
	case newer >= r.n:
		c.why = beyond
	default:
		c.why = filling
	}
	return c
}

// tally counts slots, from the newest on.
type tally struct {
	slots  int
	key    int64  // of the last one
	filler *entry // the newest in it
	latest *entry // the newest of all
}

func (t *tally) fills(key int64) bool { return t.slots > 0 && t.key == key }

func (t *tally) add(key int64, e *entry) {
	if t.latest == nil {
		t.latest = e
	}
	if !t.fills(key) {
		t.slots++
		t.key, t.filler = key, e
	}
}
