package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Identifiers of decoding errors; the test vectors use them.
const (
	TooLarge          = "too_large"
	TooDeep           = "too_deep"
	InvalidUTF8       = "invalid_utf8"
	Syntax            = "syntax"
	DuplicateField    = "duplicate_field"
	CaseVariant       = "case_variant"
	UnknownField      = "unknown_field"
	WrongType         = "wrong_type"
	OutOfRange        = "out_of_range"
	TrailingData      = "trailing_data"
	NotCanonical      = "not_canonical"
	InvalidValue      = "invalid_value"
	UnsupportedFormat = "unsupported_format"
	BadSignature      = "bad_signature_block"
	DigestMismatch    = "digest_mismatch"
)

// DecodeError says why bytes are not a manifest or another document of a repository.
type DecodeError struct {
	ID      string // one of the identifiers above
	Message string
}

func (e *DecodeError) Error() string { return e.ID + ": " + e.Message }

// Encode returns the one encoding of m: pretty JSON, a newline at its end. It fails when m is not valid.
func Encode(m *Manifest) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("encode manifest %s: %w", m.ID, err)
	}
	b, err := encode(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest %s: %w", m.ID, err)
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("encode manifest %s: %w", m.ID, &DecodeError{TooLarge, fmt.Sprintf("%d bytes", len(b))})
	}
	return b, nil
}

// document is a manifest as it is written: its last member is the SHA-256 of the document as it is
// while that member is "". So a bit that flips where any value would do is noticed, too.
type document struct {
	*Manifest
	Digest string `json:"digest"`
}

// digestEnd is what follows the digest's digits.
const digestEnd = "\"\n}\n"

func encode(m *Manifest) ([]byte, error) {
	c := *m
	c.Components = append([]Component{}, m.Components...)
	for i := range c.Components {
		p := &c.Components[i]
		p.Index = append([]Object{}, p.Index...)
		p.Volumes = append([]Volume{}, p.Volumes...)
		p.Checks = append([]Check{}, p.Checks...)
		p.Facts = p.Facts.normal()
	}
	b, err := marshal(document{Manifest: &c})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	b = append(b[:len(b)-len(digestEnd)], hex.EncodeToString(sum[:])...)
	return append(b, digestEnd...), nil
}

// normal returns f with empty in place of nil collections, which JSON would show as null.
func (f *Facts) normal() *Facts {
	if f == nil {
		return nil
	}
	n := *f
	if n.SQLite != nil && n.SQLite.Rows == nil {
		s := *n.SQLite
		s.Rows, n.SQLite = map[string]int64{}, &s
	}
	if n.Chroma != nil {
		c := *n.Chroma
		if c.Migrations == nil {
			c.Migrations = map[string]int64{}
		}
		c.Collections = append([]Collection{}, c.Collections...)
		n.Chroma = &c
	}
	return &n
}

