package manifest

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Generators of documents that Validate accepts. rapid prints how to repeat a failure, seed included.

func genText(most int) *rapid.Generator[string] { return rapid.Map(genName(most), ClipText) }

// genName may have any character.
func genName(most int) *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringN(0, min(40, most), most), rapid.SampledFrom([]string{"", "<&>\u2028\u2029\\\"/", "\x00\x1f\x7f", "{}[],:", "\u0301\U0001f600\ufffd\u0080"}))
}

func genID() *rapid.Generator[ID] {
	return rapid.Custom(func(t *rapid.T) ID {
		at := time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "second"), 0)
		b := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "random")
		id, err := NewID(at, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return id
	})
}

func genTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		nanos := rapid.OneOf(rapid.Just(int64(0)), rapid.Map(rapid.Int64Range(0, 999), func(ms int64) int64 { return ms * 1e6 }), rapid.Int64Range(0, 999999999)).Draw(t, "nanosecond")
		return time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "second"), nanos).UTC()
	})
}

func genHex(n int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom([]rune("0123456789abcdef")), n, n, n)
}

var genInt = rapid.OneOf(rapid.Int64Range(1, 100), rapid.Int64Range(1, MaxInt))

func genCounts() *rapid.Generator[map[string]int64] {
	return rapid.Map(rapid.MapOfN(genName(100), rapid.Int64Range(0, MaxInt), 0, 5), func(m map[string]int64) map[string]int64 {
		left := room(MaxFactsBytes)
		return left.fit(m)
	})
}

func genFacts(kind Kind) *rapid.Generator[*Facts] {
	return rapid.Custom(func(t *rapid.T) *Facts {
		switch kind {
		case SQLite:
			return &Facts{SQLite: &SQLiteFacts{
				PageSize: 512 << rapid.IntRange(0, 7).Draw(t, "page"), UserVersion: int64(rapid.Int32().Draw(t, "user version")), ApplicationID: rapid.Int64Range(-1<<31, 1<<32-1).Draw(t, "application"),
				Journal: rapid.SampledFrom([]string{"wal", "rollback", ""}).Draw(t, "journal"), Rows: genCounts().Draw(t, "rows"),
			}}
		case File:
			return &Facts{File: &FileFacts{Format: rapid.SampledFrom([]string{"", "json"}).Draw(t, "format"), Entries: rapid.Int64Range(0, MaxInt).Draw(t, "entries")}}
		}
		collection := rapid.Custom(func(t *rapid.T) Collection {
			return Collection{genName(50).Draw(t, "id"), genName(50).Draw(t, "name"), rapid.Int64Range(0, 4096).Draw(t, "dimension"), genName(10).Draw(t, "metric"), rapid.Int64Range(0, MaxInt).Draw(t, "count")}
		})
		return &Facts{Chroma: &ChromaFacts{
			Members: rapid.Int64Range(0, MaxInt).Draw(t, "members"), Migrations: genCounts().Draw(t, "migrations"),
			Collections: append([]Collection{}, rapid.SliceOfN(collection, 0, 3).Draw(t, "collections")...),
		}}
	})
}

func genChecks() *rapid.Generator[[]Check] {
	check := rapid.Custom(func(t *rapid.T) Check {
		return Check{
			rapid.StringMatching(`[a-z][a-z0-9_]{0,20}`).Draw(t, "name"), rapid.SampledFrom([]Result{OK, Failed, Inconclusive, Skipped}).Draw(t, "result"),
			rapid.StringMatching(`([a-z][a-z0-9_]{0,20})?`).Draw(t, "id"), genText(500).Draw(t, "detail"),
		}
	})
	return rapid.Map(rapid.SliceOfNDistinct(check, 0, 4, func(c Check) string { return c.Name }), func(c []Check) []Check { return append([]Check{}, c...) })
}

