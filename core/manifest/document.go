package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// requires lists the words that this version understands in a marker, which a marker of format 1 must have.
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
	if len(b) > MaxNoteBytes {
		return Marker{}, &DecodeError{TooLarge, fmt.Sprintf("marker of %d bytes", len(b))}
	}
	// Another format may have other fields, and fields of other types: look at the number before being strict.
	if err := orOtherFormat(nil, b); err != nil {
		return Marker{}, err
	}
	var words struct {
		Requires []string `json:"requires"`
	}
	if err := json.Unmarshal(b, &words); err == nil {
		for _, word := range words.Requires {
			if !slices.Contains(requires, word) {
				return Marker{}, &DecodeError{UnsupportedFormat, fmt.Sprintf("the repository requires %q, which this version does not know", word)}
			}
		}
	}
	var k Marker
	if err := decodeStrict(b, &k); err != nil {
		return Marker{}, err
	}
	if k.Format != Format || !hex32.MatchString(k.Repository) || !slices.Equal(k.Requires, requires) {
		return Marker{}, &DecodeError{InvalidValue, "not a marker of a holdfast repository"}
	}
	if !bytes.Equal(k.Encode(), b) {
		return Marker{}, &DecodeError{NotCanonical, "the marker is not in its canonical form"}
	}
	return k, nil
}

// Tombstone returns what stands in a manifest's place when its create was revoked.
func Tombstone(id ID) []byte {
	return fmt.Appendf(nil, "{\"format\":1,\"id\":%q,\"revoked\":true}\n", string(id))
}

// IsTombstone reports whether b is the tombstone of id.
func IsTombstone(b []byte, id ID) bool { return bytes.Equal(b, Tombstone(id)) }

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
