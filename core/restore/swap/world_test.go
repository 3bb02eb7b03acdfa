package swap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore/swap"
)

const magic = "SQLite format 3\x00"

// world is a small live store of all three kinds and a state directory, with names of its own for all.
type world struct {
	root   string
	mounts []string // paths that the hook says are mount points
	fail   func(string) error
	check  swap.Check
	ran    int // swaps begun; makes ids
}

// tree is what stands below a directory: path to content.
type tree map[string]string

func newWorld(root string, mounts ...string) *world {
	w := &world{root: root, mounts: mounts}
	w.write(tree{
		"data/db/app.db":                 magic + strings.Repeat("old page ", 200),
		"data/db/app.db-wal":             "old log",
		"data/db/app.db-shm":             "old shared memory",
		"data/registry.json":             `{"old":true}`,
		"data/chroma/chroma.sqlite3":     magic + "old vectors",
		"data/chroma/chroma.sqlite3-wal": "old vector log",
		"data/chroma/aa/header.bin":      "old header",
		"data/chroma/aa/data.bin":        "old data",
		"data/chroma/both/header.bin":    "old header of both",
		"data/chroma/.dot":               "old dot file",
		"data/chroma/lost+found/kept":    "never moved in a mount",
		"state/unrelated":                "other state",
	})
	return w
}

// staged is what the tests restore.
var staged = map[string]tree{
	"db":       {"": magic + strings.Repeat("new page ", 150)},
	"registry": {"": `{"new":"longer than the old one"}`},
	"chroma":   {"/chroma.sqlite3": magic + "new vectors", "/bb/header.bin": "new header", "/both/header.bin": "new header of both", "/bb/empty": ""},
}

func (w *world) path(rel string) string { return filepath.Join(w.root, rel) }

