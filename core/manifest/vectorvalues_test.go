package manifest

import (
	"bytes"
	"strings"
	"time"
)

// values shows the rules for single values and between them. What Encode would refuse to write is made by marshal.
func (w *vectorWriter) values() {
	show := func(name, expect, comment string, change func(*Manifest)) {
		m := sample()
		change(m)
		b, err := encode(m)
		if err != nil {
			w.t.Fatal(err)
		}
		w.write("manifest", "value-"+name, expect, comment, b)
	}
	wrong := func(name, comment string, change func(*Manifest)) { show(name, InvalidValue, comment, change) }
	db := func(change func(*Component)) func(*Manifest) { return func(m *Manifest) { change(&m.Components[0]) } }

	show("format-0", UnsupportedFormat, "format 0", func(m *Manifest) { m.Format = 0 })
	show("format-2", UnsupportedFormat, "format 2", func(m *Manifest) { m.Format = 2 })
	wrong("repository", "a repository of 31 digits", func(m *Manifest) { m.Repository = m.Repository[1:] })
	wrong("set", "a set with a capital letter", func(m *Manifest) { m.Set = "Atocore" })
	wrong("set-long", "a set of 41 characters", func(m *Manifest) { m.Set = digits(41, "a") })
	wrong("id", "an id with capital digits", func(m *Manifest) { m.ID = "20260411T094646Z-7F3A9C01" })
	wrong("id-date", "an id on 30 February", func(m *Manifest) { m.ID = "20260230T094646Z-7f3a9c01" })
	wrong("id-1969", "an id before 1970", func(m *Manifest) { m.ID = "19691231T235959Z-7f3a9c01" })
	wrong("id-newline", "a newline behind the id", func(m *Manifest) { m.ID += "\n" })
	wrong("captured-1969", "captured before 1970", func(m *Manifest) { m.CapturedAt = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) })
	wrong("host-long", "a host of 256 bytes", func(m *Manifest) { m.Host = digits(256, "h") })
	for name, c := range map[string]string{"nul": "\x00", "escape": "\x1b", "1f": "\x1f", "7f": "\x7f", "80": "\u0080", "9f": "\u009f", "newline": "\n"} {
		wrong("host-"+name, "a host with a control character", func(m *Manifest) { m.Host = "dali" + c + "dou" })
	}
	show("good-host-a0", "ok", "a no-break space is no control character", func(m *Manifest) { m.Host = "dali\u00a0dou" })
	wrong("tool-control", "a tool with a control character", func(m *Manifest) { m.Tool = "\a" })
	wrong("reason-control", "a message with a newline", func(m *Manifest) { m.Reasons[0].Message = "a\nb" })
	wrong("tool-empty", "no tool", func(m *Manifest) { m.Tool = "" })
	wrong("parent", "a parent that is no id", func(m *Manifest) { m.Parent = "latest" })
	wrong("parent-self", "a snapshot that is its own parent", func(m *Manifest) { m.Parent = m.ID })
	wrong("origin-id", "an origin that is no id", func(m *Manifest) { m.Origin = &Origin{ID: "20261399T000000Z"} })
	wrong("origin-hash", "an origin with a short hash", func(m *Manifest) { m.Origin = &Origin{ID: string(baseID), ManifestSHA256: "aa"} })
	wrong("nonce", "a nonce of 15 digits", func(m *Manifest) { m.Nonce = m.Nonce[1:] })
	wrong("tag", "a tag with a space in its name", func(m *Manifest) { m.Tags[0] = "night ly" })
	wrong("tag-twice", "a tag twice", func(m *Manifest) { m.Tags[1] = m.Tags[0] })
	wrong("tags-many", "65 tags", func(m *Manifest) {
		for len(m.Tags) < 65 {
			m.Tags = append(m.Tags, "t"+digits(len(m.Tags), "x"))
		}
	})
	wrong("grade", "a grade that there is not", func(m *Manifest) { m.Grade = "fine" })
	wrong("grade-reason", "suspect, and no reason", func(m *Manifest) { m.Grade, m.Reasons = Suspect, nil })
	wrong("reason-id", "a reason's id with a space", func(m *Manifest) { m.Reasons[0].ID = "source busy" })
	wrong("reason-long", "a message of 501 bytes", func(m *Manifest) { m.Reasons[0].Message = digits(501, "m") })
	wrong("reason-component", "a reason for ../db", func(m *Manifest) { m.Reasons[0].Component = "../db" })
	wrong("no-component", "no component", func(m *Manifest) { m.Components = nil })
	wrong("component-name", "a component with a hyphen", func(m *Manifest) { m.Components[1].Name = "re-gistry" })
	wrong("component-twice", "a component twice", func(m *Manifest) { m.Components[1] = m.Components[0] })
	wrong("kind", "a kind that there is not", db(func(c *Component) { c.Kind, c.Facts = "postgres", nil }))
	wrong("chunk-size-odd", "a chunk size that is no power of two", db(func(c *Component) { c.ChunkSize = 5000 }))
	wrong("chunk-size-small", "a chunk size of 2048", db(func(c *Component) { c.ChunkSize = 2048 }))
	wrong("chunk-size-large", "a chunk size of 131072", db(func(c *Component) { c.ChunkSize = 131072 }))
	wrong("stream-hash", "a stream's hash of 63 digits", db(func(c *Component) { c.SHA256 = c.SHA256[1:] }))
	wrong("stream-hash-absent", "no hash of the stream, and no encryption", db(func(c *Component) { c.SHA256 = "" }))

	show("good-base", "ok", "a base under its own key, beside its patch", db(func(c *Component) { c.Index[1].Key = BaseKey("atocore", sampleID, "db", false) }))
	wrong("index-base-first", "a base's key where the patch's must be", db(func(c *Component) { c.Index[0].Key = BaseKey("atocore", sampleID, "db", false) }))
	wrong("index-base-alone", "a full index under a base's key", db(func(c *Component) {
		c.Index = c.Index[:1]
		c.Index[0].Key = BaseKey("atocore", sampleID, "db", false)
	}))
	wrong("volume-base", "a base's key among the volumes", db(func(c *Component) { c.Volumes[0].Key = BaseKey("atocore", sampleID, "db", false) }))
	wrong("index-none", "no index", db(func(c *Component) { c.Index = nil }))
	wrong("index-three", "a patch on a patch", db(func(c *Component) {
		c.Index = append(c.Index, Object{Key: IndexKey("atocore", "20260409T020000Z-00000000", "db", false), Size: 1, SHA256: digits(64, "0")})
	}))
	wrong("index-twice", "an index that is its own base", db(func(c *Component) { c.Index[1] = c.Index[0] }))
	for name, key := range map[string]string{
		"parent":    "../../etc/passwd",
		"inner":     "atocore/archives/20260411T094646Z-7f3a9c01/../db.index.zst",
		"absolute":  "/atocore/archives/20260411T094646Z-7f3a9c01/db.index.zst",
		"backslash": `atocore\archives\20260411T094646Z-7f3a9c01\db.index.zst`,
		"other-set": "other/archives/20260411T094646Z-7f3a9c01/db.index.zst",
		"component": "atocore/archives/20260411T094646Z-7f3a9c01/registry.index.zst",
		"volume":    "atocore/archives/20260411T094646Z-7f3a9c01/db-00000.zst",
		"folder":    "atocore/manifests/20260411T094646Z-7f3a9c01.json",
		"sealed":    "atocore/archives/20260411T094646Z-7f3a9c01/db.index.zst.age",
		"newline":   "atocore/archives/20260411T094646Z-7f3a9c01/db.index.zst\n",
		"marker":    "holdfast.json",
	} {
		wrong("index-key-"+name, "an index key that it cannot be", db(func(c *Component) { c.Index[0].Key = key }))
	}
	wrong("index-hash", "an index's hash in capitals", db(func(c *Component) { c.Index[0].SHA256 = strings.ToUpper(c.Index[0].SHA256) }))
	wrong("index-plain", "a plain hash without encryption", db(func(c *Component) { c.Index[0].PlainSHA256 = digits(64, "0") }))

	wrong("volumes-none", "a stream of bytes, and no volume", db(func(c *Component) { c.Volumes = nil }))
	wrong("volumes-empty", "an empty stream, and volumes", db(func(c *Component) { c.Size = 0 }))
	wrong("volume-key-index", "an index as a volume", db(func(c *Component) { c.Volumes[0].Key = IndexKey("atocore", baseID, "db", false) }))
	wrong("volume-key-set", "a volume of another set", db(func(c *Component) { c.Volumes[0].Key = VolumeKey("other", baseID, "db", 0, false) }))
	wrong("volume-key-digits", "a volume's number in four digits", db(func(c *Component) { c.Volumes[0].Key = "atocore/archives/20260410T020000Z-00c0ffee/db-0000.zst" }))
	wrong("volume-key-twice", "a volume twice", db(func(c *Component) { c.Volumes[1].Key = c.Volumes[0].Key }))
	wrong("volume-id", "a volume id of 15 digits", db(func(c *Component) { c.Volumes[0].ID = "000000000000001" }))
	wrong("volume-id-twice", "two volumes with one id", db(func(c *Component) { c.Volumes[1].ID = c.Volumes[0].ID }))
	wrong("volume-live", "more live bytes than there are", db(func(c *Component) { c.Volumes[0].Live = 12289 }))
	wrong("volume-live-sum", "more live bytes than the stream has", db(func(c *Component) { c.Volumes[0].Live = 8193 }))
	show("volume-live-0", OutOfRange, "a volume that holds nothing of the stream", db(func(c *Component) { c.Volumes[0].Live = 0 }))

	wrong("facts-kind", "facts of a file for a database", db(func(c *Component) { c.Facts = &Facts{File: &FileFacts{}} }))
	wrong("facts-two", "facts of two kinds", db(func(c *Component) { c.Facts.File = &FileFacts{} }))
	wrong("facts-none", "facts of no kind", db(func(c *Component) { c.Facts = &Facts{} }))
	wrong("facts-page-size", "a page size of 1000", db(func(c *Component) { c.Facts.SQLite.PageSize = 1000 }))
	wrong("facts-journal", "a journal mode that facts do not have", db(func(c *Component) { c.Facts.SQLite.Journal = "delete" }))
	wrong("facts-version", "a user_version of 2^32", db(func(c *Component) { c.Facts.SQLite.UserVersion = 1 << 32 }))
	wrong("facts-name", "a table's name of 1025 bytes", db(func(c *Component) { c.Facts.SQLite.Rows[digits(1025, "n")] = 1 }))
	wrong("check-name", "a check's name with a capital letter", db(func(c *Component) { c.Checks[0].Name = "Quick" }))
	wrong("check-twice", "a check twice", db(func(c *Component) { c.Checks[1].Name = c.Checks[0].Name }))
	wrong("check-result", "a result that there is not", db(func(c *Component) { c.Checks[0].Result = "passed" }))
	wrong("check-detail", "a detail of 501 bytes", db(func(c *Component) { c.Checks[0].Detail = digits(501, "d") }))
	wrong("check-detail-control", "a detail with a tab", db(func(c *Component) { c.Checks[0].Detail = "\t" }))
	wrong("check-id", "a check's id with a slash", db(func(c *Component) { c.Checks[0].ID = "a/b" }))
}

