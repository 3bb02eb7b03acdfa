package kinds_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/chroma"
	"github.com/atocore/holdfast/core/source/file"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/source/sqlite"
)

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		config kinds.Config
		ok     bool
	}{
		{kinds.Config{Name: "db", Kind: manifest.SQLite, Path: "x"}, true},
		{kinds.Config{Name: "registry", Kind: manifest.File, Path: "x"}, true},
		{kinds.Config{Name: "registry", Kind: manifest.File, Path: "x", Format: "json"}, true},
		{kinds.Config{Name: "chroma", Kind: manifest.Chroma, Path: "x"}, true},
		{kinds.Config{Name: "chroma", Kind: manifest.Chroma, Path: "x", Mode: "cold"}, true},
		{kinds.Config{Name: "chroma", Kind: manifest.Chroma, Path: "x", Mode: "hot"}, false},
		{kinds.Config{Name: "db", Kind: manifest.SQLite, Path: "x", Format: "json"}, false},
		{kinds.Config{Name: "db", Kind: manifest.SQLite, Path: "x", Mode: "cold"}, false},
		{kinds.Config{Name: "registry", Kind: manifest.File, Path: "x", Format: "yaml"}, false},
		{kinds.Config{Name: "db", Kind: manifest.SQLite}, false},
		{kinds.Config{Name: "Db", Kind: manifest.SQLite, Path: "x"}, false},
		{kinds.Config{Name: "db", Kind: "postgres", Path: "x"}, false},
	} {
		s, err := kinds.Open(c.config)
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.config, err)
		}
		if err == nil && (s.Name() != c.config.Name || s.Kind() != c.config.Kind) {
			t.Errorf("%+v: gave %s of kind %s", c.config, s.Name(), s.Kind())
		}
	}
}

// Each kind's inspection is reached, with its format.
func TestInspect(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for kind, id := range map[manifest.Kind]string{manifest.SQLite: sqlite.IDMissing, manifest.File: file.IDMissing, manifest.Chroma: chroma.IDMissing} {
		r, err := kinds.Inspect(context.Background(), kind, missing, source.Quick, nil)
		if err != nil || len(r.Checks) == 0 || r.Checks[0].ID != id {
			t.Errorf("%s: %+v, %v", kind, r, err)
		}
	}
	if _, err := kinds.Inspect(context.Background(), "postgres", missing, source.Quick, nil); err == nil {
		t.Error("an unknown kind was inspected")
	}
	broken := filepath.Join(t.TempDir(), "registry.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := &manifest.Facts{File: &manifest.FileFacts{Format: "json"}}
	for name, inspect := range map[string]func() (source.Report, error){
		"baseline": func() (source.Report, error) {
			return kinds.Inspect(context.Background(), manifest.File, broken, source.Quick, base)
		},
		"format": func() (source.Report, error) {
			return kinds.InspectAs(context.Background(), manifest.File, "json", broken, source.Quick, nil)
		},
	} {
		r, err := inspect()
		if err != nil || r.Checks[len(r.Checks)-1].ID != file.IDInvalidJSON {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A captured copy that is met again is the same stream.
func TestFrozenAt(t *testing.T) {
	w := backuptest.New(t)
	w.Chroma()
	var sources []source.Source
	for _, c := range w.Components {
		s, err := kinds.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
	}
	cut, err := source.Cut(t.Context(), sources, source.Options{Staging: t.TempDir()})
	if err != nil || len(cut.Failed) > 0 {
		t.Fatal(err, cut.Failed)
	}
	for _, s := range sources {
		want := cut.Frozen[s.Name()]
		got, err := kinds.FrozenAt(s.Kind(), want.Path)
		if err != nil {
			t.Fatal(err)
		}
		if got.ChunkSize != want.ChunkSize || got.Path != want.Path {
			t.Errorf("%s: %d, %s, want %d, %s", s.Name(), got.ChunkSize, got.Path, want.ChunkSize, want.Path)
		}
		if diff := cmp.Diff(contents(t, want), contents(t, got)); diff != "" {
			t.Errorf("%s: parts (-want +got):\n%s", s.Name(), diff)
		}
	}
}

// What is no such store is refused.
func TestFrozenAtRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "link")
	if err := os.Symlink("elsewhere", path); err != nil {
		t.Fatal(err)
	}
	for kind, at := range map[manifest.Kind]string{manifest.SQLite: path, manifest.File: path, manifest.Chroma: dir, "postgres": path} {
		if f, err := kinds.FrozenAt(kind, at); err == nil {
			t.Errorf("%s: %+v", kind, f)
		}
	}
}

// contents are the parts with the SHA-256 of what they hold.
func contents(t *testing.T, f *source.Frozen) (all []string) {
	t.Helper()
	for _, p := range f.Parts {
		h := sha256.New()
		if p.Open != nil {
			r, err := p.Open()
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(h, r)
			if err := errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, fmt.Sprintf("%q %x %d %d %x", p.Name, sha256.Sum256(p.Header), p.Size, p.Pad, h.Sum(nil)))
	}
	return all
}
