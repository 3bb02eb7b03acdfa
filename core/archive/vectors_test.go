package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

var update = flag.Bool("update", false, "write the test vectors anew")

const vectorDir = "testdata/vectors"

// vector is a file of testdata/vectors: a header of lines "name: value", an empty line, then the bytes.
type vector struct {
	name   string
	header map[string]string
	data   []byte
}

func (v vector) number(t *testing.T, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(v.header[name], 10, 64)
	if err != nil {
		t.Fatalf("%s: header %s: %v", v.name, name, err)
	}
	return n
}

func readVector(t testing.TB, path string) vector {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, data, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		t.Fatalf("%s has no empty line", path)
	}
	v := vector{filepath.Base(path), map[string]string{}, data}
	for _, line := range strings.Split(string(head), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("%s: %q", path, line)
		}
		v.header[name] = value
	}
	return v
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob(vectorDir + "/*")
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d vectors: %v", len(paths), err)
	}
	var all []vector
	for _, p := range paths {
		all = append(all, readVector(t, p))
	}
	return all
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	shown := map[string]bool{}
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			var err error
			switch v.header["kind"] {
			case "frame":
				err = decodeFrameVector(t, v)
			case "index":
				err = decodeIndexVector(t, v)
			default:
				t.Fatalf("kind %q", v.header["kind"])
			}
			if got := verdict(err); got != v.header["expect"] {
				t.Fatalf("got %s, want %s (%v)", got, v.header["expect"], err)
			}
			shown[v.header["expect"]] = true
		})
	}
	for _, id := range []string{
		"ok", BadCompression, BadFrame, Truncated, TrailingData, BadVarint, BadField, TooLong, BadHeader, BadBase,
		BadColumns, BadRun, BadPlace, BadSize, BadPart, BadFacts, BadTrailer,
	} {
		if !shown[id] {
			t.Errorf("no vector shows %s", id)
		}
	}
}

func verdict(err error) string {
	var f *FormatError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &f):
		return f.ID
	}
	return "untyped: " + err.Error()
}

func decodeFrameVector(t *testing.T, v vector) error {
	dec, err := newFrameDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.close()
	raw, err := dec.decode(nil, v.data, int(v.number(t, "raw")))
	if err == nil && fmt.Sprintf("%x", sha256.Sum256(raw)) != v.header["sha256"] {
		t.Fatalf("the frame's content has SHA-256 %x", sha256.Sum256(raw))
	}
	return err
}

func decodeIndexVector(t *testing.T, v vector) error {
	r, err := readIndexVector(t, v)
	if err != nil {
		return err
	}
	defer r.Close()
	if got := fmt.Sprintf("%x", r.SHA256); got != v.header["sha256"] {
		t.Fatalf("the index speaks of a stream with SHA-256 %s", got)
	}
	// What was read is written again: the same index message, whatever the compressor makes of it.
	base := r.Base()
	if v.header["base"] == "" {
		base = nil
	}
	x, err := WriteIndex(t.TempDir(), r, base)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if again := plainIndex(t, io.NewSectionReader(x, 0, x.Size)); !bytes.Equal(again, plainIndex(t, bytes.NewReader(v.data))) {
		t.Fatalf("written again, the index is another:\n%x", again)
	}
	return nil
}

func readIndexVector(t *testing.T, v vector) (*Recipe, error) {
	limits := Limits{ChunkSize: int(v.number(t, "chunk_size")), Size: v.number(t, "size"), Sealed: v.header["sealed"] == "yes"}
	if v.header["base"] == "" {
		return ReadIndex(t.TempDir(), bytes.NewReader(v.data), nil, nil, limits)
	}
	full := readVector(t, filepath.Join(vectorDir, v.header["base"]))
	base, err := ReadIndex(t.TempDir(), bytes.NewReader(full.data), nil, nil,
		Limits{ChunkSize: limits.ChunkSize, Size: BaseLimit(limits.Size), Sealed: limits.Sealed})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	sum := sha256.Sum256(full.data)
	return ReadIndex(t.TempDir(), bytes.NewReader(v.data), base, &sum, limits)
}

// plainIndex is the Index message without its compression.
func plainIndex(t *testing.T, r io.Reader) []byte {
	t.Helper()
	stored, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := decompress(stored)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decompress(stored []byte) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	return dec.DecodeAll(stored, nil)
}
