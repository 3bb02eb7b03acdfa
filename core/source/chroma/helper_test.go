package chroma

import (
	"archive/tar"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// The vector segments of the recorded store, by collection.
const (
	segChunks   = "2ebbdf92-2339-4146-bee8-97e5d2a659af" // 1,000 persisted, 250 in the queue
	segMemories = "989bc487-ec3b-4702-9724-b18e4f01b65b" // 430 live, with deletes
	segFresh    = "9983f31d-b3f3-41e9-9b09-7c52f8820067" // 40 in the queue only
)

// recorded unpacks the directory recorded from a real server (1.5.9) into a new directory.
func recorded(t testing.TB) string {
	t.Helper()
	f, err := os.Open("testdata/chroma-1.5.9-small.tar.zst")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, "chroma")
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, b)
		if err := os.Chtimes(path, h.ModTime, h.ModTime); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// execSQL changes a store's database, and leaves it closed.
func execSQL(t testing.TB, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Path: filepath.Join(dir, Database)}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func capture(t testing.TB, dir string) (*source.Frozen, error) {
	t.Helper()
	res, err := source.Cut(context.Background(), []source.Source{New("chroma", dir)}, source.Options{Staging: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return res.Frozen["chroma"], res.Failed["chroma"]
}

func mustCapture(t testing.TB, dir string) *source.Frozen {
	t.Helper()
	f, err := capture(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// stream concatenates the parts.
func stream(t testing.TB, f *source.Frozen) []byte {
	t.Helper()
	var out []byte
	for _, p := range f.Parts {
		out = append(out, p.Header...)
		if p.Size > 0 {
			r, err := p.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
			if int64(len(b)) != p.Size {
				t.Fatalf("%s has %d bytes, its part says %d", p.Name, len(b), p.Size)
			}
			out = append(out, b...)
		}
		out = append(out, make([]byte, p.Pad)...)
	}
	return out
}

func inspect(t testing.TB, dir string, level source.Level, base *manifest.ChromaFacts) source.Report {
	t.Helper()
	r, err := Inspect(context.Background(), dir, level, base)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