// sealed shows the shape of an encrypted snapshot's manifest.
func (w *vectorWriter) sealed() {
	w.write("manifest", "good-sealed", "ok", "an encrypted snapshot: hash and facts stand in the index", w.encode(sealedSample()))
	wrong := func(name, comment string, change func(*Manifest)) {
		m := sealedSample()
		change(m)
		b, err := encode(m)
		if err != nil {
			w.t.Fatal(err)
		}
		w.write("manifest", "sealed-"+name, InvalidValue, comment, b)
	}
	wrong("scheme", "a scheme that there is not", func(m *Manifest) { m.Encryption.Scheme = "gpg" })
	wrong("recipients", "no recipient", func(m *Manifest) { m.Encryption.Recipients = []string{} })
	wrong("recipient", "an empty recipient", func(m *Manifest) { m.Encryption.Recipients[0] = "" })
	wrong("recipient-control", "a recipient with a newline", func(m *Manifest) { m.Encryption.Recipients[0] += "\n" })
	wrong("hash", "the stream's hash in the open", func(m *Manifest) { m.Components[0].SHA256 = digits(64, "a") })
	wrong("facts", "facts in the open", func(m *Manifest) { m.Components[0].Facts = sample().Components[0].Facts })
	wrong("index-open", "an index that is not sealed", func(m *Manifest) {
		m.Components[0].Index[0].Key = strings.TrimSuffix(m.Components[0].Index[0].Key, ".age")
	})
	wrong("volume-open", "a volume that is not sealed", func(m *Manifest) {
		m.Components[0].Volumes[0].Key = strings.TrimSuffix(m.Components[0].Volumes[0].Key, ".age")
	})
	wrong("plain-absent", "no plain hash of the index", func(m *Manifest) { m.Components[0].Index[0].PlainSHA256 = "" })
}

