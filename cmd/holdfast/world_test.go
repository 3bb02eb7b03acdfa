package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// world is a live store, a configuration that names it, and a local target:
//
//	data/  backup/  .holdfast/  holdfast.yaml
type world struct {
	t   *testing.T
	dir string
	bin string // behaves as holdfast
}

// newWorld generates the store and runs init.
func newWorld(t *testing.T, o store.Options) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), bin: testBinary(t)}
	if err := store.Generate(t.Context(), w.path("data"), o); err != nil {
		t.Fatal(err)
	}
	w.must(exitOK, "init", "--data", w.path("data"), "--target-path", w.path("backup"), "--state-dir", w.path(".holdfast"))
	return w
}

// in is the same world for a test below the one that made it.
func (w *world) in(t *testing.T) *world { return &world{t: t, dir: w.dir, bin: w.bin} }

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

// run runs holdfast in this process.
func (w *world) run(args ...string) (code exitCode, stdout, stderr string) {
	w.t.Helper()
	return w.runIn(w.t.Context(), args...)
}

// runIn is run with a context of its own.
func (w *world) runIn(ctx context.Context, args ...string) (code exitCode, stdout, stderr string) {
	w.t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"--config", w.path("holdfast.yaml")}, args...)
	code = run(ctx, args, strings.NewReader(""), &out, &errs, noEnv)
	if slices.Contains(args, "--json") {
		if err := checkVerdict(out.Bytes(), code); err != nil {
			w.t.Errorf("holdfast %s: %v", strings.Join(args, " "), err)
		}
	}
	return code, out.String(), errs.String()
}

// must runs holdfast in this process and insists on its exit code.
func (w *world) must(want exitCode, args ...string) (stdout string) {
	w.t.Helper()
	code, stdout, stderr := w.run(args...)
	if code != want {
		w.t.Fatalf("holdfast %s ended with %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	return stdout
}

// command prepares holdfast in a process of its own.
func (w *world) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.t.Context(), w.bin, args...)
	cmd.Dir = w.dir
	return cmd
}

// created is what a create sent and made.
func (w *world) created(args ...string) (id manifest.ID, sent int64) {
	w.t.Helper()
	var r createReport
	decodeLast(w.t, w.must(exitOK, append([]string{"create", "--json"}, args...)...), &r)
	return r.Targets[0].ID, r.Targets[0].Sent
}

// ids lists the snapshots, oldest first; every one has to be whole.
func (w *world) ids() (ids []manifest.ID) {
	w.t.Helper()
	var r listReport
	decodeLast(w.t, w.must(exitOK, "list", "--json"), &r)
	for _, s := range r.Targets[0].Sets[0].Snapshots {
		ids = append(ids, s.ID)
	}
	return ids
}

// decodeLast decodes the last of the JSON lines.
func decodeLast(t *testing.T, lines string, v any) {
	t.Helper()
	lines = strings.TrimSuffix(lines, "\n")
	if err := json.Unmarshal([]byte(lines[strings.LastIndex(lines, "\n")+1:]), v); err != nil {
		t.Fatalf("%v: %s", err, lines)
	}
}

// files returns the sizes of the regular files below dir by their slashed paths.
func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		sizes[filepath.ToSlash(rel)] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sizes
}

// none insists that no path matches the pattern.
func none(t *testing.T, pattern string) {
	t.Helper()
	if paths, err := filepath.Glob(pattern); err != nil || len(paths) > 0 {
		t.Errorf("left behind: %v, %v", paths, err)
	}
}

// sameFile compares two files byte for byte.
func sameFile(t *testing.T, want, got string) {
	t.Helper()
	a, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s and %s differ", want, got)
	}
}
