package swap_test

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/restore/swap"
)

// variants are the ways in which the store can be mounted.
var variants = map[string][]string{
	"rename":                 nil,
	"chroma mounted":         {"data/chroma"},
	"registry mounted":       {"data/registry.json"},
	"all mounted":            {"data/chroma", "data/registry.json", "data/db/app.db"},
	"database alone mounted": {"data/db/app.db"},
}

func each(t *testing.T, test func(t *testing.T, w func() *world)) {
	for name, mounts := range variants {
		t.Run(name, func(t *testing.T) {
			test(t, func() *world { return newWorld(scratch(t), mounts...) })
		})
	}
}

// scratch is in memory where that can be: a kill of a process does not tell from a disk.
func scratch(t *testing.T) string {
	if _, err := os.Stat("/dev/shm"); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "holdfast-swap-")
	must(err)
	t.Cleanup(func() { must(os.RemoveAll(dir)) })
	return dir
}

// contents drops modes and owners.
func contents(t tree) tree {
	out := tree{}
	for path, s := range t {
		if _, content, ok := strings.Cut(s, " 0:0 "); ok && !strings.HasPrefix(s, "4") {
			out[path] = content
		}
	}
	return out
}

func TestRestoreUndoRedoDrop(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		w := fresh()
		before := w.live()
		out, err := w.restore()
		if err != nil || out.Live != swap.New || out.Undo || len(out.Items) != 3 || len(out.Dropped) > 0 {
			t.Fatal(out, err)
		}
		want := tree{
			"data/db/app.db": staged["db"][""], "data/registry.json": staged["registry"][""],
		}
		for rel, content := range staged["chroma"] {
			want["data/chroma"+rel] = content
		}
		if slices.Contains(w.mounts, "data/chroma") {
			want["data/chroma/lost+found/kept"] = "never moved in a mount"
		}
		restored := w.live()
		if diff := cmp.Diff(want, contents(restored)); diff != "" {
			t.Error(diff)
		}
		for _, it := range out.Items {
			if _, err := os.Stat(it.Kept); err != nil {
				t.Error(it.Name, err)
			}
		}
		if j, err := swap.Look(w.path("state")); err != nil || !j.Undoable() || j.Unfinished() || j.Label != "restore 1" {
			t.Error(j, err)
		}
		// The service runs on what was restored, and all that it writes is kept by the undo.
		w.write(tree{"data/db/app.db-wal": "log of the service", "data/registry.json": "written by the service", "data/chroma/cc/header.bin": "new segment"})
		served := w.live()
		out, err = w.undo()
		if err != nil || out.Live != swap.New || !out.Undo || out.Label != "restore 1" {
			t.Fatal(out, err)
		}
		if diff := cmp.Diff(before, w.live()); diff != "" {
			t.Error("undone:", diff)
		}
		if out, err = w.undo(); err != nil || out.Undo {
			t.Fatal(out, err)
		}
		if diff := cmp.Diff(served, w.live()); diff != "" {
			t.Error("redone:", diff)
		}
		if _, err := w.drop(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(served, w.look("data")); diff != "" {
			t.Error("dropped:", diff)
		}
		if left := contents(w.look("state")); len(left) != 1 {
			t.Error("state:", left)
		}
		if _, err := w.undo(); !errors.Is(err, swap.ErrNothingToUndo) {
			t.Error(err)
		}
		if _, err := w.drop(); !errors.Is(err, swap.ErrNothingToUndo) {
			t.Error(err)
		}
		if _, err := w.recover(); !errors.Is(err, swap.ErrNothingToRecover) {
			t.Error(err)
		}
	})
}

// A later restore drops what an earlier one kept, once it is done; one that fails leaves it.
func TestLaterRestore(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		w := fresh()
		before := w.live()
		first, err := w.restore()
		if err != nil {
			t.Fatal(err)
		}
		w.write(tree{"data/db/app.db": magic + "a database that the service wrote to"})
		all := w.look(".")
		w.fail = func(point string) error {
			if point == "forward in db:after" || point == "forward overwrite header of db:after" {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		out, err := w.restore()
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, swap.ErrUnfinished) || out.Live != swap.Old {
			t.Fatal(out, err)
		}
		w.fail = nil
		w.ended(t, "a restore that failed", all)
		if _, err := w.undo(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.live()); diff != "" {
			t.Error("undone:", diff)
		}
		if out, err = w.restore(); err != nil || len(out.Dropped) == 0 {
			t.Fatal(out, err)
		}
		for _, it := range first.Items {
			if _, err := os.Stat(it.Kept); err == nil {
				t.Errorf("%s is still there", it.Kept)
			}
		}
	})
}

func TestAbandon(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		w := fresh()
		before := w.look(".")
		s, err := w.prepare()
		if err != nil {
			t.Fatal(err)
		}
		w.stage(s)
		if _, err := w.prepare(); !errors.Is(err, swap.ErrUnfinished) {
			t.Error(err)
		}
		if _, err := w.undo(); !errors.Is(err, swap.ErrUnfinished) {
			t.Error(err)
		}
		if err := s.Abandon(); err != nil {
			t.Fatal(err)
		}
		w.ended(t, "abandoned", before)
		if _, err := s.Run(context.Background()); err == nil {
			t.Error("it ran")
		}
	})
}
