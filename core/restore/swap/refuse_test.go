package swap_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore/swap"
)

// What cannot be replaced is refused by Prepare, and nothing is left of the attempt.
func TestPrepareRefuses(t *testing.T) {
	item := func(kind manifest.Kind, live string) func(w *world) []swap.Item {
		return func(w *world) []swap.Item { return []swap.Item{{Name: "db", Kind: kind, Live: w.path(live)}} }
	}
	for name, c := range map[string]struct {
		items func(w *world) []swap.Item
		world func(w *world)
		want  error
	}{
		"a link":                    {item(manifest.SQLite, "link"), func(w *world) { must(os.Symlink("data/db/app.db", w.path("link"))) }, swap.ErrUnsuitable},
		"below a link":              {item(manifest.SQLite, "link/app.db"), func(w *world) { must(os.Symlink("data/db", w.path("link"))) }, swap.ErrUnsuitable},
		"a directory for a file":    {item(manifest.File, "data/db"), nil, swap.ErrUnsuitable},
		"a file for a directory":    {item(manifest.Chroma, "data/registry.json"), nil, swap.ErrUnsuitable},
		"a FIFO":                    {item(manifest.File, "fifo"), func(w *world) { must(unix.Mkfifo(w.path("fifo"), 0o600)) }, swap.ErrUnsuitable},
		"below a file":              {item(manifest.File, "data/registry.json/x"), nil, unix.ENOTDIR},
		"relative":                  {func(*world) []swap.Item { return []swap.Item{{Name: "db", Kind: manifest.File, Live: "db"}} }, nil, swap.ErrUnsuitable},
		"not UTF-8":                 {item(manifest.File, "data/\xff"), nil, swap.ErrUnsuitable},
		"a mount in the directory":  {item(manifest.Chroma, "data/chroma"), func(w *world) { w.mounts = []string{"data/chroma/aa"} }, swap.ErrUnsuitable},
		"the journal in what moves": {item(manifest.Chroma, "state"), nil, swap.ErrUnsuitable},
		"one in the other": {func(w *world) []swap.Item {
			return []swap.Item{{Name: "a", Kind: manifest.Chroma, Live: w.path("data")}, {Name: "b", Kind: manifest.File, Live: w.path("data/registry.json")}}
		}, nil, swap.ErrUnsuitable},
		"a sidecar of the other": {func(w *world) []swap.Item {
			return []swap.Item{{Name: "a", Kind: manifest.SQLite, Live: w.path("data/db/app.db")}, {Name: "b", Kind: manifest.File, Live: w.path("data/db/app.db-wal")}}
		}, nil, swap.ErrUnsuitable},
		"twice": {func(w *world) []swap.Item {
			return []swap.Item{{Name: "a", Kind: manifest.File, Live: w.path("x")}, {Name: "a", Kind: manifest.File, Live: w.path("y")}}
		}, nil, nil},
		"a name that is a path": {func(w *world) []swap.Item {
			return []swap.Item{{Name: "../a", Kind: manifest.File, Live: w.path("x")}}
		}, nil, nil},
		"a journal of another version": {item(manifest.File, "data/registry.json"), func(w *world) {
			w.write(tree{"state/restore.json": `{"version":2,"phase":"done"}`})
		}, swap.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(scratch(t))
			if c.world != nil {
				c.world(w)
			}
			before := w.look(".")
			_, err := w.prepare(c.items(w)...)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if diff := cmp.Diff(before, w.look(".")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is staged must be complete and plain.
func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		item   int
		change func(staged string) error
		want   error
	}{
		"nothing staged":      {1, os.Remove, swap.ErrNotWhole},
		"a log beside":        {1, func(s string) error { return os.WriteFile(s+"-wal", []byte("log"), 0o600) }, swap.ErrNotWhole},
		"a journal in Chroma": {2, func(s string) error { return os.WriteFile(s+"/chroma.sqlite3-journal", []byte("x"), 0o600) }, swap.ErrNotWhole},
		"a link in Chroma":    {2, func(s string) error { return os.Symlink("/etc", s+"/etc") }, swap.ErrUnsuitable},
		"a FIFO":              {2, func(s string) error { return unix.Mkfifo(s+"/fifo", 0o600) }, swap.ErrUnsuitable},
		"a directory":         {0, func(s string) error { return errors.Join(os.Remove(s), os.Mkdir(s, 0o700)) }, swap.ErrNotWhole},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(scratch(t))
			before := w.look(".")
			s, err := w.prepare()
			if err != nil {
				t.Fatal(err)
			}
			w.stage(s)
			must(c.change(s.Staged(w.items()[c.item].Name)))
			if out, err := s.Run(context.Background()); out != nil || !errors.Is(err, c.want) || errors.Is(err, swap.ErrUnfinished) {
				t.Errorf("%v, %v", out, err)
			}
			if err := s.Abandon(); err != nil {
				t.Error(err)
			}
			w.ended(t, "refused", before)
		})
	}
}

