package manifest

import (
	"bytes"
	"fmt"
	"time"
)

// Bounds of the small documents. MaxNoteBytes is the marker's as well.
const (
	MaxNoteBytes  = 64 << 10
	MaxDrillBytes = 4 << 20
)

// Note is the body of an intent, an expiry mark, a damage mark or a pin. Programs act on the key's
// presence; the body tells people who put it there and why. Only Until is acted upon.
type Note struct {
	Format int        `json:"format"`
	ID     ID         `json:"id"`
	At     time.Time  `json:"at"` // by its writer's clock, UTC
	Host   string     `json:"host"`
	Tool   string     `json:"tool"`
	Reason string     `json:"reason,omitempty"` // at most 500 bytes
	Until  *time.Time `json:"until,omitempty"`  // pins: when the hold ends
}

// Encode returns the note's bytes, in the same form as a manifest's.
func (n Note) Encode() ([]byte, error) {
	n.Format = Format
	if err := n.validate(); err != nil {
		return nil, fmt.Errorf("encode a note on %s: %w", n.ID, err)
	}
	return marshal(n)
}

// DecodeNote reads a note strictly; errors are *DecodeError. A note of another format is
// UnsupportedFormat, whatever else is in it; so is a drill's record to DecodeDrill.
func DecodeNote(b []byte) (Note, error) {
	var n Note
	if len(b) > MaxNoteBytes {
		return n, &DecodeError{TooLarge, fmt.Sprintf("note of %d bytes", len(b))}
	}
	if err := decodeStrict(b, &n); err != nil {
		return n, orOtherFormat(err, b)
	}
	if err := n.validate(); err != nil {
		return n, err
	}
	if again, err := marshal(n); err != nil || !bytes.Equal(again, b) {
		return n, &DecodeError{NotCanonical, "the note is not in its canonical form"}
	}
	return n, nil
}

func (n Note) validate() error {
	var v validator
	v.head(n.Format, n.ID, n.At, n.Host, n.Tool)
	v.text(n.Reason, maxText, "reason")
	if n.Until != nil {
		v.moment(*n.Until, "until")
	}
	return v.err
}

// head checks the members that all small documents begin with.
func (v *validator) head(format int, id ID, at time.Time, host, tool string) {
	if format != Format {
		v.err = otherFormat(int64(format))
	}
	v.id(id, "id")
	v.moment(at, "at")
	v.text(host, 255, "host")
	v.text(tool, 100, "tool")
}

// Drill is the record of a restore into a scratch directory.
type Drill struct {
	Format     int              `json:"format"`
	ID         ID               `json:"id"` // the snapshot that was restored
	At         time.Time        `json:"at"` // when it began, by its writer's clock, UTC
	Host       string           `json:"host"`
	Tool       string           `json:"tool"`
	Result     Result           `json:"result"`           // of the whole drill; never skipped
	Reason     string           `json:"reason,omitempty"` // why the result is not ok; at most 500 bytes
	TookMS     int64            `json:"took_ms"`          // from the first request to the last check, milliseconds
	Bytes      int64            `json:"bytes"`            // restored
	Components []DrillComponent `json:"components"`
}

// DrillComponent is one restored component.
type DrillComponent struct {
	Name   string  `json:"name"`
	Checks []Check `json:"checks"`
}

// Encode returns the record's bytes, in the same form as a manifest's.
func (d Drill) Encode() ([]byte, error) {
	d.Format = Format
	d = d.normal()
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("encode a drill of %s: %w", d.ID, err)
	}
	return marshal(d)
}

// DecodeDrill reads a drill's record strictly; errors are *DecodeError.
func DecodeDrill(b []byte) (Drill, error) {
	var d Drill
	if len(b) > MaxDrillBytes {
		return d, &DecodeError{TooLarge, fmt.Sprintf("drill's record of %d bytes", len(b))}
	}
	if err := decodeStrict(b, &d); err != nil {
		return d, orOtherFormat(err, b)
	}
	if err := d.validate(); err != nil {
		return d, err
	}
	if again, err := marshal(d.normal()); err != nil || !bytes.Equal(again, b) {
		return d, &DecodeError{NotCanonical, "the drill's record is not in its canonical form"}
	}
	return d, nil
}

// normal returns d with empty in place of nil collections.
func (d Drill) normal() Drill {
	d.Components = append([]DrillComponent{}, d.Components...)
	for i := range d.Components {
		d.Components[i].Checks = append([]Check{}, d.Components[i].Checks...)
	}
	return d
}

func (d Drill) validate() error {
	var v validator
	v.head(d.Format, d.ID, d.At, d.Host, d.Tool)
	v.check(d.Result == OK || d.Result == Failed || d.Result == Inconclusive, "result %q", d.Result)
	v.text(d.Reason, maxText, "reason")
	v.check(d.Result == OK || d.Reason != "", "result %s without a reason", d.Result)
	v.number(d.TookMS, 0, "took_ms")
	v.number(d.Bytes, 0, "bytes")
	v.check(len(d.Components) <= maxComponents, "%d components", len(d.Components))
	names := map[string]bool{}
	for _, c := range d.Components {
		v.check(ValidComponent(c.Name) && !names[c.Name], "component %q", c.Name)
		names[c.Name] = true
		v.checks(c.Checks, c.Name)
	}
	return v.err
}
