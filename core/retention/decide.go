package retention

import (
	"slices"
	"strings"
	"time"
)

// decide returns for each of the entries, which are newest first, why it is kept and why not. It is
// kept when any cause keeps it.
func decide(entries []entry, p Policy, now time.Time) [][]cause {
	causes := make([][]cause, len(entries))
	note := func(i int, c cause) { causes[i] = append(causes[i], c) }
	if err := p.Validate(); err != nil {
		for i := range entries {
			note(i, cause{why: noPolicy, text: err.Error()})
		}
		return causes
	}
	var slots, safety []int // those that fill slots, and the safety snapshots
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Doubt != "":
			note(i, cause{why: doubtful, text: e.Doubt})
			continue
		case e.at.After(now.Add(MaxAhead)):
			note(i, cause{why: future})
			continue
		}
		if e.Held {
			note(i, cause{why: pinned})
		}
		p.tagged(e, func(c cause) { note(i, c) })
		if !e.safety() {
			slots = append(slots, i)
			continue
		}
		safety = append(safety, i)
		if until := e.at.Add(SafetyHold); now.Before(until) {
			note(i, cause{why: safetyHeld, until: until})
		} else {
			note(i, cause{why: safetyOver, until: until})
		}
	}
	byPolicy(entries, slots, p, note)
	if newest := newestGood(entries, slots); newest < 0 {
		if newest = newestGood(entries, safety); newest >= 0 {
			note(newest, cause{why: newestGoodOne})
		}
	}
	for i := range entries {
		if len(causes[i]) == 0 {
			note(i, cause{why: noRule, text: p.String()})
		}
	}
	return causes
}

// byPolicy applies every rule to every component set of the snapshots that fill slots, and notes the
// newest of each.
func byPolicy(entries []entry, slots []int, p Policy, note func(int, cause)) {
	rules := p.rules()
	done := map[string]bool{}
	for _, s := range slots {
		set := entries[s].Components
		name := strings.Join(set, ",")
		if done[name] {
			continue
		}
		done[name] = true
		var covering []int
		for _, i := range slots {
			if entries[i].covers(set) {
				covering = append(covering, i)
			}
		}
		member := func(i int) bool { return slices.Equal(entries[i].Components, set) }
		if i := newestGood(entries, covering); i >= 0 {
			if member(i) {
				note(i, cause{why: newestGoodOne})
			}
		} else if member(covering[0]) {
			note(covering[0], cause{why: newestOfAll})
		}
		for n := range rules {
			rules[n].apply(entries, covering, member, note)
		}
	}
}

// newestGood returns the first good one of some, or -1.
func newestGood(entries []entry, some []int) int {
	for _, i := range some {
		if entries[i].good {
			return i
		}
	}
	return -1
}

// tagged notes each list of tags that e carries.
func (p Policy) tagged(e *entry, note func(cause)) {
	for _, list := range p.Tags {
		if !slices.ContainsFunc(list, func(tag string) bool { return !slices.Contains(e.Tags, tag) }) {
			note(cause{why: carries, text: strings.Join(list, ", ")})
		}
	}
}

func kept(causes []cause) bool {
	return slices.ContainsFunc(causes, func(c cause) bool { return c.why.keeps() })
}