// Owner and mode are those of what is replaced, in a Chroma directory path by path, and an undo has them
// as they were.
func TestOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("NOT ROOT: owners are not compared, only modes")
	}
	for _, mounts := range [][]string{nil, {"data/chroma"}} {
		w := newWorld(scratch(t), mounts...)
		for path, mode := range map[string]uint32{"data/db/app.db": 0o640, "data/registry.json": 0o604, "data/chroma": 0o2750, "data/chroma/chroma.sqlite3": 0o660, "data/chroma/both": 0o710, "data/chroma/both/header.bin": 0o444} {
			if os.Getuid() == 0 {
				must(os.Lchown(w.path(path), 1000+int(mode), 2000))
			}
			must(unix.Chmod(w.path(path), mode))
		}
		before := w.live()
		if _, err := w.restore(); err != nil {
			t.Fatal(err)
		}
		after := w.live()
		for path, like := range map[string]string{
			"data/db/app.db": "data/db/app.db", "data/registry.json": "data/registry.json", "data/chroma": "data/chroma", "data/chroma/chroma.sqlite3": "data/chroma/chroma.sqlite3",
			"data/chroma/both": "data/chroma/both", "data/chroma/both/header.bin": "data/chroma/both/header.bin", "data/chroma/bb": "data/chroma", "data/chroma/bb/header.bin": "data/chroma/chroma.sqlite3",
		} {
			got, want := strings.Fields(after[path])[:2], strings.Fields(before[like])[:2]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, mounted %v: %s", path, mounts, diff)
			}
		}
		if _, err := w.undo(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.live()); diff != "" {
			t.Error(diff)
		}
	}
}

// childWorld names the world in which a child of these tests works.
const childWorld = "HOLDFAST_TEST_SWAP_WORLD"

// Without the right to give a file to the owner of what it replaces, nothing is touched.
func TestForeignOwner(t *testing.T) {
	if root := os.Getenv(childWorld); root != "" {
		w := &world{root: root}
		out, err := w.restore()
		if out != nil || !errors.Is(err, fs.ErrPermission) || !errors.Is(err, swap.ErrUnsuitable) || !strings.Contains(err.Error(), "user 1234 and group 0") || errors.Is(err, swap.ErrUnfinished) {
			t.Fatal(out, err)
		}
		return
	}
	if os.Getuid() != 0 {
		t.Log("NOT ROOT: a foreign owner cannot be made, and is not tested")
		return
	}
	w := newWorld(scratch(t))
	const nobody = 65534
	must(filepath.WalkDir(w.root, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	}))
	must(os.Lchown(w.path("data/db/app.db"), 1234, 0))
	must(os.Chmod(w.path("data/db/app.db"), 0o644)) // #nosec: the child must read it
	before := w.look(".")
	exe := filepath.Join(w.root, "..", filepath.Base(w.root)+".test") // where the child may execute it
	copied, err := os.ReadFile(os.Args[0])
	must(err)
	must(os.WriteFile(exe, copied, 0o755))
	defer os.Remove(exe)
	cmd := exec.Command(exe, "-test.run=^TestForeignOwner$")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), childWorld+"="+w.root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w.ended(t, "foreign owner", before)
}

// A journal that is damaged, of a later version or with a path of its own is not acted on.
func TestForeignJournal(t *testing.T) {
	w := newWorld(scratch(t))
	if _, err := w.restore(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(w.path("state/restore.json"))
	must(err)
	for name, change := range map[string]func(string) string{
		"empty":              func(string) string { return "" },
		"cut":                func(s string) string { return s[:len(s)/2] },
		"trailing":           func(s string) string { return s + "{}" },
		"version":            func(s string) string { return strings.Replace(s, `"version": 1`, `"version": 2`, 1) },
		"unknown member":     func(s string) string { return strings.Replace(s, "{", `{"more": 1,`, 1) },
		"twice":              func(s string) string { return strings.Replace(s, "{", `{"version": 1,`, 1) },
		"phase":              func(s string) string { return strings.Replace(s, `"done"`, `"undone"`, 1) },
		"id":                 func(s string) string { return strings.Replace(s, `"id": "2026`, `"id": "x026`, 1) },
		"a directory":        func(s string) string { return strings.Replace(s, `/.holdfast-old-`, `/data/`, 1) },
		"a relative live":    func(s string) string { return strings.ReplaceAll(s, `"live": "/`, `"live": "`) },
		"reverse of nothing": func(s string) string { return strings.Replace(s, `"reverse": false`, `"reverse": true`, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := change(string(good))
			if bad == string(good) {
				t.Fatal("nothing changed")
			}
			w.write(tree{"state/restore.json": bad})
			before := w.look(".")
			for op, run := range map[string]func() (*swap.Outcome, error){"recover": w.recover, "undo": w.undo, "drop": w.drop, "restore": func() (*swap.Outcome, error) { return w.restore() }} {
				if _, err := run(); !errors.Is(err, swap.ErrForeign) {
					t.Errorf("%s: %v", op, err)
				}
			}
			if diff := cmp.Diff(before, w.look(".")); diff != "" {
				t.Error(diff)
			}
		})
	}
	must(os.WriteFile(w.path("state/restore.json"), good, 0o600))
	if _, err := w.undo(); err != nil {
		t.Error(err)
	}
}

// A kept generation that was written to is not put back.
func TestUndoRefuses(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		w := fresh()
		out, err := w.restore()
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(out.Items[1].Kept, os.O_WRONLY, 0)
		must(err)
		_, err = f.WriteAt([]byte("x"), 100)
		must(errors.Join(err, f.Close()))
		before := w.look(".")
		if out, err := w.undo(); out != nil || !errors.Is(err, swap.ErrNotWhole) {
			t.Error(out, err)
		}
		w.ended(t, "refused", before)
	})
}

// What was a mount point and is none when a swap is recovered waits to be mounted.
func TestNotMounted(t *testing.T) {
	for _, mount := range []string{"data/chroma", "data/registry.json"} {
		w := killedAt(t, newWorld(scratch(t), mount), "forward out db:after")
		w.mounts = []string{"elsewhere"}
		before := w.look(".")
		if out, err := w.recover(); out != nil || !errors.Is(err, swap.ErrNotMounted) {
			t.Error(out, err)
		}
		if diff := cmp.Diff(before, w.look(".")); diff != "" {
			t.Error(diff)
		}
		w.mounts = []string{mount}
		if out, err := w.recover(); err != nil || out.Live != swap.New {
			t.Error(out, err)
		}
	}
}
