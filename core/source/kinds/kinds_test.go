package kinds_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

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
