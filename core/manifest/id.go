package manifest

import (
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"time"
)

// stampLayout is the time part of an ID: UTC, whole seconds.
const stampLayout = "20060102T150405Z"

// ID names a snapshot: the moment of its capture as a UTC stamp, a hyphen and eight hexadecimal
// digits drawn at random, as in 20260411T094646Z-7f3a9c01. IDs order by time when compared as strings.
// The zero value is no ID.
type ID string

var idForm = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$`)

// NewID returns the ID of a capture at t, with randomness from rand.
func NewID(t time.Time, rand io.Reader) (ID, error) {
	var b [4]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("draw a snapshot id: %w", err)
	}
	return ParseID(t.UTC().Format(stampLayout) + "-" + hex.EncodeToString(b[:]))
}

// ParseID accepts exactly what NewID makes, with a stamp that is a real moment from 1970 on, and nothing else.
func ParseID(s string) (ID, error) {
	if !idForm.MatchString(s) {
		return "", fmt.Errorf("%q is not a snapshot id", s)
	}
	t, err := time.Parse(stampLayout, s[:len(stampLayout)])
	if err != nil {
		return "", fmt.Errorf("%q is not a snapshot id: %w", s, err)
	}
	if t.Year() < 1970 {
		return "", fmt.Errorf("%q is not a snapshot id: it lies before 1970", s)
	}
	return ID(s), nil
}

// Time is the moment in the ID, to the second, in UTC; the zero time when id is no valid ID.
func (id ID) Time() time.Time {
	if _, err := ParseID(string(id)); err != nil {
		return time.Time{}
	}
	t, _ := time.Parse(stampLayout, string(id[:len(stampLayout)]))
	return t
}

var (
	setForm       = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	componentForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
)

// ValidSet reports whether s can name a set.
func ValidSet(s string) bool { return setForm.MatchString(s) }

// ValidComponent reports whether s can name a component.
func ValidComponent(s string) bool { return componentForm.MatchString(s) }
