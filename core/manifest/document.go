package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// requires lists the words that this version understands in a marker.
var requires = []string{"ballot-1"}

// Marker makes a prefix a repository.
type Marker struct {
	Format     int      `json:"format"`
	Repository string   `json:"repository"` // 32 hex digits, drawn at random by init
	Requires   []string `json:"requires"`   // what a reader or writer must know of to touch the repository
}

// NewMarker returns the marker of a new repository with that id.
func NewMarker(repository string) Marker {
	return Marker{Format: Format, Repository: repository, Requires: append([]string(nil), requires...)}
}

// Encode returns the marker's bytes: one line of compact JSON and a newline.
func (k Marker) Encode() []byte {
	b, err := json.Marshal(k)
	if err != nil {
		panic(err) // no field of a Marker can fail to encode
	}
	return append(b, '\n')
}

// DecodeMarker reads a marker. A format or a word in requires that this version does not know is a
// *DecodeError with ID UnsupportedFormat: the repository must then not be touched.
func DecodeMarker(b []byte) (Marker, error) {
	const most = 64 << 10
	if len(b) > most {
		return Marker{}, &DecodeError{TooLarge, fmt.Sprintf("marker of %d bytes", len(b))}
	}
	// A later format may have other fields: look at the number before being strict.
	var probe struct {
		Format   *int     `json:"format"`
		Requires []string `json:"requires"`
	}
	if err := json.Unmarshal(b, &probe); err == nil && probe.Format != nil {
		if *probe.Format != Format {
			return Marker{}, &DecodeError{UnsupportedFormat, fmt.Sprintf("repository format %d; this version knows format %d", *probe.Format, Format)}
		}
		for _, word := range probe.Requires {
			if !contains(requires, word) {
				return Marker{}, &DecodeError{UnsupportedFormat, fmt.Sprintf("the repository requires %q, which this version does not know", word)}
			}
		}
	}
	var k Marker
	if err := decodeStrict(b, &k); err != nil {
		return Marker{}, err
	}
	if k.Format != Format || !hex32.MatchString(k.Repository) || !contains(k.Requires, "ballot-1") {
		return Marker{}, &DecodeError{InvalidValue, "not a marker of a holdfast repository"}
	}
	if !bytes.Equal(k.Encode(), b) {
		return Marker{}, &DecodeError{NotCanonical, "the marker is not in its canonical form"}
	}
	return k, nil
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// Tombstone returns what stands in a manifest's place when its create was revoked.
func Tombstone(id ID) []byte {
	return fmt.Appendf(nil, "{\"format\":1,\"id\":%q,\"revoked\":true}\n", string(id))
}

// IsTombstone reports whether b is the tombstone of id.
func IsTombstone(b []byte, id ID) bool { return bytes.Equal(b, Tombstone(id)) }

// Note is the body of an intent, an expiry mark, a damage mark or a pin. Programs act on the key's
// presence; the body tells people who put it there and why. Only Until is acted upon.
type Note struct {
	Format int        `json:"format"`
	ID     ID         `json:"id"`
	At     time.Time  `json:"at"` // by its writer's clock, UTC
	Host   string     `json:"host"`
	Tool   string     `json:"tool"`
	Reason string     `json:"reason,omitempty"`
	Until  *time.Time `json:"until,omitempty"` // pins: when the hold ends
}

// Encode returns the note's bytes, in the same form as a manifest's.
func (n Note) Encode() ([]byte, error) {
	n.Format = Format
	return marshal(n)
}

// DecodeNote reads a note strictly.
func DecodeNote(b []byte) (Note, error) {
	var n Note
	if len(b) > 64<<10 {
		return n, &DecodeError{TooLarge, fmt.Sprintf("note of %d bytes", len(b))}
	}
	if err := decodeStrict(b, &n); err != nil {
		return n, err
	}
	if _, err := ParseID(string(n.ID)); err != nil || n.Format != Format {
		return n, &DecodeError{InvalidValue, "not a note of this format"}
	}
	if again, err := marshal(n); err != nil || !bytes.Equal(again, b) {
		return n, &DecodeError{NotCanonical, "the note is not in its canonical form"}
	}
	return n, nil
}

// Verdict is the whole content of an object in verdicts/: what was decided of a soft mark.
type Verdict string

// The verdicts. Whoever puts one second reads the winner and obeys.
const (
	Sweep Verdict = "sweep\n"
	Keep  Verdict = "keep\n"
)

// DecodeVerdict reads a verdict; anything but the two is an error.
func DecodeVerdict(b []byte) (Verdict, error) {
	switch v := Verdict(b); v {
	case Sweep, Keep:
		return v, nil
	}
	return "", &DecodeError{InvalidValue, "neither sweep nor keep"}
}