func genComponent(set, name string, sealed bool) *rapid.Generator[Component] {
	return rapid.Custom(func(t *rapid.T) Component {
		kind := rapid.SampledFrom([]Kind{SQLite, File, Chroma}).Draw(t, "kind")
		c := Component{Name: name, Kind: kind, ChunkSize: 4096 << rapid.IntRange(0, 4).Draw(t, "chunk"), FrozenMS: rapid.Int64Range(0, 1e6).Draw(t, "frozen"), Volumes: []Volume{}, Checks: genChecks().Draw(t, "checks")}
		plain := ""
		if sealed {
			plain = genHex(64).Draw(t, "plain")
		} else {
			c.SHA256 = genHex(64).Draw(t, "stream")
			if rapid.Bool().Draw(t, "facts") {
				c.Facts = genFacts(kind).Draw(t, "facts")
			}
		}
		ids := rapid.SliceOfNDistinct(genID(), 1, 4, rapid.ID[ID]).Draw(t, "archives")
		for _, id := range ids[:min(len(ids), rapid.IntRange(1, 2).Draw(t, "indexes"))] {
			c.Index = append(c.Index, Object{IndexKey(set, id, name, sealed), genInt.Draw(t, "size"), genHex(64).Draw(t, "hash"), plain})
		}
		if len(c.Index) == 2 && rapid.Bool().Draw(t, "base key") {
			c.Index[1].Key = BaseKey(set, ids[0], name, sealed)
		}
		for n, id := range rapid.SliceOfNDistinct(genHex(16), 0, 5, rapid.ID[string]).Draw(t, "volumes") {
			v := Volume{ID: id, Key: VolumeKey(set, ids[n%len(ids)], name, n, sealed), Size: genInt.Draw(t, "size"), SHA256: genHex(64).Draw(t, "hash"), Live: rapid.Int64Range(1, 1<<40).Draw(t, "live")}
			v.Raw = v.Live + rapid.Int64Range(0, 1<<40).Draw(t, "dead")
			c.Size += v.Live
			c.Volumes = append(c.Volumes, v)
		}
		if c.Size > 0 {
			c.Size += rapid.Int64Range(0, 1<<40).Draw(t, "repeated")
		}
		return c
	})
}

