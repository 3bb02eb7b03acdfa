// Package core_test holds the rule of which packages may use which: imports point one way.
package core_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/atocore/holdfast/"

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Standard   bool
	CgoFiles   []string
	Imports    []string
	Deps       []string // all that it reaches
}

// list describes this module's packages and all that they reach.
func list(t *testing.T) map[string]*pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-tags", "sqlite_fts5", "-deps", "-json=ImportPath,Standard,CgoFiles,Imports,Deps", module+"...")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := map[string]*pkg{}
	for d := json.NewDecoder(out); ; {
		p := new(pkg)
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

// below reports whether a package is one of these, or lies in one of their folders.
func below(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, strings.TrimSuffix(r, "/")+"/") })
}

func TestImports(t *testing.T) {
	all := list(t)
	const (
		sqlite = "github.com/mattn/go-sqlite3"
		zstd   = "github.com/klauspost/compress"
	)
	light := []string{module + "core/target", module + "plugins/sdk", module + "targets"} // what a third party builds on
	seen := map[string]int{}
	for path, p := range all {
		if !below(path, module) {
			continue
		}
		test := slices.Contains(p.Imports, "testing") // helpers of tests
		inCore := below(path, module+"core")
		forbid := func(rule string, reached []string, roots ...string) {
			seen[rule]++
			for _, dep := range reached {
				if below(dep, roots...) {
					t.Errorf("%s imports %s: %s", path, dep, rule)
				}
			}
		}
		if inCore {
			forbid("core knows no cloud, no RPC and no flags", p.Deps,
				"gocloud.dev", "cloud.google.com", "github.com/aws", "github.com/hashicorp/go-plugin", "google.golang.org/grpc", "github.com/spf13")
			forbid("core is what the others build on", p.Deps, module+"cmd", module+"plugins", module+"targets", module+"examples")
		}
		if !below(path, module+"examples") && !test {
			if !below(path, module+"core/source") {
				forbid("only sources open databases", p.Imports, sqlite)
			}
			if path != module+"core/archive" {
				forbid("only core/archive compresses", p.Imports, zstd)
			}
		}
		if below(path, light...) {
			seen["light"]++
			for _, dep := range p.Deps {
				if d := all[dep]; dep != "C" && !d.Standard && len(d.CgoFiles) > 0 {
					t.Errorf("%s reaches %s, which needs cgo", path, dep)
				}
			}
		}
		if below(path, module+"core/target", module+"targets", module+"plugins") {
			forbid("targets know nothing of what is stored in them", p.Deps, module+"core/source", module+"core/archive", module+"core/backup", module+"core/restore", module+"cmd")
		}
	}
	// The rules speak of packages that are there, and of libraries that somebody imports.
	if len(seen) != 6 || seen["light"] < 4 {
		t.Errorf("the rules were applied %v", seen)
	}
	for path, by := range map[string]string{sqlite: module + "core/source/sqlite", zstd + "/zstd": module + "core/archive"} {
		if all[path] == nil || !slices.Contains(all[by].Imports, path) {
			t.Errorf("%s does not import %s: the rule speaks of something else by now", by, path)
		}
	}
}
