package manifest

import (
	"bytes"
	"strings"
)

// json shows what strict decoding refuses that a lenient decoder lets pass.
func (w *vectorWriter) json() {
	good := w.encode(sample())
	show := func(name, expect, comment string, data []byte) {
		w.write("manifest", "json-"+name, expect, comment, data)
	}
	change := func(old, with string) []byte { return w.replaced(good, old, with) }

	show("empty", Syntax, "no bytes at all", nil)
	show("cut", Syntax, "the first half of a manifest", good[:len(good)/2])
	show("text", Syntax, "no JSON", []byte("not found\n"))
	show("comma", Syntax, "a comma behind the last member", change("\"sequence\": 42,", "\"sequence\": 42,,"))
	show("escape", Syntax, "an escape that JSON does not have", change(`"host": "dalidou"`, `"host": "d\x61lidou"`))
	show("control", Syntax, "a newline in a string", change(`"host": "dalidou"`, "\"host\": \"dali\ndou\""))
	show("comment", Syntax, "a comment", change(`"host": "dalidou",`, `"host": "dalidou", // the new one`))
	show("nan", Syntax, "NaN", change(`"sequence": 42`, `"sequence": NaN`))
	show("bom", Syntax, "a byte order mark", append([]byte("\ufeff"), good...))
	show("utf8", InvalidUTF8, "a byte that is not UTF-8", change("dalidou", "dali\xffdou"))
	show("utf8-surrogate", InvalidUTF8, "a surrogate in UTF-8", change("dalidou", "\xed\xa0\x80"))
	show("utf8-overlong", InvalidUTF8, "a slash in two bytes", change("dalidou", "\xc0\xaf"))
	show("lone-surrogate", NotCanonical, "half a pair of surrogates", change("dalidou", `\ud800`))
	show("duplicate", DuplicateField, "a member twice", change(`"host": "dalidou",`, `"host": "dalidou", "host": "other",`))
	show("duplicate-inner", DuplicateField, "a volume's key twice", change(`"id": "0000000000000001",`, `"id": "0000000000000001", "id": "0000000000000001",`))
	show("duplicate-row", DuplicateField, "a table twice", change(`"memories": 3`, `"memories": 3, "memories": 4`))
	show("duplicate-escaped", DuplicateField, "a member twice, once with an escape", change(`"host": "dalidou",`, `"host": "dalidou", "h\u006fst": "other",`))
	show("case", CaseVariant, "two members that differ in case only", change(`"host": "dalidou",`, `"host": "dalidou", "Host": "other",`))
	show("case-row", CaseVariant, "two tables that differ in case only", change(`"memories": 3`, `"memories": 3, "Memories": 4`))
	show("case-alone", NotCanonical, "a member with a capital letter", change(`"host": "dalidou"`, `"Host": "dalidou"`))
	show("unknown", UnknownField, "a member that the format does not have", change(`"host": "dalidou",`, `"host": "dalidou", "hots": "",`))
	show("unknown-inner", UnknownField, "an unknown member of a volume", change(`"id": "0000000000000001",`, `"id": "0000000000000001", "etag": "",`))
	show("trailing", TrailingData, "a second document", append(clone(good), "{}\n"...))
	show("trailing-nul", TrailingData, "a NUL behind the document", append(clone(good), 0))
	show("trailing-space", NotCanonical, "a space behind the document", append(clone(good), ' '))
	show("array", WrongType, "an array", []byte("[]\n"))
	show("string", WrongType, "a string", []byte("\"manifest\"\n"))
	show("null", WrongType, "null", []byte("null\n"))
	show("null-inner", WrongType, "null in place of an empty list", change(`"volumes": [],`, `"volumes": null,`))
	show("type-string", WrongType, "a number in place of a string", change(`"host": "dalidou"`, `"host": 7`))
	show("type-number", WrongType, "a string in place of a number", change(`"sequence": 42`, `"sequence": "42"`))
	show("type-object", WrongType, "a list in place of an object", change(`"file": {}`, `"file": []`))
	show("fraction", WrongType, "42.0", change(`"sequence": 42`, `"sequence": 42.0`))
	show("exponent", WrongType, "4e1", change(`"sequence": 42`, `"sequence": 4e1`))
	show("minus-zero", NotCanonical, "-0", change(`"user_version": 7`, `"user_version": -0`))
	show("zero-first", Syntax, "042", change(`"sequence": 42`, `"sequence": 042`))
	show("range-64", OutOfRange, "2^64", change(`"sequence": 42`, `"sequence": 18446744073709551616`))
	show("range-53", OutOfRange, "2^53", change(`"sequence": 42`, `"sequence": 9007199254740992`))
	show("range-zero", OutOfRange, "sequence 0", change(`"sequence": 42`, `"sequence": 0`))
	show("range-size", OutOfRange, "a negative size", change(`"size": 12288`, `"size": -1`))
	show("range-volume", OutOfRange, "a volume of no bytes", change(`"size": 900`, `"size": 0`))
	show("range-rows", OutOfRange, "a negative number of rows", change(`"memories": 3`, `"memories": -3`))
	show("deep", TooDeep, "65 levels", []byte(strings.Repeat("[", 65)+strings.Repeat("]", 65)+"\n"))
	show("deep-fits", WrongType, "64 levels", []byte(strings.Repeat("[", 64)+strings.Repeat("]", 64)+"\n"))

	show("compact", NotCanonical, "without spaces and lines", compact(good))
	show("crlf", NotCanonical, "lines that end in CR LF", bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")))
	show("tabs", NotCanonical, "tabs", bytes.ReplaceAll(good, []byte("  "), []byte("\t")))
	show("no-newline", NotCanonical, "no newline at the end", good[:len(good)-1])
	show("order", NotCanonical, "members in another order", change("\"host\": \"dalidou\",\n  \"tool\": \"holdfast 1.0.0\",", "\"tool\": \"holdfast 1.0.0\",\n  \"host\": \"dalidou\","))
	show("rows-order", NotCanonical, "tables in another order", change(`"a table": 0, "memories": 3`, `"memories": 3, "a table": 0`))
	show("escaped-slash", NotCanonical, "an escape that is not needed", change("atocore/archives/20260411T094646Z-7f3a9c01/registry", `atocore\/archives/20260411T094646Z-7f3a9c01/registry`))
	show("escaped-letter", NotCanonical, "a letter as an escape", change("dalidou", `\u0064alidou`))
	show("escaped-hex", NotCanonical, "an escape in capital letters where a short one exists", change(`code\n`, `code\u000A`))
	show("absent", NotCanonical, "a member that must be there, though it is zero", change("\"frozen_ms\": 18,\n      ", ""))
	show("empty-tags", NotCanonical, "a list that is left out when it is empty", change(`["nightly", "reason=before the move"]`, "[]"))
	show("time-fraction", NotCanonical, "a zero at the end of a fraction", change("46.123456789Z", "46.120Z"))
	show("time-zone", InvalidValue, "another zone than UTC", change("09:46:46.123456789Z", "11:46:46.123456789+02:00"))
	show("time-utc-offset", InvalidValue, "UTC as +00:00", change("46.123456789Z", "46.123456789+00:00"))
	show("time-form", WrongType, "a space in place of the T", change("2026-04-11T09:46:46.123456789Z", "2026-04-11 09:46:46Z"))
	show("time-leap", WrongType, "second 60", change("46.123456789Z", "60Z"))
	show("time-date", WrongType, "30 February", change("2026-04-11T", "2026-02-30T"))
}

// compact is pretty JSON on one line; no string of the samples holds two spaces or a space behind a colon.
func compact(b []byte) []byte {
	s := strings.ReplaceAll(string(b), "\n", "")
	s = strings.ReplaceAll(s, "  ", "")
	return []byte(s + "\n")
}
