package manifest

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Bounds of facts.
const (
	MaxNames     = 1 << 16 // tables of a database, collections or migration directories of a Chroma directory
	MaxNameBytes = 1024
	// MaxFactsBytes bounds what Fit leaves, encoded; it is also what an encrypted index has room for.
	MaxFactsBytes = 4 << 20
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

// facts checks the facts of a component of that kind.
func (v *validator) facts(kind Kind, f *Facts, field string) {
	if f == nil {
		v.check(false, "%s: there are none", field)
		return
	}
	v.check((f.SQLite != nil) == (kind == SQLite) && (f.File != nil) == (kind == File) && (f.Chroma != nil) == (kind == Chroma),
		"%s of kind %s", field, kind)
	if s := f.SQLite; s != nil {
		v.check(validPageSize(s.PageSize), "%s.page_size %d", field, s.PageSize)
		v.number(s.UserVersion, -1<<31, field+".user_version")
		v.number(s.ApplicationID, -1<<31, field+".application_id")
		v.check(validVersion(s.UserVersion) && validVersion(s.ApplicationID), "%s: user_version %d, application_id %d", field, s.UserVersion, s.ApplicationID)
		v.check(validJournal(s.Journal), "%s.journal %q", field, s.Journal)
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

func validCount(n int64) bool   { return n >= 0 && n <= MaxInt }
func validVersion(n int64) bool { return n >= -1<<31 && n < 1<<32 }
func validJournal(s string) bool {
	return s == "" || s == "wal" || s == "rollback"
}

func validPageSize(n int) bool { return n == 0 || n >= 512 && n <= 65536 && n&(n-1) == 0 }

func fitting(name string) bool { return len(name) <= MaxNameBytes && utf8.ValidString(name) }