// documents shows the marker, notes, drills, facts, verdicts and tombstones.
func (w *vectorWriter) documents() {
	marker := NewMarker(digits(32, "0123456789abcdef")).Encode()
	w.write("marker", "good", "ok", "the marker of a repository", marker)
	w.write("marker", "format", UnsupportedFormat, "a newer format", w.replaced(marker, `"format":1`, `"format":2`))
	w.write("marker", "format-other", UnsupportedFormat, "a newer format with other fields", []byte("{\"format\":7,\"requires\":{\"all\":true},\"color\":\"red\"}\n"))
	w.write("marker", "requires", UnsupportedFormat, "a word that this version does not know", w.replaced(marker, `"ballot-1"`, `"ballot-1","ballot-2"`))
	w.write("marker", "requires-none", InvalidValue, "no word", w.replaced(marker, `"ballot-1"`, ``))
	w.write("marker", "requires-twice", InvalidValue, "a word twice", w.replaced(marker, `"ballot-1"`, `"ballot-1","ballot-1"`))
	w.write("marker", "repository", InvalidValue, "a repository of 31 digits", w.replaced(marker, "0123456789abcdef0", "123456789abcdef0"))
	w.write("marker", "unknown", UnknownField, "a field more", w.replaced(marker, `"format":1`, `"format":1,"name":""`))
	w.write("marker", "spaces", NotCanonical, "with a space", w.replaced(marker, `"format":1`, `"format": 1`))
	w.write("marker", "no-format", InvalidValue, "no format", w.replaced(marker, `"format":1,`, ``))
	w.write("marker", "text", Syntax, "a page of a proxy", []byte("<html>\n"))

	until := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	pin, err := Note{ID: sampleID, At: time.Date(2026, 4, 11, 10, 0, 0, 500000000, time.UTC), Host: "dalidou", Tool: "holdfast 1.0.0", Reason: "before the move", Until: &until}.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("note", "good-pin", "ok", "a pin", pin)
	intent, err := Note{ID: sampleID, At: until, Tool: "t"}.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("note", "good-intent", "ok", "an intent", intent)
	w.write("note", "format", UnsupportedFormat, "format 2", w.replaced(pin, `"format": 1`, `"format": 2`))
	w.write("note", "newer-member", UnsupportedFormat, "format 2 with a member more", w.replaced(w.replaced(pin, `"format": 1`, `"format": 2`), `"host"`, `"pid": 1, "host"`))
	w.write("note", "id", InvalidValue, "no id", w.replaced(pin, string(sampleID), "x"))
	w.write("note", "at", InvalidValue, "another zone", w.replaced(pin, "10:00:00.5Z", "10:00:00.5+01:00"))
	w.write("note", "until", InvalidValue, "another zone", w.replaced(pin, "2027-01-01T00:00:00Z", "2027-01-01T00:00:00-01:00"))
	w.write("note", "reason", InvalidValue, "a reason of 501 bytes", w.replaced(pin, "before the move", digits(501, "r")))
	w.write("note", "reason-control", InvalidValue, "a reason with an escape", w.replaced(pin, "before the move", `\u001b[2J`))
	w.write("note", "unknown", UnknownField, "a field more", w.replaced(pin, `"host"`, `"pid": 1, "host"`))
	w.write("note", "compact", NotCanonical, "without spaces", bytes.ReplaceAll(intent, []byte(" "), nil))

	drill, err := Drill{
		ID: sampleID, At: until, Host: "dalidou", Tool: "holdfast 1.0.0", Result: Failed, Reason: "db: integrity_check failed", TookMS: 61000, Bytes: 12288,
		Components: []DrillComponent{{"db", []Check{{Name: "integrity_check", Result: Failed, ID: "db_integrity_check_failed"}}}},
	}.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("drill", "good", "ok", "a drill that found damage", drill)
	w.write("drill", "newer-member", UnsupportedFormat, "format 2 with a member more", w.replaced(w.replaced(drill, `"format": 1`, `"format": 2`), `"host"`, `"pid": 1, "host"`))
	w.write("drill", "reason", InvalidValue, "failed, and no reason", w.replaced(drill, "\"reason\": \"db: integrity_check failed\",\n  ", ""))
	w.write("drill", "reason-control", InvalidValue, "a reason with an escape", w.replaced(drill, "db: integrity_check failed", `\u001b[2J`))
	w.write("drill", "result", InvalidValue, "a skipped drill", w.replaced(drill, "\"result\": \"failed\",\n  \"reason", "\"result\": \"skipped\",\n  \"reason"))
	w.write("drill", "component", InvalidValue, "a component that cannot be", w.replaced(drill, `"name": "db"`, `"name": "../db"`))
	w.write("drill", "time", OutOfRange, "a negative time", w.replaced(drill, "61000", "-1"))

	facts, err := EncodeFacts(SQLite, sample().Components[0].Facts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("facts-sqlite", "good", "ok", "facts as a sealed index holds them", facts)
	w.write("facts-file", "good", "ok", "nothing is known of the file", []byte("{\n  \"file\": {}\n}\n"))
	w.write("facts-file", "kind", InvalidValue, "facts of a database for a file", facts)
	w.write("facts-chroma", "absent", NotCanonical, "no collections", []byte("{\n  \"chroma\": {\n    \"members\": 0,\n    \"migrations\": {}\n  }\n}\n"))
	w.write("facts-sqlite", "newline", NotCanonical, "no newline at the end", facts[:len(facts)-1])

	w.write("verdict", "good-sweep", "ok", "sweep", []byte(Sweep))
	w.write("verdict", "good-keep", "ok", "keep", []byte(Keep))
	w.write("verdict", "no-newline", InvalidValue, "no newline", []byte("sweep"))
	w.write("verdict", "other", InvalidValue, "another word", []byte("delete\n"))
	w.write("tombstone", "good", "ok", "a tombstone of 20260411T094646Z-7f3a9c01", Tombstone(sampleID))
	w.write("tombstone", "other", InvalidValue, "a tombstone of another snapshot", Tombstone(baseID))
	w.write("tombstone", "spaces", InvalidValue, "a tombstone has one form only", w.replaced(Tombstone(sampleID), `"format":1`, `"format": 1`))
}
