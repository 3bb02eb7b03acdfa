package manifest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	sampleID = ID("20260411T094646Z-7f3a9c01")
	baseID   = ID("20260410T020000Z-00c0ffee")
)

func digits(n int, of string) string { return strings.Repeat(of, n)[:n] }

// sample is the manifest that most vectors change in one place.
func sample() *Manifest {
	at := time.Date(2026, 4, 11, 9, 46, 46, 123456789, time.UTC)
	return &Manifest{
		Format: 1, Repository: digits(32, "0123456789abcdef"), Set: "atocore", ID: sampleID, CapturedAt: at,
		Host: "dalidou", Tool: "holdfast 1.0.0", Parent: baseID, Sequence: 42, Nonce: "00112233445566ff",
		Tags: []string{"nightly", "reason=before the move"}, Grade: Degraded,
		Reasons: []Reason{{Component: "chroma", ID: "source_busy", Message: "locked for 60 s by pid 7"}, {ID: "note", Message: "a note <of> \"the\" snapshot"}},
		Components: []Component{
			{
				Name: "db", Kind: SQLite, ChunkSize: 4096, Size: 12288, SHA256: digits(64, "a1"), FrozenMS: 18,
				Index: []Object{
					{Key: IndexKey("atocore", sampleID, "db", false), Size: 150, SHA256: digits(64, "b2")},
					{Key: IndexKey("atocore", baseID, "db", false), Size: 290, SHA256: digits(64, "c3")},
				},
				Volumes: []Volume{
					{ID: "0000000000000001", Key: VolumeKey("atocore", baseID, "db", 0, false), Size: 900, SHA256: digits(64, "d4"), Raw: 12288, Live: 8192},
					{ID: "0000000000000002", Key: VolumeKey("atocore", sampleID, "db", 0, false), Size: 400, SHA256: digits(64, "e5"), Raw: 4096, Live: 4096},
				},
				Facts: &Facts{SQLite: &SQLiteFacts{PageSize: 4096, UserVersion: 7, Journal: "wal", Rows: map[string]int64{"memories": 3, "a table": 0, "Ünïcode\n": 1}}},
				Checks: []Check{
					{Name: "quick_check", Result: OK},
					{Name: "integrity_check", Result: Skipped, Detail: "not due"},
				},
			},
			{
				Name: "registry", Kind: File, ChunkSize: 4096, SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
				Index: []Object{{Key: IndexKey("atocore", sampleID, "registry", false), Size: 80, SHA256: digits(64, "f6")}},
				Facts: &Facts{File: &FileFacts{}}, Checks: []Check{{Name: "json", Result: Failed, ID: "registry_invalid_json", Detail: "empty"}},
			},
		},
	}
}

// sealedSample is a manifest of an encrypted snapshot.
func sealedSample() *Manifest {
	m := sample()
	m.Grade, m.Reasons = Good, nil
	m.Encryption = &Encryption{Scheme: "age", Recipients: []string{"age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"}}
	c := m.Components[0]
	c.SHA256, c.Facts = "", nil
	for i := range c.Index {
		c.Index[i].Key += ".age"
		c.Index[i].PlainSHA256 = digits(64, "17")
	}
	for i := range c.Volumes {
		c.Volumes[i].Key += ".age"
	}
	m.Components = []Component{c}
	return m
}

type vectorWriter struct{ t *testing.T }