func genManifest() *rapid.Generator[*Manifest] {
	return rapid.Custom(func(t *rapid.T) *Manifest {
		id := genID().Draw(t, "id")
		m := &Manifest{
			Format: 1, Repository: genHex(32).Draw(t, "repository"), Set: rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,39}`).Draw(t, "set"), ID: id, CapturedAt: genTime().Draw(t, "at"),
			Host: genText(255).Draw(t, "host"), Tool: "t" + genText(90).Draw(t, "tool"), Sequence: genInt.Draw(t, "sequence"), Nonce: genHex(16).Draw(t, "nonce"), Grade: rapid.SampledFrom([]Grade{Good, Degraded, Suspect}).Draw(t, "grade"),
		}
		m.Tool = strings.ToValidUTF8(m.Tool[:min(len(m.Tool), 97)], "?")
		if rapid.Bool().Draw(t, "parent") {
			m.Parent = genID().Filter(func(p ID) bool { return p != id }).Draw(t, "parent")
		}
		if rapid.Bool().Draw(t, "origin") {
			m.Origin = &Origin{genHex(32).Draw(t, "repository"), string(genID().Draw(t, "origin")), genHex(64).Draw(t, "hash")}
		}
		if tags := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,10}(=[ -~]{0,20})?`), 0, 3, rapid.ID[string]).Draw(t, "tags"); len(tags) > 0 {
			m.Tags = tags
		}
		if m.Grade != Good || rapid.Bool().Draw(t, "note") {
			m.Reasons = []Reason{{rapid.SampledFrom([]string{"", "db"}).Draw(t, "component"), "reason", genText(500).Draw(t, "reason")}}
		}
		if rapid.Bool().Draw(t, "sealed") {
			m.Encryption = &Encryption{"age", []string{"age1" + genText(90).Draw(t, "recipient")}}
		}
		for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9_]{0,31}`), 1, 3, rapid.ID[string]).Draw(t, "names") {
			m.Components = append(m.Components, genComponent(m.Set, name, m.Encryption != nil).Draw(t, name))
		}
		return m
	})
}

func TestManifestComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genManifest().Draw(t, "manifest")
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got %+v\nwant %+v", got, m)
		}
		signed := append(append([]byte(nil), b...), "\n\u2014 key c2lnbmF0dXJl\n"...)
		if body, block, err := Split(signed); err != nil || !bytes.Equal(body, b) || len(block) == 0 {
			t.Fatalf("a signed manifest does not split: %v", err)
		}
	})
}

// TestOneByteMatters: a manifest in which one byte is another is no manifest.
func TestOneByteMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := Encode(genManifest().Draw(t, "manifest"))
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		changed := append([]byte(nil), b...)
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		if _, err := Decode(changed); err == nil {
			t.Fatalf("byte %d became %q, and nobody noticed\n%s", at, changed[at], changed)
		}
	})
}

func TestFactsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.Just("A"), rapid.Just("a"), rapid.Just("\xff"), rapid.Just(digits(1025, "x")))).Draw(t, "names")
		f := &Facts{SQLite: &SQLiteFacts{Rows: map[string]int64{}}}
		for _, n := range names {
			f.SQLite.Rows[n] = 1
		}
		fitted := f.Fit()
		if _, err := EncodeFacts(SQLite, fitted); err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if len(n) < 100 && utf8.ValidString(n) && foldASCII(n) == n && fitted.SQLite.Rows[n] == 0 && fitted.SQLite.Rows[strings.ToUpper(n)] == 0 {
				t.Fatalf("%q was left out", n)
			}
		}
	})
	var collections []Collection
	for range MaxNames + 5 {
		collections = append(collections, Collection{ID: "c"}, Collection{ID: "\xff"})
	}
	f := (&Facts{Chroma: &ChromaFacts{Collections: collections}}).Fit()
	if b, err := EncodeFacts(Chroma, f); err != nil || len(b) > MaxFactsBytes || len(b) < MaxFactsBytes/4 {
		t.Fatalf("%d collections, %d bytes: %v", len(f.Chroma.Collections), len(b), err)
	}
	if (*Facts)(nil).Fit() != nil {
		t.Fatal("no facts became facts")
	}
}

// TestFactsFitEncode: whatever a source says, what Fit leaves of it can be written.
func TestFactsFitEncode(t *testing.T) {
	number := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1, 3), rapid.SampledFrom([]int64{MaxInt, MaxInt + 1, 1 << 32, -1<<31 - 1, 4096}))
	name := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }), rapid.SampledFrom([]string{
		"wal", "json", "\x00", digits(MaxNameBytes, "\x01"), digits(MaxNameBytes+1, "x"),
	}))
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.MapOfN(name, number, 0, 8)
		collection := rapid.Custom(func(t *rapid.T) Collection {
			return Collection{name.Draw(t, "id"), name.Draw(t, "name"), number.Draw(t, "dimension"), name.Draw(t, "metric"), number.Draw(t, "count")}
		})
		var f Facts
		kind := rapid.SampledFrom([]Kind{SQLite, File, Chroma}).Draw(t, "kind")
		switch kind {
		case SQLite:
			f.SQLite = &SQLiteFacts{int(number.Draw(t, "page")), number.Draw(t, "user version"), number.Draw(t, "application"), name.Draw(t, "journal"), counts.Draw(t, "rows")}
		case File:
			f.File = &FileFacts{name.Draw(t, "format"), number.Draw(t, "entries")}
		case Chroma:
			f.Chroma = &ChromaFacts{number.Draw(t, "members"), counts.Draw(t, "migrations"), rapid.SliceOfN(collection, 0, 8).Draw(t, "collections")}
		}
		m := sample()
		m.Components = m.Components[:1]
		m.Components[0].Kind, m.Components[0].Facts = kind, f.Fit()
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b); err != nil {
			t.Fatal(err)
		}
		if _, err := EncodeFacts(kind, f.Fit()); err != nil {
			t.Fatal(err)
		}
	})
	// The most that escapes can make of names.
	rows := map[string]int64{}
	for i := range MaxNames {
		rows[fmt.Sprintf("%05x", i)+digits(MaxNameBytes-5, "\x01")] = MaxInt
	}
	f := (&Facts{SQLite: &SQLiteFacts{Rows: rows}}).Fit()
	if b, err := EncodeFacts(SQLite, f); err != nil || len(b) > MaxFactsBytes || len(b) < MaxFactsBytes/2 {
		t.Fatalf("%d rows, %d bytes: %v", len(f.SQLite.Rows), len(b), err)
	}
	if f := (&Facts{SQLite: &SQLiteFacts{}, File: &FileFacts{}}).Fit(); f != nil {
		t.Errorf("facts of two kinds fit as %+v", f)
	}
}

func TestClipText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.StringN(0, 700, -1), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		got := ClipText(s)
		if len(got) > maxText || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
		if utf8.ValidString(s) && len(s) <= maxText && !strings.ContainsFunc(s, unicode.IsControl) && got != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
	if got := ClipText("row 1\nmissing\r\n\x1b[2J\u0085"); got != "row 1 missing   [2J " {
		t.Errorf("%q", got)
	}
}
