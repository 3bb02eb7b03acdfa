package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
)

// atocore returns the components of the AtoCore data directory at data, an
// absolute path:
//
//	db/*.db                        one sqlite component each; the one called atocore.db, or the only one, is "db"
//	config/project-registry.json   "registry", beside data if it is not in it; optional, as in AtoCore itself
//	chroma/                        "chroma"; optional while it is not there
//
// No database is an error: without one the directory is something else.
func atocore(data string) ([]config.Component, error) {
	databases, err := filepath.Glob(filepath.Join(escapeGlob(data), "db", "*.db"))
	if err != nil {
		return nil, err
	}
	databases = slices.DeleteFunc(databases, func(p string) bool { return !exists(p, fs.FileMode.IsRegular) })
	if len(databases) == 0 {
		return nil, fmt.Errorf("%s is no AtoCore data directory: it has no db/*.db", data)
	}

	var components []config.Component
	used := map[string]bool{"registry": true, "chroma": true}
	slices.SortFunc(databases, func(a, b string) int { // atocore.db first, it is the one that is called db
		main := func(p string) bool { return filepath.Base(p) == "atocore.db" }
		if main(a) != main(b) {
			if main(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for i, path := range databases {
		name := "db"
		if i > 0 {
			name = strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(filepath.Base(path), ".db"), "-", "_"))
		}
		for n := 2; used[name] || !manifest.ValidComponent(name); n++ {
			name = fmt.Sprintf("db%d", n)
		}
		used[name] = true
		components = append(components, config.Component{Name: name, Kind: config.SQLite, Path: path})
	}

	registry := filepath.Join(data, "config", "project-registry.json")
	if beside := filepath.Join(filepath.Dir(data), "config", "project-registry.json"); !exists(registry, fs.FileMode.IsRegular) && exists(beside, fs.FileMode.IsRegular) {
		registry = beside
	}
	chroma := filepath.Join(data, "chroma")
	return append(components,
		config.Component{Name: "registry", Kind: config.File, Path: registry, Format: config.FormatJSON, Optional: true},
		config.Component{Name: "chroma", Kind: config.Chroma, Path: chroma, Mode: config.ModeCold, Optional: !exists(chroma, fs.FileMode.IsDir)},
	), nil
}

// exists says whether there is something at path, behind symbolic links, of the
// wanted type.
func exists(path string, is func(fs.FileMode) bool) bool {
	info, err := os.Stat(path)
	return err == nil && is(info.Mode())
}

// escapeGlob returns a pattern that matches path itself.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// targetFlag reads [NAME=]DIR; the name of the n-th target that has none is
// local, local2 and so on.
func targetFlag(value string, n int) (config.Target, error) {
	name, dir, named := strings.Cut(value, "=")
	if !named || !manifest.ValidComponent(name) {
		name, dir = "local", value
		if n > 1 {
			name = fmt.Sprintf("local%d", n)
		}
	}
	if dir == "" {
		return config.Target{}, fmt.Errorf("--target-path %q: no directory", value)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return config.Target{}, err
	}
	return config.Target{Name: name, Plugin: "local", Config: map[string]any{"path": abs}}, nil
}