// Decode reads a manifest strictly: what Encode would not write, to the byte, is an error, always a
// *DecodeError. A signature block behind the document is split off and not looked at. A document of
// another format is UnsupportedFormat, whatever else is in it.
func Decode(b []byte) (*Manifest, error) {
	if len(b) > MaxBytes {
		return nil, &DecodeError{TooLarge, fmt.Sprintf("%d bytes, at most %d", len(b), MaxBytes)}
	}
	body, _, err := Split(b)
	if err != nil {
		return nil, orOtherFormat(err, b)
	}
	d := document{Manifest: new(Manifest)}
	if err := decodeStrict(body, &d); err != nil {
		return nil, orOtherFormat(err, body)
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if !hex64.MatchString(d.Digest) {
		return nil, &DecodeError{InvalidValue, fmt.Sprintf("invalid digest %q", d.Digest)}
	}
	again, err := encode(d.Manifest)
	if err != nil {
		return nil, &DecodeError{InvalidValue, err.Error()}
	}
	switch digits := len(again) - len(digestEnd) - len(d.Digest); {
	case bytes.Equal(again, body):
		return d.Manifest, nil
	case len(body) == len(again) && bytes.Equal(again[:digits], body[:digits]):
		return nil, &DecodeError{DigestMismatch, "the document does not have the digest that it gives: it was changed"}
	}
	return nil, &DecodeError{NotCanonical, "the document is not in its canonical form"}
}

// Split separates a document from its signature block: an empty line, then lines that each begin
// with an em dash and a space (the signature lines of the signed-note format). Without a block,
// signatures is empty. The signatures are made over exactly the bytes of body.
func Split(b []byte) (body, signatures []byte, err error) {
	i := bytes.LastIndex(b, []byte("\n\n"))
	if i < 0 {
		return b, nil, nil
	}
	body, signatures = b[:i+1], b[i+2:]
	lines := strings.SplitAfter(string(signatures), "\n")
	if lines[len(lines)-1] != "" || len(lines) < 2 || len(lines) > 17 || len(signatures) > 16<<10 {
		return nil, nil, &DecodeError{BadSignature, "what follows the empty line is no signature block"}
	}
	for _, l := range lines[:len(lines)-1] {
		if !strings.HasPrefix(l, "\u2014 ") || !utf8.ValidString(l) {
			return nil, nil, &DecodeError{BadSignature, fmt.Sprintf("%q is no signature line", l)}
		}
	}
	return body, signatures, nil
}

// decodeStrict decodes one JSON document into v, refusing everything that encoding/json lets pass.
func decodeStrict(b []byte, v any) error {
	if len(b) > MaxBytes {
		return &DecodeError{TooLarge, fmt.Sprintf("%d bytes, at most %d", len(b), MaxBytes)}
	}
	if !utf8.Valid(b) {
		return &DecodeError{InvalidUTF8, "the document is not UTF-8"}
	}
	if err := scan(b); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong) && wholeNumber(wrong.Value):
			return &DecodeError{OutOfRange, fmt.Sprintf("%s: %s", wrong.Field, wrong.Value)}
		case errors.As(err, &wrong):
			return &DecodeError{WrongType, fmt.Sprintf("%s: %s", wrong.Field, wrong.Value)}
		case strings.Contains(err.Error(), "unknown field"):
			return &DecodeError{UnknownField, strings.TrimPrefix(err.Error(), "json: ")}
		}
		return &DecodeError{WrongType, err.Error()}
	}
	return nil
}

// orOtherFormat returns err, for which b was refused, unless b is a JSON object that gives another number
// as its format: such a document may have any members, and what this version says of them means nothing.
func orOtherFormat(err error, b []byte) error {
	var members map[string]json.RawMessage
	var format int64
	if len(b) > MaxBytes || json.NewDecoder(bytes.NewReader(b)).Decode(&members) != nil ||
		json.Unmarshal(members["format"], &format) != nil || format == Format {
		return err
	}
	return otherFormat(format)
}

func otherFormat(format int64) error {
	return &DecodeError{UnsupportedFormat, fmt.Sprintf("format %d; this version reads format %d: use a version that knows it", format, Format)}
}

// scan walks the tokens of one document: depth, duplicate and case-variant names, trailing data.
func scan(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	type level struct {
		names map[string]string // folded name -> name; nil in an array
		value bool              // in an object: the next token is a value
	}
	var stack []level
	for {
		tok, err := d.Token()
		if err != nil {
			return &DecodeError{Syntax, fmt.Sprintf("at byte %d: %v", d.InputOffset(), unexpected(err))}
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil && tok != json.Delim('}') {
			top := &stack[n-1]
			if !top.value {
				name := tok.(string)
				folded := foldASCII(name)
				if was, seen := top.names[folded]; seen {
					if was == name {
						return &DecodeError{DuplicateField, fmt.Sprintf("%q twice in one object", name)}
					}
					return &DecodeError{CaseVariant, fmt.Sprintf("%q and %q in one object", was, name)}
				}
				if len(top.names) == maxMembers {
					return &DecodeError{TooLarge, fmt.Sprintf("more than %d members in one object", maxMembers)}
				}
				top.names[folded] = name
				top.value = true
				continue
			}
			top.value = false
		}
		switch tok {
		case nil:
			return &DecodeError{WrongType, fmt.Sprintf("null at byte %d", d.InputOffset())}
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]string{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
		if len(stack) > MaxDepth {
			return &DecodeError{TooDeep, fmt.Sprintf("more than %d levels", MaxDepth)}
		}
		if len(stack) == 0 {
			break
		}
	}
	if rest := b[d.InputOffset():]; len(bytes.Trim(rest, " \t\r\n")) != 0 {
		return &DecodeError{TrailingData, fmt.Sprintf("%d bytes after the document", len(rest))}
	}
	return nil
}

// wholeNumber reports whether encoding/json describes a value that is an integer, but none that fits.
func wholeNumber(value string) bool {
	n, ok := strings.CutPrefix(value, "number ")
	return ok && !strings.ContainsAny(n, ".eE")
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}
