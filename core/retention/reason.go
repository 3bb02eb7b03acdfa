package retention

import (
	"fmt"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Reason is one cause of a decision. The IDs are stable:
//
//	kept by a rule    last hourly daily weekly monthly yearly sunday first_of_month
//	                  within within_hourly within_daily within_weekly within_monthly within_yearly oldest tags
//	kept in any case  newest_good newest pinned safety future doubtful no_policy
//	dropped           displaced beyond outside safety_over no_rule
type Reason struct {
	ID   string      `json:"id"`
	Text string      `json:"text"`         // for people, such as "daily 2026-04-11"
	By   manifest.ID `json:"by,omitempty"` // displaced: the snapshot that fills the slot; outside: the one that time is counted from
}

// why is a kind of cause.
type why int

const (
	displaced why = iota
	beyond
	outside
	safetyOver
	noRule
	filling // this and all below keep
	oldestOne
	carries
	newestGoodOne
	newestOfAll
	pinned
	safetyHeld
	future
	doubtful
	noPolicy
)

func (w why) keeps() bool { return w >= filling }

// cause is a Reason before anybody reads it.
type cause struct {
	why   why
	rule  *rule       // of displaced, beyond, outside, filling, oldestOne
	by    manifest.ID // of displaced, outside
	until time.Time   // of safetyHeld, safetyOver
	text  string      // of carries, doubtful, noRule, noPolicy
}

// reason says it of e.
func (c cause) reason(e *entry) Reason {
	r := Reason{By: c.by}
	say := func(id, format string, args ...any) { r.ID, r.Text = id, fmt.Sprintf(format, args...) }
	switch c.why {
	case displaced:
		say("displaced", "newer %s fills %s %s", c.by, c.rule.name(), c.rule.slot.label(e.at))
	case beyond:
		say("beyond", "older than the last %d", c.rule.n)
		if c.rule.slot != single {
			say("beyond", "older than the last %d %s that have one", c.rule.n, c.rule.slot.plural())
		}
	case outside:
		say("outside", "not %s %s of %s", c.rule.name(), c.rule.within, c.by)
	case safetyOver:
		say("safety_over", "safety snapshot, held until %s", c.until.Format(time.RFC3339))
	case noRule:
		say("no_rule", "no rule of the policy speaks of it: %s", c.text)
	case filling:
		c.filling(e, say)
	case oldestOne:
		say("oldest", "oldest %s: fewer than %d %s have one", c.rule.name(), c.rule.n, c.rule.slot.plural())
		if c.rule.n == Unlimited {
			say("oldest", "oldest %s", c.rule.name())
		}
	case carries:
		say("tags", "carries %s", c.text)
	case newestGoodOne:
		say("newest_good", "newest good with %s", strings.Join(e.Components, ", "))
	case newestOfAll:
		say("newest", "newest with %s; there is no good one", strings.Join(e.Components, ", "))
	case pinned:
		say("pinned", "pinned")
	case safetyHeld:
		say("safety", "safety snapshot, held until %s", c.until.Format(time.RFC3339))
	case future:
		say("future", "stamp lies in the future")
	case doubtful:
		say("doubtful", "cannot be judged: %s", c.text)
	case noPolicy:
		say("no_policy", "%s", c.text)
	}
	return r
}

func (c cause) filling(e *entry, say func(id, format string, args ...any)) {
	text := c.rule.name()
	switch {
	case c.rule.within != (Duration{}) && c.rule.slot == single:
		text += " " + c.rule.within.String()
	case c.rule.within != (Duration{}):
		text += " " + c.rule.within.String() + ": " + c.rule.slot.label(e.at)
	case c.rule.slot == single:
		text += fmt.Sprintf(" %d", c.rule.n)
	default:
		text += " " + c.rule.slot.label(e.at)
	}
	if !e.good {
		text += fmt.Sprintf(" (%s: displaces none)", e.Grade)
	}
	say(c.rule.id, "%s", text)
}
