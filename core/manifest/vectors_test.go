package manifest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the test vectors anew")

const vectorDir = "testdata/vectors"

// vector is a file of testdata/vectors: a header of lines "name: value", an empty line, then the bytes.
type vector struct {
	name, kind, expect string
	data               []byte
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob(vectorDir + "/*")
	if err != nil || len(paths) < 100 {
		t.Fatalf("%d vectors: %v", len(paths), err)
	}
	var all []vector
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		head, data, ok := bytes.Cut(b, []byte("\n\n"))
		if !ok {
			t.Fatalf("%s has no empty line", p)
		}
		v := vector{name: filepath.Base(p), data: data}
		for _, line := range strings.Split(string(head), "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "expect":
				v.expect = value
			case "kind":
				v.kind = value
			case "comment":
			default:
				t.Fatalf("%s: header %q", p, line)
			}
		}
		all = append(all, v)
	}
	return all
}

// decodeAgain decodes a vector and encodes what it held.
func decodeAgain(kind string, b []byte) (again []byte, err error) {
	switch kind {
	case "manifest":
		m, err := Decode(b)
		if err != nil {
			return nil, err
		}
		body, block, err := Split(b)
		if err != nil {
			return nil, err
		}
		again, err := Encode(m)
		if err == nil && len(body) != len(b) {
			again = append(append(again, '\n'), block...)
		}
		return again, err
	case "marker":
		k, err := DecodeMarker(b)
		if err != nil {
			return nil, err
		}
		return k.Encode(), nil
	case "note":
		n, err := DecodeNote(b)
		if err != nil {
			return nil, err
		}
		return n.Encode()
	case "drill":
		d, err := DecodeDrill(b)
		if err != nil {
			return nil, err
		}
		return d.Encode()
	case "facts-sqlite", "facts-file", "facts-chroma":
		k := Kind(strings.TrimPrefix(kind, "facts-"))
		f, err := DecodeFacts(k, b)
		if err != nil {
			return nil, err
		}
		return EncodeFacts(k, f)
	case "verdict":
		v, err := DecodeVerdict(b)
		return []byte(v), err
	case "tombstone":
		if !IsTombstone(b, sampleID) {
			return nil, &DecodeError{InvalidValue, "no tombstone"}
		}
		return Tombstone(sampleID), nil
	}
	return nil, fmt.Errorf("kind %q", kind)
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	shown := map[string]bool{}
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			again, err := decodeAgain(v.kind, v.data)
			got := "ok"
			var bad *DecodeError
			switch {
			case errors.As(err, &bad):
				got = bad.ID
			case err != nil:
				got = "untyped: " + err.Error()
			}
			if got != v.expect {
				t.Fatalf("got %s, want %s (%v)", got, v.expect, err)
			}
			if err == nil && !bytes.Equal(again, v.data) {
				t.Fatalf("encoded again it is\n%s", again)
			}
			shown[v.expect] = true
		})
	}
	for _, id := range []string{
		"ok", TooDeep, InvalidUTF8, Syntax, DuplicateField, CaseVariant, UnknownField, WrongType, OutOfRange,
		TrailingData, NotCanonical, InvalidValue, UnsupportedFormat, BadSignature, DigestMismatch,
	} {
		if !shown[id] {
			t.Errorf("no vector shows %s", id)
		}
	}
}

// TestTooLarge stands beside the vectors: what it shows would be large files.
func TestTooLarge(t *testing.T) {
	spaces := func(n int) []byte { return append(bytes.Repeat([]byte(" "), n-3), "{}\n"...) }
	members := func(n int) []byte {
		var b bytes.Buffer
		b.WriteByte('{')
		for i := range n {
			fmt.Fprintf(&b, "%q:0,", fmt.Sprint(i))
		}
		return append(b.Bytes()[:b.Len()-1], "}\n"...)
	}
	for name, c := range map[string]struct {
		kind string
		data []byte
		want string
	}{
		"manifest":         {"manifest", spaces(MaxBytes + 1), TooLarge},
		"signatures count": {"manifest", append(spaces(MaxBytes-3), "\n\u2014 x\n"...), TooLarge},
		"members":          {"manifest", members(maxMembers + 1), TooLarge},
		"members fit":      {"manifest", members(maxMembers), UnknownField},
		"marker":           {"marker", spaces(MaxNoteBytes + 1), TooLarge},
		"note":             {"note", spaces(MaxNoteBytes + 1), TooLarge},
		"drill":            {"drill", spaces(MaxDrillBytes + 1), TooLarge},
		"signature block":  {"manifest", []byte("{}\n\n\u2014 " + strings.Repeat("x", 16<<10) + "\n"), BadSignature},
		"signatures":       {"manifest", []byte("{}\n\n" + strings.Repeat("\u2014 x\n", 17)), BadSignature},
		"signatures which": {"manifest", []byte("{}\n\n" + strings.Repeat("\u2014 x\n", 16)), UnsupportedFormat},
	} {
		_, err := decodeAgain(c.kind, c.data)
		var bad *DecodeError
		if !errors.As(err, &bad) || bad.ID != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
