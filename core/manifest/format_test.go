package manifest

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSpecificationExamples: the examples in FORMAT.md are the vectors that they name, and so decode.
func TestSpecificationExamples(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```([a-z-]+) ([a-z-]+)\n(.*?)^```$").FindAllStringSubmatch(string(doc), -1)
	if n := strings.Count(string(doc), "\n```") / 2; n != len(blocks) || n < 7 {
		t.Fatalf("%d examples, of which %d name a vector", n, len(blocks))
	}
	for _, b := range blocks {
		form, name, text := b[1], b[2], b[3]
		switch form {
		case "json":
			if want := vectorBody(t, filepath.Join(vectorDir, name)); text != string(want) {
				t.Errorf("%s in FORMAT.md is\n%s, the vector\n%s", name, text, want)
			}
		case "hex", "hex-plain":
			want := vectorBody(t, filepath.Join("..", "archive", vectorDir, name))
			if form == "hex-plain" {
				zstd := exec.Command("zstd", "-dc")
				zstd.Stdin = bytes.NewReader(want)
				if want, err = zstd.Output(); err != nil {
					t.Fatal(err)
				}
			}
			if got := unhex(t, text); !bytes.Equal(got, want) {
				t.Errorf("%s in FORMAT.md is\n%x, the vector\n%x", name, got, want)
			}
		default:
			t.Errorf("%s: form %q", name, form)
		}
	}
}

func vectorBody(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(b, []byte("\n\n"))
	return body
}

// unhex reads a dump: bytes between spaces, and what stands behind a semicolon is a comment.
func unhex(t *testing.T, dump string) []byte {
	t.Helper()
	var digits strings.Builder
	for _, line := range strings.Split(dump, "\n") {
		line, _, _ = strings.Cut(line, ";")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