func (w *vectorWriter) write(kind, name, expect, comment string, data []byte) {
	b := fmt.Appendf(nil, "expect: %s\nkind: %s\ncomment: %s\n\n%s", expect, kind, comment, data)
	path := filepath.Join(vectorDir, kind+"-"+name)
	if _, err := os.Stat(path); err == nil {
		w.t.Fatalf("two vectors are named %s", path)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// replaced is text with the only place of old changed.
func (w *vectorWriter) replaced(text []byte, old, with string) []byte {
	w.t.Helper()
	if n := bytes.Count(text, []byte(old)); n != 1 {
		w.t.Fatalf("%q is there %d times", old, n)
	}
	return bytes.Replace(text, []byte(old), []byte(with), 1)
}

func (w *vectorWriter) encode(m *Manifest) []byte {
	w.t.Helper()
	b, err := Encode(m)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// writeVectors writes all vectors. They hold no randomness: they change only with the format.
func writeVectors(t *testing.T) {
	if err := os.RemoveAll(vectorDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &vectorWriter{t: t}
	w.manifests()
	w.json()
	w.values()
	w.sealed()
	w.documents()
}

func (w *vectorWriter) manifests() {
	good := w.encode(sample())
	w.write("manifest", "good", "ok", "two components, one on a base, one empty", good)
	w.write("manifest", "good-signed", "ok", "a signature block, which decoding does not look into", append(clone(good), "\n\u2014 host+key c2lnbmF0dXJl\n\u2014 other c2lnbmF0dXJl\n"...))
	w.write("manifest", "digest-flip", DigestMismatch, "a flipped bit in a value that may be anything", w.replaced(good, `"host": "dalidou"`, `"host": "dalidot"`))
	at := bytes.LastIndex(good, []byte(`"digest": "`)) + len(`"digest": "`)
	w.write("manifest", "digest-short", InvalidValue, "a digest of 63 digits", append(clone(good[:at]), good[at+1:]...))
	w.write("manifest", "digest-empty", InvalidValue, "an empty digest", append(clone(good[:at]), good[at+64:]...))
	w.write("manifest", "digest-capital", InvalidValue, "a digest in capital digits", append(append(clone(good[:at]), bytes.ToUpper(good[at:at+64])...), good[at+64:]...))
	w.write("manifest", "digest-absent", InvalidValue, "no digest", append(clone(good[:at-len(",\n  \"digest\": \"")]), "\n}\n"...))
	small := &Manifest{
		Format: 1, Repository: digits(32, "0"), Set: "s", ID: "20240229T235959Z-00000000", CapturedAt: time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
		Tool: "t", Sequence: 1, Nonce: digits(16, "0"), Grade: Good,
		Components: []Component{{
			Name: "a", Kind: Chroma, ChunkSize: 65536, SHA256: digits(64, "0"),
			Index: []Object{{Key: "s/archives/20240229T235959Z-00000000/a.index.zst", Size: 1, SHA256: digits(64, "0")}},
		}},
	}
	w.write("manifest", "good-least", "ok", "no more than there must be", w.encode(small))
	small.Origin = &Origin{ID: "20231224T180000Z"}
	small.Components[0].Facts = &Facts{Chroma: &ChromaFacts{Members: 2, Collections: []Collection{{ID: "c", Name: "n", Dimension: 384, Metric: "l2", Count: 1<<53 - 1}}, Migrations: map[string]int64{"sysdb": 9, "metadb": 5}}}
	w.write("manifest", "good-chroma", "ok", "facts of a Chroma directory; imported from a folder of the original tool", w.encode(small))
	small.Host = "\u00e9\u2028\u2029\"\\/<>&\U0001f600\u0301\ufffd\u00a0"
	small.Components[0].Facts.Chroma.Collections[0].Name = "\u00e9\u2028\u2029\x00\x1f\x7f\b\f\n\r\t\"\\/<>&\U0001f600\u0301\ufffd"
	w.write("manifest", "good-escapes", "ok", "every kind of escape, and what is not escaped", w.encode(small))

	w.write("manifest", "block-empty", BadSignature, "an empty line and nothing behind it", append(clone(good), '\n'))
	w.write("manifest", "block-text", BadSignature, "a line of the block that is no signature", append(clone(good), "\n\u2014 host+key c2ln\nhello\n"...))
	w.write("manifest", "block-hyphen", BadSignature, "a hyphen in place of the em dash", append(clone(good), "\n- host+key c2ln\n"...))
	w.write("manifest", "block-open", BadSignature, "a block without a newline at its end", append(clone(good), "\n\u2014 host+key c2ln"...))
	w.write("manifest", "block-utf8", BadSignature, "a block that is not UTF-8", append(clone(good), "\n\u2014 host+key \xff\n"...))
	w.write("manifest", "two-blocks", TrailingData, "two blocks: the last empty line divides", append(clone(good), "\n\u2014 a c2ln\n\n\u2014 b c2ln\n"...))
	for name, change := range map[string]func([]byte) []byte{
		"member": func(b []byte) []byte {
			return w.replaced(b, `"host": "dalidou"`, `"color": {"all": null}, "host": 7.5`)
		},
		"no-digest": func(b []byte) []byte { return append(clone(b[:at-len(",\n  \"digest\": \"")]), "\n}\n"...) },
		"block":     func(b []byte) []byte { return append(clone(b), "\nanything\n"...) },
	} {
		w.write("manifest", "newer-"+name, UnsupportedFormat, "format 2, which may have anything in it", change(w.replaced(good, `"format": 1`, `"format": 2`)))
	}
	w.write("manifest", "newer-text", WrongType, "a format that is no number", w.replaced(good, `"format": 1`, `"format": "2"`))
	w.write("manifest", "tombstone", UnknownField, "a tombstone is no manifest", Tombstone(sampleID))
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }
