package retention

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time by the calendar: a month before 31 May is 1 May, as package time has
// it (30 February is not there, so a month before 30 March is 2 March, or 1 March in a leap year).
type Duration struct{ Years, Months, Days, Hours int }

// maxPart bounds each part of a duration, so that no date that is made with it overflows.
const maxPart = 10_000

// ParseDuration reads years, months, days and hours, each once and in this order, such as 1y2m3d4h or 30d.
func ParseDuration(s string) (Duration, error) {
	var d Duration
	parts := []struct {
		unit string
		to   *int
	}{{"y", &d.Years}, {"m", &d.Months}, {"d", &d.Days}, {"h", &d.Hours}}
	rest := s
	for _, p := range parts {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || !strings.HasPrefix(rest[digits:], p.unit) {
			continue
		}
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n > maxPart {
			return Duration{}, fmt.Errorf("duration %q: %s%s is more than %d", s, rest[:digits], p.unit, maxPart)
		}
		*p.to, rest = n, rest[digits+1:]
	}
	if rest != "" || s == "" {
		return Duration{}, fmt.Errorf("%q is not a duration: write years, months, days and hours in this order, such as 1y2m3d4h or 30d", s)
	}
	if d == (Duration{}) {
		return Duration{}, fmt.Errorf("the duration %q is no time at all", s)
	}
	return d, nil
}

// String returns what ParseDuration reads.
func (d Duration) String() string {
	var b strings.Builder
	for _, p := range []struct {
		n    int
		unit byte
	}{{d.Years, 'y'}, {d.Months, 'm'}, {d.Days, 'd'}, {d.Hours, 'h'}} {
		if p.n != 0 {
			b.WriteString(strconv.Itoa(p.n))
			b.WriteByte(p.unit)
		}
	}
	return b.String()
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}

// Before returns the moment that lies the duration before t.
func (d Duration) Before(t time.Time) time.Time {
	return t.AddDate(-d.Years, -d.Months, -d.Days).Add(-time.Duration(d.Hours) * time.Hour)
}

// After returns the moment that lies the duration after t.
func (d Duration) After(t time.Time) time.Time {
	return t.AddDate(d.Years, d.Months, d.Days).Add(time.Duration(d.Hours) * time.Hour)
}

func (d Duration) validate() error {
	for _, n := range []int{d.Years, d.Months, d.Days, d.Hours} {
		if n < 0 {
			return errors.New("a duration is not negative")
		}
		if n > maxPart {
			return fmt.Errorf("more than %d of a unit", maxPart)
		}
	}
	return nil
}