func (w *world) write(t tree) {
	for rel, content := range t {
		must(os.MkdirAll(filepath.Dir(w.path(rel)), 0o700))
		must(os.WriteFile(w.path(rel), []byte(content), 0o600))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (w *world) items() []swap.Item {
	return []swap.Item{
		{Name: "registry", Kind: manifest.File, Live: w.path("data/registry.json")},
		{Name: "db", Kind: manifest.SQLite, Live: w.path("data/db/app.db")},
		{Name: "chroma", Kind: manifest.Chroma, Live: w.path("data/chroma")},
	}
}

func (w *world) hooks() swap.Hooks {
	h := swap.Hooks{Fail: func(point string) error {
		if w.fail != nil {
			return w.fail(point)
		}
		return nil
	}}
	if len(w.mounts) > 0 {
		h.Mount = func(path string) (uint64, error) {
			if _, err := os.Lstat(path); err != nil {
				return 0, err
			}
			for i, m := range w.mounts {
				if path == w.path(m) || strings.HasPrefix(path, w.path(m)+"/") {
					return uint64(i) + 2, nil
				}
			}
			return 1, nil
		}
	}
	return h
}

func (w *world) now() time.Time { return time.Date(2026, 4, 11, 9, 46, w.ran, 0, time.UTC) }

func (w *world) rand() *bytes.Reader { return bytes.NewReader([]byte{0x7f, 0x3a, 0x9c, byte(w.ran)}) }

func (w *world) prepare(items ...swap.Item) (*swap.Swap, error) {
	w.ran++
	if len(items) == 0 {
		items = w.items()
	}
	return swap.Prepare(context.Background(), swap.Options{
		Dir: w.path("state"), Items: items, Label: fmt.Sprint("restore ", w.ran), Now: w.now, Rand: w.rand(), Check: w.check, Hooks: w.hooks(),
	})
}

// stage puts what the tests restore at its place, with a scratch file that is nobody's.
func (w *world) stage(s *swap.Swap, items ...swap.Item) {
	if len(items) == 0 {
		items = w.items()
	}
	for _, it := range items {
		for rel, content := range staged[it.Name] {
			path := s.Staged(it.Name) + rel
			must(os.MkdirAll(filepath.Dir(path), 0o700))
			must(os.WriteFile(path, []byte(content), 0o600))
		}
		must(os.WriteFile(filepath.Join(s.Staging(it.Name), "scratch"), nil, 0o600))
	}
}

// restore does a whole restore; what it leaves after an error is abandoned, as callers do.
func (w *world) restore(items ...swap.Item) (*swap.Outcome, error) {
	s, err := w.prepare(items...)
	if err != nil {
		return nil, err
	}
	w.stage(s, items...)
	out, err := s.Run(context.Background())
	if err != nil {
		err = errors.Join(err, s.Abandon())
	}
	return out, err
}

func (w *world) undo() (*swap.Outcome, error) {
	w.ran++
	return swap.Undo(context.Background(), swap.UndoOptions{Dir: w.path("state"), Now: w.now, Rand: w.rand(), Check: w.check, Hooks: w.hooks()})
}

func (w *world) recover() (*swap.Outcome, error) { return w.take("") }

func (w *world) take(g swap.Generation) (*swap.Outcome, error) {
	return swap.Recover(context.Background(), swap.RecoverOptions{Dir: w.path("state"), Take: g, Hooks: w.hooks()})
}

func (w *world) drop() (*swap.Outcome, error) {
	_, err := swap.Drop(context.Background(), swap.DropOptions{Dir: w.path("state"), Hooks: w.hooks()})
	return nil, err
}

// look reads everything below a directory of the world, directories and owners too. Of the journal only that it is there.
func (w *world) look(rel string) tree {
	t := tree{}
	must(filepath.WalkDir(w.path(rel), func(path string, d fs.DirEntry, err error) error {
		if path == w.path(rel) && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		must(err)
		var st unix.Stat_t
		must(unix.Lstat(path, &st))
		content := ""
		if d.Type().IsRegular() && d.Name() != "restore.json" {
			b, err := os.ReadFile(path)
			must(err)
			content = string(b)
		}
		rel, err := filepath.Rel(w.root, path)
		must(err)
		t[rel] = fmt.Sprintf("%o %d:%d %s", st.Mode, st.Uid, st.Gid, content)
		return nil
	}))
	return t
}

// live is look without what this package keeps.
func (w *world) live() tree {
	t := w.look("data")
	maps.DeleteFunc(t, func(path, _ string) bool { return strings.Contains(path, "/.holdfast-") })
	return t
}

// killed is what a failpoint panics with in place of a SIGKILL: no deferred function of the package acts on a disk.
type killed struct{ point string }

// killAt lets the n-th failpoint, from 0, end what runs.
func (w *world) killAt(n int) {
	w.fail = func(point string) error {
		if n--; n < 0 {
			panic(killed{point})
		}
		return nil
	}
}

// attempt runs op and reports the point at which it was killed, if it was.
func (w *world) attempt(op func() (*swap.Outcome, error)) (out *swap.Outcome, at string, err error) {
	defer func() {
		w.fail = nil
		if r := recover(); r != nil {
			k, ok := r.(killed)
			if !ok {
				panic(r)
			}
			out, at = nil, k.point
		}
	}()
	out, err = op()
	return out, "", err
}

// points counts the failpoints of op, which succeeds.
func (w *world) points(t *testing.T, op func() (*swap.Outcome, error)) []string {
	t.Helper()
	var all []string
	w.fail = func(point string) error {
		all = append(all, point)
		return nil
	}
	_, _, err := w.attempt(op)
	if err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
		t.Fatal(err)
	}
	return all
}

// ended checks what must hold when everything is over: one of the trees, and nothing left to recover.
func (w *world) ended(t *testing.T, at string, allowed ...tree) tree {
	t.Helper()
	got := w.look(".")
	if _, err := w.recover(); !errors.Is(err, swap.ErrNothingToRecover) {
		t.Fatalf("%s: a second recover: %v", at, err)
	}
	if diff := cmp.Diff(got, w.look(".")); diff != "" {
		t.Fatalf("%s: a second recover changed something: %s", at, diff)
	}
	if !slices.ContainsFunc(allowed, func(a tree) bool { return maps.Equal(a, got) }) {
		for _, a := range allowed {
			t.Errorf("%s: -allowed +got: %s", at, cmp.Diff(a, got))
		}
		t.FailNow()
	}
	return got
}
