package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

// What each reading command says of a repository in which one object is damaged.
// An object that a command does not need does not bother it.
func TestDamagedObjects(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 256 << 10})
	w.must(exitOK, "create")

	commands := []string{"list", "show", "validate", "restore", "dump"}
	objects := []struct {
		kind, glob string
		want       map[string][]exitCode // of commands, for flipped, truncated and missing
	}{
		{"volume", "atocore/archives/*/db-00000.zst", map[string][]exitCode{
			"list": {0, 0, 0}, "show": {0, 0, 0}, "validate": {4, 4, 4}, "restore": {4, 4, 4}, "dump": {4, 4, 4},
		}},
		{"index", "atocore/archives/*/db.index.zst", map[string][]exitCode{
			"list": {0, 0, 0}, "show": {0, 0, 0}, "validate": {4, 4, 4}, "restore": {4, 4, 4}, "dump": {4, 4, 4},
		}},
		{"manifest", "atocore/manifests/*.json", map[string][]exitCode{
			"list": {4, 4, 0}, "show": {4, 4, 6}, "validate": {4, 4, 6}, "restore": {4, 4, 6}, "dump": {4, 4, 6},
		}},
		{"marker", "holdfast.json", map[string][]exitCode{
			"list": {4, 4, 4}, "show": {4, 4, 4}, "validate": {4, 4, 4}, "restore": {4, 4, 4}, "dump": {4, 4, 4},
		}},
	}
	damages := []func(path string, whole []byte) error{
		func(path string, whole []byte) error {
			b := bytes.Clone(whole)
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		func(path string, whole []byte) error { return os.WriteFile(path, whole[:len(whole)/2], 0o600) },
		func(path string, _ []byte) error { return os.Remove(path) },
	}
	id := string(w.ids()[0])
	for _, o := range objects {
		paths, err := filepath.Glob(w.path("backup", o.glob))
		if err != nil || len(paths) != 1 {
			t.Fatalf("%s: %v, %v", o.glob, paths, err)
		}
		path := paths[0]
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, damage := range damages {
			how := [...]string{"flipped", "truncated", "missing"}[i]
			if err := damage(path, whole); err != nil {
				t.Fatal(err)
			}
			// What list has read before it believes; validate, for one, reads the target.
			if err := os.RemoveAll(w.path(".holdfast", "manifests")); err != nil {
				t.Fatal(err)
			}
			for _, command := range commands {
				t.Run(fmt.Sprintf("%s %s %s", command, o.kind, how), func(t *testing.T) {
					to := filepath.Join(t.TempDir(), "out")
					args := map[string][]string{
						"list": {"list", "--json"}, "show": {"show", id, "--json"}, "validate": {"validate", id, "--json"},
						"restore": {"restore", id, "--to", to, "--json"}, "dump": {"dump", id, "db"},
					}[command]
					code, stdout, stderr := w.in(t).run(args...)
					if want := o.want[command][i]; code != want {
						t.Errorf("ended with %d, want %d\n%s%s", code, want, stdout, stderr)
					}
					if code != exitOK {
						none(t, to)
					}
					if code != exitOK && command == "dump" && stdout != "" {
						t.Errorf("%d bytes of what is damaged were written", len(stdout))
					}
				})
			}
			if err := os.RemoveAll(w.path("backup", "atocore", "damaged")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.must(exitOK, "validate", "--all") // the damage was the only thing wrong
}
