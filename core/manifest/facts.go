package manifest

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of facts.
const (
	MaxNames     = 1 << 16 // tables of a database, collections or migration directories of a Chroma directory
	MaxNameBytes = 1024
)

// EncodeFacts returns the one encoding of a component's facts, as a sealed index holds them.
func EncodeFacts(kind Kind, f *Facts) ([]byte, error) {
	var v validator
	if v.facts(kind, f, "facts"); v.err != nil {
		return nil, fmt.Errorf("encode facts: %w", v.err)
	}
	return marshal(f.normal())
}

// DecodeFacts reads facts as strictly as Decode reads a manifest.
func DecodeFacts(kind Kind, b []byte) (*Facts, error) {
	f := new(Facts)
	if err := decodeStrict(b, f); err != nil {
		return nil, err
	}
	var v validator
	if v.facts(kind, f, "facts"); v.err != nil {
		return nil, v.err
	}
	if again, err := marshal(f.normal()); err != nil || !bytes.Equal(again, b) {
		return nil, &DecodeError{NotCanonical, "the facts are not in their canonical form"}
	}
	return f, nil
}

// Fit returns f without the names that the format has no room for: over-long ones, ones that are not
// UTF-8, ones that differ from another only in the case of ASCII letters, and, in their order, those
// beyond MaxNames. Facts are informative, so a strange store must not keep its snapshot from being made.
func (f *Facts) Fit() *Facts {
	f = f.normal()
	if f == nil {
		return nil
	}
	if s := f.SQLite; s != nil {
		s := *s
		s.Rows = fit(s.Rows)
		f.SQLite = &s
	}
	if c := f.Chroma; c != nil {
		c := *c
		c.Migrations = fit(c.Migrations)
		c.Collections = nil
		for _, o := range f.Chroma.Collections {
			if fitting(o.ID) && fitting(o.Name) && fitting(o.Metric) && len(c.Collections) < MaxNames {
				c.Collections = append(c.Collections, o)
			}
		}
		f.Chroma = &c
	}
	return f.normal()
}

func fit(m map[string]int64) map[string]int64 {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	out, seen := map[string]int64{}, map[string]bool{}
	for _, name := range names {
		if folded := foldASCII(name); fitting(name) && !seen[folded] && len(out) < MaxNames {
			out[name], seen[folded] = m[name], true
		}
	}
	return out
}

func fitting(name string) bool { return len(name) <= MaxNameBytes && utf8.ValidString(name) }

// ClipText makes s fit where a manifest or a note holds text of at most 500 bytes: an error's message, say.
// Control characters, newlines among them, become spaces.
func ClipText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText-len("...")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// facts checks the facts of a component of that kind.
func (v *validator) facts(kind Kind, f *Facts, field string) {
	if f == nil {
		v.check(false, "%s: there are none", field)
		return
	}
	v.check((f.SQLite != nil) == (kind == SQLite) && (f.File != nil) == (kind == File) && (f.Chroma != nil) == (kind == Chroma),
		"%s of kind %s", field, kind)
	if s := f.SQLite; s != nil {
		v.check(s.PageSize == 0 || s.PageSize >= 512 && s.PageSize <= 65536 && s.PageSize&(s.PageSize-1) == 0, "%s.page_size %d", field, s.PageSize)
		v.number(s.UserVersion, -1<<31, field+".user_version")
		v.number(s.ApplicationID, -1<<31, field+".application_id")
		v.check(s.UserVersion < 1<<32 && s.ApplicationID < 1<<32, "%s: user_version %d, application_id %d", field, s.UserVersion, s.ApplicationID)
		v.check(s.Journal == "" || s.Journal == "wal" || s.Journal == "rollback", "%s.journal %q", field, s.Journal)
		v.counts(s.Rows, field+".rows")
	}
	if s := f.File; s != nil {
		v.check(s.Format == "" || s.Format == "json", "%s.format %q", field, s.Format)
		v.number(s.Entries, 0, field+".entries")
	}
	if c := f.Chroma; c != nil {
		v.number(c.Members, 0, field+".members")
		v.counts(c.Migrations, field+".migrations")
		v.check(len(c.Collections) <= MaxNames, "%s: %d collections", field, len(c.Collections))
		for _, o := range c.Collections {
			v.check(fitting(o.ID) && fitting(o.Name) && fitting(o.Metric), "%s: collection %.100q, %.100q", field, o.ID, o.Name)
			v.number(o.Dimension, 0, field+": dimension of a collection")
			v.number(o.Count, 0, field+": count of a collection")
		}
	}
}

// counts checks an object of names and numbers.
func (v *validator) counts(m map[string]int64, field string) {
	v.check(len(m) <= MaxNames, "%s: %d names", field, len(m))
	folded := make(map[string]bool, len(m))
	for name, n := range m {
		f := foldASCII(name)
		v.check(fitting(name) && !folded[f], "%s: name %.100q", field, name)
		folded[f] = true
		v.number(n, 0, field)
	}
}
