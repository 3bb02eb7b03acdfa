package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore/swap"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// The failpoints of a restore, an undo or a recovery in a process of its own:
// with killVar=N it is killed at the Nth, with killVar=NAME at the first of that
// name, with listVar=FILE it writes their names there.
const (
	killVar = "HOLDFAST_TEST_KILL"
	listVar = "HOLDFAST_TEST_LIST"
)

// killable is main with failpoints.
func killable() {
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	if path := os.Getenv(listVar); path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			panic(err)
		}
		a.hooks.Fail = func(point string) error {
			_, err := fmt.Fprintln(f, point)
			return err
		}
	}
	if at := os.Getenv(killVar); at != "" {
		n := 0
		a.hooks.Fail = func(point string) error {
			if n++; at == point || at == strconv.Itoa(n) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		}
	}
	os.Exit(mainCode(a))
}

// generations is a world whose store has moved on since its snapshot id.
type generations struct {
	*world
	id       manifest.ID
	old, new map[string]string // what the live stores are before and after the restore
}

func newGenerations(t *testing.T, o store.Options) *generations {
	t.Helper()
	g := &generations{world: newWorld(t, o)}
	g.id, _ = g.created()
	if _, err := store.Touch(t.Context(), g.path("data"), 0.2, 7); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store.Registry(g.path("data")), []byte(`{"projects": ["newer"]}`), 0o640); err != nil {
		t.Fatal(err)
	}
	g.old = hashes(t, g.path("data"))
	g.must(exitOK, "restore", string(g.id), "--to", g.path("expected"))
	g.new = map[string]string{}
	for name, path := range map[string]string{"db": "db/atocore.db", "registry": "config/project-registry.json", "chroma": "chroma"} {
		for rel, hash := range hashes(t, g.path("expected", name)) {
			g.new[filepath.Join(path, rel)] = hash
		}
	}
	return g
}

// in is the same world for a test below the one that made it.
func (g *generations) in(t *testing.T) *generations {
	return &generations{world: g.world.in(t), id: g.id, old: g.old, new: g.new}
}

// hashes is the hash of every file of the live stores at or below path. What
// holdfast keeps beside them, and SQLite's -shm and an empty -wal, which are no
// data and come with the first reader, do not count.
func hashes(t *testing.T, path string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), ".holdfast-"):
			return fs.SkipDir
		case e.IsDir() || strings.HasSuffix(p, "-shm"):
			return nil
		}
		b, err := os.ReadFile(p)
		if len(b) == 0 && strings.HasSuffix(p, "-wal") {
			return err
		}
		rel, _ := filepath.Rel(path, p)
		files[rel] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// is insists on one generation of the live stores.
func (g *generations) is(what string, want map[string]string) {
	g.t.Helper()
	if diff := cmp.Diff(want, hashes(g.t, g.path("data"))); diff != "" {
		g.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// which is "old" or "new", by every file.
func (g *generations) which() string {
	g.t.Helper()
	got := hashes(g.t, g.path("data"))
	switch {
	case cmp.Equal(got, g.old):
		return "old"
	case cmp.Equal(got, g.new):
		return "new"
	}
	g.t.Errorf("neither old nor new (-old +got):\n%s\n(-new +got):\n%s", cmp.Diff(g.old, got), cmp.Diff(g.new, got))
	return "neither"
}

// keep copies the stores and what holdfast knows of them; the result brings all back.
func (g *generations) keep() (reset func()) {
	g.t.Helper()
	from := g.t.TempDir()
	copyAll := func(from, to string) {
		g.t.Helper()
		for _, name := range []string{"data", ".holdfast"} {
			err := os.RemoveAll(filepath.Join(to, name))
			if err == nil {
				err = exec.Command("cp", "-a", filepath.Join(from, name), filepath.Join(to, name)).Run()
			}
			if err != nil {
				g.t.Fatal(err)
			}
		}
	}
	copyAll(g.dir, from)
	return func() { copyAll(from, g.dir) }
}

// points lists the failpoints of a command, which must succeed.
func (g *generations) points(args ...string) []string {
	g.t.Helper()
	list := filepath.Join(g.t.TempDir(), "points")
	cmd := g.command(args...)
	cmd.Env = append(os.Environ(), listVar+"="+list)
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	b, err := os.ReadFile(list)
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// killed runs a command that is killed at its nth failpoint, and says whether it was.
func (g *generations) killed(n int, args ...string) bool {
	g.t.Helper()
	cmd := g.command(args...)
	cmd.Env = append(os.Environ(), killVar+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		g.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return err != nil
}

// hooked runs holdfast in this process with failpoints.
func (g *generations) hooked(hooks swap.Hooks, args ...string) (exitCode, string) {
	g.t.Helper()
	var out, errs bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &errs, noEnv)
	a.hooks = hooks
	code := a.run(g.t.Context(), append([]string{"--config", g.path("holdfast.yaml"), "--json"}, args...))
	if err := checkVerdict(out.Bytes(), code); err != nil {
		g.t.Error(err)
	}
	return code, out.String()
}

// leftovers insists that nothing is beside the stores but one kept generation.
func (g *generations) leftovers() {
	g.t.Helper()
	none(g.t, g.path("data", ".holdfast-restore-*"))
	none(g.t, g.path("data", "*", ".holdfast-restore-*"))
	none(g.t, g.path("data", "*", ".holdfast-stray-*"))
	none(g.t, g.path(".holdfast", "staging", ".holdfast-run-*", "*.sqlite"))
	kept, err := filepath.Glob(g.path("data", "db", ".holdfast-old-*"))
	if err != nil || len(kept) > 1 {
		g.t.Errorf("kept: %v, %v", kept, err)
	}
}

// refused insists that a command ends so, and changes nothing.
func (g *generations) refused(code exitCode, id string, args ...string) {
	g.t.Helper()
	before, kept := hashes(g.t, g.path("data")), len(g.ids())
	got, stdout, stderr := g.run(append(args, "--json")...)
	var e exitError
	if err := json.Unmarshal([]byte(lastLine(stdout)), &e); err != nil || got != code || e.ID != id {
		g.t.Errorf("%v ended with %d, want %d %s: %s%s", args, got, code, id, stdout, stderr)
	}
	g.is("after "+strings.Join(args, " "), before)
	if n := len(g.ids()); n != kept {
		g.t.Errorf("%v left %d snapshots", args, n-kept)
	}
	g.leftovers()
}

func lastLine(s string) string {
	s = strings.TrimSuffix(s, "\n")
	return s[strings.LastIndex(s, "\n")+1:]
}
