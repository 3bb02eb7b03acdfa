package retention

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
)

// Unlimited as a number of snapshots, hours, days and so on means all of them.
const Unlimited = math.MaxInt

// Policy says which snapshots are wanted. It is either Classic, or one or more of the other rules; a
// zero number, duration or list is no rule. The zero Policy wants nothing and is not valid.
type Policy struct {
	Classic bool `json:"classic,omitempty"` // 7 days, 4 Sundays, 6 firsts of a month

	Last    int `json:"last,omitempty"`    // the newest so many
	Hourly  int `json:"hourly,omitempty"`  // the newest of each of the last so many hours that have one
	Daily   int `json:"daily,omitempty"`   // ... days
	Weekly  int `json:"weekly,omitempty"`  // ... ISO weeks
	Monthly int `json:"monthly,omitempty"` // ... months
	Yearly  int `json:"yearly,omitempty"`  // ... years

	Within        Duration `json:"within,omitzero"`         // all that are younger than that, counted from the latest
	WithinHourly  Duration `json:"within_hourly,omitzero"`  // of those the newest of each hour
	WithinDaily   Duration `json:"within_daily,omitzero"`   // ... day
	WithinWeekly  Duration `json:"within_weekly,omitzero"`  // ... ISO week
	WithinMonthly Duration `json:"within_monthly,omitzero"` // ... month
	WithinYearly  Duration `json:"within_yearly,omitzero"`  // ... year

	Tags [][]string `json:"tags,omitempty"` // those that carry every tag of one of the lists
}

// Classic is the policy when none is configured.
func Classic() Policy { return Policy{Classic: true} }

// Validate refuses a policy that keeps nothing, has a negative number or duration, contradicts itself or
// names what cannot be a tag.
func (p Policy) Validate() error {
	rules := 0
	for _, c := range p.counts() {
		if c.n < 0 {
			return fmt.Errorf("retention: %s is %d; give the number of snapshots to keep, or leave it out", c.name, c.n)
		}
		rules += min(c.n, 1)
	}
	for _, w := range p.durations() {
		if err := w.within.validate(); err != nil {
			return fmt.Errorf("retention: %s: %w", w.name, err)
		}
		if w.within != (Duration{}) {
			rules++
		}
	}
	for _, list := range p.Tags {
		if len(list) == 0 {
			return errors.New("retention: tags: an empty list of tags would match every snapshot")
		}
		for _, tag := range list {
			if !manifest.ValidTag(tag) {
				return fmt.Errorf("retention: tags: %q cannot be a tag", tag)
			}
		}
		rules++
	}
	switch {
	case p.Classic && rules > 0:
		return errors.New("retention: classic is a whole policy; with other rules spell out what to keep")
	case !p.Classic && rules == 0:
		return errors.New("retention: the policy keeps nothing; give at least one rule a number above zero")
	}
	return nil
}

// String returns the policy in one line, such as "daily 7, within 30d".
func (p Policy) String() string {
	if p.Classic {
		return "classic (7 days, 4 Sundays, 6 firsts of a month)"
	}
	var parts []string
	for _, c := range p.counts() {
		switch {
		case c.n == Unlimited:
			parts = append(parts, c.name+" unlimited")
		case c.n != 0:
			parts = append(parts, fmt.Sprintf("%s %d", c.name, c.n))
		}
	}
	for _, w := range p.durations() {
		if w.within != (Duration{}) {
			parts = append(parts, w.name+" "+w.within.String())
		}
	}
	for _, list := range p.Tags {
		parts = append(parts, "tags "+strings.Join(list, "+"))
	}
	return strings.Join(parts, ", ")
}

type count struct {
	name string
	n    int
	slot slot
}

func (p Policy) counts() []count {
	return []count{
		{"last", p.Last, single},
		{"hourly", p.Hourly, hour},
		{"daily", p.Daily, day},
		{"weekly", p.Weekly, week},
		{"monthly", p.Monthly, month},
		{"yearly", p.Yearly, year},
	}
}

type duration struct {
	name   string
	within Duration
	slot   slot
}

func (p Policy) durations() []duration {
	return []duration{
		{"within", p.Within, single},
		{"within_hourly", p.WithinHourly, hour},
		{"within_daily", p.WithinDaily, day},
		{"within_weekly", p.WithinWeekly, week},
		{"within_monthly", p.WithinMonthly, month},
		{"within_yearly", p.WithinYearly, year},
	}
}

// rules returns the policy's rules but for the tags.
func (p Policy) rules() []rule {
	if p.Classic {
		return []rule{
			{id: "daily", n: 7, slot: day},
			{id: "sunday", n: 4, slot: sunday},
			{id: "first_of_month", n: 6, slot: first},
		}
	}
	var rules []rule
	for _, c := range p.counts() {
		if c.n > 0 {
			rules = append(rules, rule{id: c.name, n: c.n, slot: c.slot, oldest: c.slot != single})
		}
	}
	for _, w := range p.durations() {
		if w.within != (Duration{}) {
			rules = append(rules, rule{id: w.name, n: Unlimited, slot: w.slot, within: w.within, oldest: w.slot != single})
		}
	}
	return rules
}
