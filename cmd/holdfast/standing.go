package main

import (
	"context"
	"fmt"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// standing is what marks and pins make of a snapshot, as list and show tell it.
type standing struct {
	Expiring bool        `json:"expiring"`                 // an expiry mark stands on it
	Standing string      `json:"standing"`                 // usable, marked, expired (being deleted), doubtful (a verdict cannot be read)
	Undelete *time.Time  `json:"undelete_until,omitempty"` // when the grace of its mark ends, by the target's clock
	Pins     []pinReport `json:"pins"`
}

// pinReport is a hold on a snapshot.
type pinReport struct {
	Until      *time.Time `json:"until,omitempty"` // absent: it has no end
	Reason     string     `json:"reason,omitempty"`
	Host       string     `json:"host,omitempty"`
	At         *time.Time `json:"at,omitempty"`         // when it was put
	Unreadable string     `json:"unreadable,omitempty"` // why nothing else is known; it holds all the same

	holds bool
}

// standingOf asks what stands in a listing.
func (a *app) standingOf(ctx context.Context, v *repository.View, pins repository.Pins, id manifest.ID) (standing, error) {
	s, err := v.Standing(ctx, id)
	if err != nil {
		return standing{}, err
	}
	out := standing{Expiring: s != repository.Usable, Standing: s.String(), Pins: []pinReport{}}
	if open := v.Open(id); s == repository.Marked && !open[0].At.IsZero() {
		until := open[0].At.Add(cleanup.Grace).UTC()
		out.Undelete = &until
	}
	for _, p := range pins[id] {
		r := pinReport{holds: p.Holds(a.now())}
		if p.Doubt != nil {
			r.Unreadable = p.Doubt.Error()
		} else {
			at := p.Note.At
			r.Until, r.Reason, r.Host, r.At = p.Note.Until, p.Note.Reason, p.Note.Host, &at
		}
		out.Pins = append(out.Pins, r)
	}
	return out, nil
}

// words are for people, one for the mark and one for each pin; none when there is nothing to say.
func (s standing) words() (out []string) {
	switch {
	case s.Undelete != nil:
		out = append(out, "expiring, undelete until "+local(*s.Undelete))
	case s.Standing == repository.Expired.String():
		out = append(out, "expired, being deleted")
	case s.Standing == repository.Doubtful.String():
		out = append(out, "expiring, but a verdict cannot be read")
	case s.Expiring:
		out = append(out, "expiring")
	}
	for _, p := range s.Pins {
		switch {
		case p.Unreadable != "":
			out = append(out, "pinned, by a pin that cannot be read")
		case !p.holds:
			out = append(out, fmt.Sprintf("pinned until %s, which is over", local(*p.Until)))
		case p.Until != nil:
			out = append(out, "pinned until "+local(*p.Until))
		default:
			out = append(out, "pinned")
		}
	}
	return out
}
