package manifest

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fit returns f as far as the format has room for it, so that it always encodes. What is left out: names
// that are over-long or not UTF-8, ones that differ from another only in the case of ASCII letters,
// names whose count is out of range, and, in their order, those beyond MaxNames or MaxFactsBytes. Other
// values out of range become 0 or "". Facts of no kind, or of several, are nil. Facts are informative,
// so a strange store must not keep its snapshot from being made.
func (f *Facts) Fit() *Facts {
	f = f.normal()
	if f == nil {
		return nil
	}
	left := room(MaxFactsBytes - 1024) // what is not names takes less
	switch {
	case f.SQLite != nil && f.File == nil && f.Chroma == nil:
		s := *f.SQLite
		s.PageSize = orZero(s.PageSize, validPageSize(s.PageSize))
		s.UserVersion = orZero(s.UserVersion, validVersion(s.UserVersion))
		s.ApplicationID = orZero(s.ApplicationID, validVersion(s.ApplicationID))
		s.Journal = orZero(s.Journal, validJournal(s.Journal))
		s.Rows = left.fit(s.Rows)
		return &Facts{SQLite: &s}
	case f.File != nil && f.SQLite == nil && f.Chroma == nil:
		s := *f.File
		s.Format = orZero(s.Format, s.Format == "json")
		s.Entries = orZero(s.Entries, validCount(s.Entries))
		return &Facts{File: &s}
	case f.Chroma != nil && f.SQLite == nil && f.File == nil:
		c := *f.Chroma
		c.Members = orZero(c.Members, validCount(c.Members))
		c.Migrations = left.fit(c.Migrations)
		c.Collections = []Collection{}
		for _, o := range f.Chroma.Collections {
			o.Dimension = orZero(o.Dimension, validCount(o.Dimension))
			if fitting(o.ID) && fitting(o.Name) && fitting(o.Metric) && validCount(o.Count) && len(c.Collections) < MaxNames && left.take(120, o.ID, o.Name, o.Metric) {
				c.Collections = append(c.Collections, o)
			}
		}
		return &Facts{Chroma: &c}
	}
	return nil
}

func (left *room) fit(m map[string]int64) map[string]int64 {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	out, seen := map[string]int64{}, map[string]bool{}
	for _, name := range names {
		folded := foldASCII(name)
		if fitting(name) && validCount(m[name]) && !seen[folded] && len(out) < MaxNames && left.take(24, name) {
			out[name], seen[folded] = m[name], true
		}
	}
	return out
}

// room is how many bytes facts may still take in their encoding.
type room int

// take takes what the names need as JSON, and the bytes around them.
func (left *room) take(around int, names ...string) bool {
	for _, name := range names {
		quoted, err := json.Marshal(name) // escapes more than marshal does
		if err != nil {
			return false
		}
		around += len(quoted)
	}
	if room(around) > *left {
		return false
	}
	*left -= room(around)
	return true
}

func orZero[T any](v T, valid bool) (zero T) {
	if valid {
		return v
	}
	return zero
}

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
