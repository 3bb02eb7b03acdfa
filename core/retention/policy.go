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
	for _, c := range p.Numbers() {
		if *c.N < 0 {
			return fmt.Errorf("retention: %s is %d; give the number of snapshots to keep, or leave it out", c.Name, *c.N)
		}
		rules += min(*c.N, 1)
	}
	for _, w := range p.Spans() {
		if err := w.Within.validate(); err != nil {
			return fmt.Errorf("retention: %s: %w", w.Name, err)
		}
		if *w.Within != (Duration{}) {
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
	for _, c := range p.Numbers() {
		switch {
		case *c.N == Unlimited:
			parts = append(parts, c.Name+" unlimited")
		case *c.N != 0:
			parts = append(parts, fmt.Sprintf("%s %d", c.Name, *c.N))
		}
	}
	for _, w := range p.Spans() {
		if *w.Within != (Duration{}) {
			parts = append(parts, w.Name+" "+w.Within.String())
		}
	}
	for _, list := range p.Tags {
		parts = append(parts, "tags "+strings.Join(list, "+"))
	}
	return strings.Join(parts, ", ")
}

// Number is a rule of a Policy that keeps so many.
type Number struct {
	Name string // as in a configuration, such as "daily"
	N    *int   // in the policy that was asked
	slot slot
}

// Numbers returns the rules of p that are numbers, in the order of its fields.
func (p *Policy) Numbers() []Number {
	return []Number{
		{"last", &p.Last, single},
		{"hourly", &p.Hourly, hour},
		{"daily", &p.Daily, day},
		{"weekly", &p.Weekly, week},
		{"monthly", &p.Monthly, month},
		{"yearly", &p.Yearly, year},
	}
}

// Span is a rule of a Policy that keeps what is within a duration.
type Span struct {
	Name   string    // as in a configuration, such as "within_daily"
	Within *Duration // in the policy that was asked
	slot   slot
}

// Spans returns the rules of p that are durations, in the order of its fields.
func (p *Policy) Spans() []Span {
	return []Span{
		{"within", &p.Within, single},
		{"within_hourly", &p.WithinHourly, hour},
		{"within_daily", &p.WithinDaily, day},
		{"within_weekly", &p.WithinWeekly, week},
		{"within_monthly", &p.WithinMonthly, month},
		{"within_yearly", &p.WithinYearly, year},
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
	for _, c := range p.Numbers() {
		if *c.N > 0 {
			rules = append(rules, rule{id: c.Name, n: *c.N, slot: c.slot, oldest: c.slot != single})
		}
	}
	for _, w := range p.Spans() {
		if *w.Within != (Duration{}) {
			rules = append(rules, rule{id: w.Name, n: Unlimited, slot: w.slot, within: *w.Within, oldest: w.slot != single})
		}
	}
	return rules
}
