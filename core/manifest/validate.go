package manifest

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of a manifest. MaxInt is the greatest number that every JSON reader keeps exactly.
const (
	MaxBytes      = 64 << 20
	MaxDepth      = 64
	MaxInt        = 1<<53 - 1
	MinChunkSize  = 4096
	MaxChunkSize  = 65536
	MaxParts      = 1 << 16  // named parts of a stream: members of a tar
	MaxPartNames  = 16 << 20 // bytes of their names together
	maxComponents = 64
	maxVolumes    = 100000
	maxChecks     = 256
	maxMembers    = MaxNames // of any object: bounds what a decoder holds
	maxText       = 500      // bytes of a reason's message or a check's detail
)

var (
	tagForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}(=[ -~]{0,128})?$`)
	idWord  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// The forms of hashes, nonces and identifiers: a listing looks at a hundred of them in each of a thousand manifests.
const (
	hex16 hexForm = 16
	hex32 hexForm = 32
	hex64 hexForm = 64
)

// hexForm is how many lower-case hexadecimal digits there are, and nothing else.
type hexForm int

// MatchString reports whether s has the form.
func (f hexForm) MatchString(s string) bool {
	if len(s) != int(f) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// ValidTag reports whether s can be a tag: a name, or name=value.
func ValidTag(s string) bool { return tagForm.MatchString(s) }

// ValidReasonID reports whether s may be the identifier of a reason or a check.
func ValidReasonID(s string) bool { return idWord.MatchString(s) }

// validOrigin accepts an id and, for a folder of the original tool, a plain stamp.
func validOrigin(s string) bool {
	_, err := ParseID(s)
	if err != nil {
		_, err = ParseID(s + "-00000000")
	}
	return err == nil
}

// Validate checks every invariant of a manifest. The error is a *DecodeError with ID InvalidValue,
// UnsupportedFormat or OutOfRange.
func (m *Manifest) Validate() error {
	v := validator{}
	if m.Format != Format {
		return otherFormat(int64(m.Format))
	}
	v.match(hex32, m.Repository, "repository")
	v.check(ValidSet(m.Set), "set %q", m.Set)
	v.id(m.ID, "id")
	v.moment(m.CapturedAt, "captured_at")
	v.text(m.Host, 255, "host")
	v.text(m.Tool, 100, "tool")
	v.check(m.Tool != "", "tool is empty")
	if m.Parent != "" {
		v.id(m.Parent, "parent")
		v.check(m.Parent != m.ID, "the snapshot is its own parent")
	}
	if o := m.Origin; o != nil {
		v.check(o.Repository == "" || hex32.MatchString(o.Repository), "origin.repository %q", o.Repository)
		v.check(validOrigin(o.ID), "origin.id %q", o.ID)
		v.check(o.ManifestSHA256 == "" || hex64.MatchString(o.ManifestSHA256), "origin.manifest_sha256 %q", o.ManifestSHA256)
	}
	v.number(m.Sequence, 1, "sequence")
	v.match(hex16, m.Nonce, "nonce")
	v.check(len(m.Tags) <= 64, "%d tags", len(m.Tags))
	tags := map[string]bool{}
	for _, t := range m.Tags {
		v.check(ValidTag(t) && !tags[t], "tag %q", t)
		tags[t] = true
	}
	switch m.Grade {
	case Good:
	case Degraded, Suspect:
		v.check(len(m.Reasons) > 0, "grade %s without a reason", m.Grade)
	default:
		v.check(false, "grade %q", m.Grade)
	}
	v.check(len(m.Reasons) <= 1000, "%d reasons", len(m.Reasons))
	for _, r := range m.Reasons {
		v.check(r.Component == "" || ValidComponent(r.Component), "reason for component %q", r.Component)
		v.match(idWord, r.ID, "reason id")
		v.text(r.Message, maxText, "reason")
	}
	if e := m.Encryption; e != nil {
		v.check(e.Scheme == "age", "encryption scheme %q", e.Scheme)
		v.check(len(e.Recipients) > 0 && len(e.Recipients) <= 64, "%d recipients", len(e.Recipients))
		for _, r := range e.Recipients {
			v.check(r != "", "recipient: it is empty")
			v.text(r, 4096, "recipient")
		}
	}
	v.check(len(m.Components) > 0 && len(m.Components) <= maxComponents, "%d components", len(m.Components))
	names := map[string]bool{}
	for i := range m.Components {
		c := &m.Components[i]
		v.check(ValidComponent(c.Name) && !names[c.Name], "component %q", c.Name)
		names[c.Name] = true
		v.component(m, c)
	}
	return v.err
}

// validator keeps the first violation.
type validator struct{ err error }

func (v *validator) check(ok bool, format string, args ...any) {
	if !ok && v.err == nil {
		v.err = &DecodeError{InvalidValue, "invalid " + fmt.Sprintf(format, args...)}
	}
}

func (v *validator) match(form interface{ MatchString(string) bool }, s, field string) {
	v.check(form.MatchString(s), "%s %q", field, s)
}

func (v *validator) id(id ID, field string) {
	_, err := ParseID(string(id))
	v.check(err == nil, "%s %q", field, id)
}

// text checks what people read as it is: without control characters, it cannot steer a terminal.
func (v *validator) text(s string, most int, field string) {
	v.check(len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl), "%s of %d bytes", field, len(s))
}

func (v *validator) moment(t time.Time, field string) {
	v.check(t.Location() == time.UTC && t.Year() >= 1970 && t.Year() <= 9999, "%s %s", field, t)
}

func (v *validator) number(n, least int64, field string) {
	if (n < least || n > MaxInt) && v.err == nil {
		v.err = &DecodeError{OutOfRange, fmt.Sprintf("%s is %d", field, n)}
	}
}

func (v *validator) component(m *Manifest, c *Component) {
	sealed := m.Encryption != nil
	v.check(c.Kind == SQLite || c.Kind == File || c.Kind == Chroma, "kind %q of component %s", c.Kind, c.Name)
	v.check(c.ChunkSize >= MinChunkSize && c.ChunkSize <= MaxChunkSize && c.ChunkSize&(c.ChunkSize-1) == 0,
		"chunk_size %d of component %s", c.ChunkSize, c.Name)
	v.number(c.Size, 0, "size of component "+c.Name)
	v.number(c.FrozenMS, 0, "frozen_ms of component "+c.Name)
	if sealed {
		v.check(c.SHA256 == "" && c.Facts == nil, "component %s: sealed, yet its hash or facts are in the open", c.Name)
	} else {
		v.match(hex64, c.SHA256, "sha256 of component "+c.Name)
	}
	v.check(len(c.Index) == 1 || len(c.Index) == 2, "component %s: %d index objects", c.Name, len(c.Index))
	keys := map[string]bool{}
	for i, o := range c.Index {
		k, err := ParseKey(o.Key)
		v.check(err == nil && k.Folder == Archives && k.Set == m.Set && k.Component == c.Name && k.Volume < 0 && (i == 1 || !k.Base) && k.Sealed == sealed && !keys[o.Key],
			"index key %q of component %s", o.Key, c.Name)
		keys[o.Key] = true
		v.number(o.Size, 1, "size of "+o.Key)
		v.match(hex64, o.SHA256, "sha256 of "+o.Key)
		if sealed {
			v.match(hex64, o.PlainSHA256, "plain_sha256 of "+o.Key)
		} else {
			v.check(o.PlainSHA256 == "", "plain_sha256 of %s, which is not sealed", o.Key)
		}
	}
	v.check(len(c.Volumes) <= maxVolumes && (c.Size == 0) == (len(c.Volumes) == 0),
		"component %s: %d volumes for %d bytes", c.Name, len(c.Volumes), c.Size)
	ids, live := map[string]bool{}, int64(0)
	for _, o := range c.Volumes {
		k, err := ParseKey(o.Key)
		v.check(err == nil && k.Folder == Archives && k.Set == m.Set && k.Component == c.Name && k.Volume >= 0 && k.Sealed == sealed && !keys[o.Key],
			"volume key %q of component %s", o.Key, c.Name)
		keys[o.Key] = true
		v.check(hex16.MatchString(o.ID) && !ids[o.ID], "volume id %q of component %s", o.ID, c.Name)
		ids[o.ID] = true
		v.number(o.Size, 1, "size of "+o.Key)
		v.match(hex64, o.SHA256, "sha256 of "+o.Key)
		v.number(o.Raw, 1, "raw of "+o.Key)
		v.number(o.Live, 1, "live of "+o.Key)
		v.check(o.Live <= o.Raw && o.Live <= c.Size-live, "%s: %d live of %d bytes, in a stream of %d", o.Key, o.Live, o.Raw, c.Size)
		live += o.Live
	}
	if c.Facts != nil {
		v.facts(c.Kind, c.Facts, "facts of component "+c.Name)
	}
	v.checks(c.Checks, c.Name)
}

// checks checks the checks of a component.
func (v *validator) checks(all []Check, component string) {
	v.check(len(all) <= maxChecks, "component %s: %d checks", component, len(all))
	checks := map[string]bool{}
	for _, k := range all {
		v.check(idWord.MatchString(k.Name) && !checks[k.Name], "check %q of component %s", k.Name, component)
		checks[k.Name] = true
		v.check(k.ID == "" || idWord.MatchString(k.ID), "check id %q of component %s", k.ID, component)
		v.text(k.Detail, maxText, "detail of check "+k.Name)
		switch k.Result {
		case OK, Failed, Inconclusive, Skipped:
		default:
			v.check(false, "result %q of check %s", k.Result, k.Name)
		}
	}
}
