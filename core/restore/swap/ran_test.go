package swap_test

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/restore/swap"
)

// killedAt is a world in which a restore was killed after a point.
func killedAt(t *testing.T, w *world, point string) *world {
	t.Helper()
	w.fail = func(p string) error {
		if p == point {
			panic(killed{p})
		}
		return nil
	}
	if _, at, err := w.attempt(func() (*swap.Outcome, error) { return w.restore() }); at == "" {
		t.Fatalf("%s was not reached: %v", point, err)
	}
	return w
}

// refused checks that a recover without a choice touches nothing and names both generations.
func refused(t *testing.T, w *world, found ...string) {
	t.Helper()
	before := w.look(".")
	out, err := w.recover()
	var ran *swap.ServiceRanError
	if !errors.As(err, &ran) || !errors.Is(err, swap.ErrServiceRan) || out != nil {
		t.Fatal(out, err)
	}
	for _, part := range append(found, "--take old", "--take new") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: it does not say %s", err, part)
		}
	}
	for _, path := range append(ran.Old, ran.New...) {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("a generation is said to be in %s: %v", path, err)
		}
	}
	if _, err := w.prepare(); !errors.Is(err, swap.ErrUnfinished) {
		t.Error(err)
	}
	if _, err := w.undo(); !errors.Is(err, swap.ErrUnfinished) {
		t.Error(err)
	}
	if _, err := w.drop(); !errors.Is(err, swap.ErrUnfinished) {
		t.Error(err)
	}
	if diff := cmp.Diff(before, w.look(".")); diff != "" {
		t.Error("it touched", diff)
	}
}

// ran is what the service does between a kill and the recover, and what must be live after either choice; without such,
// that choice is ErrNotWhole.
type ran struct {
	name     string
	mounts   []string
	killed   string
	service  tree
	remove   string
	says     string
	old, new func(old, new tree) tree
}

func isOld(old, _ tree) tree { return old }

func isNew(_, new tree) tree { return new }

func with(t tree, more tree) tree {
	t = maps.Clone(t)
	maps.Copy(t, more)
	return t
}

func TestServiceRan(t *testing.T) {
	onOld := tree{"data/db/app.db": magic + "old, written to", "data/db/app.db-wal": "log of the service", "data/registry.json": "rewritten by the service"}
	onNew := tree{"data/db/app.db": magic + "new, written to", "data/db/app.db-wal": "log of the service", "data/chroma/cc/header.bin": "new segment"}
	onNone := tree{"data/db/app.db": magic + "made by the service"}
	onVectors := tree{"data/chroma/chroma.sqlite3": magic + "vectors of the service"}
	for _, c := range []ran{
		{
			name: "before the first move", killed: "journal swapping sync:after", service: onOld, says: "is the old one, and was written to",
			old: func(old, _ tree) tree { return with(old, onOld) }, new: isNew,
		},
		{
			name: "on a new database", killed: "forward out db-wal:after", service: onNone, says: "is of neither generation",
			old: isOld, new: isNew,
		},
		{
			// SQLite deletes a log that it finds beside no database.
			name: "on a new database, and deleted the log", killed: "forward out db:after", service: onNone, remove: "data/db/app.db-wal", says: "is of neither generation",
			old: isOld, new: isNew,
		},
		{
			name: "after the last move", killed: "forward in db from sync:after", service: onNew, says: "is the new one, and was written to",
			old: isOld, new: func(_, new tree) tree { return with(new, onNew) },
		},
		{
			name: "on the vectors alone", killed: "forward in chroma to sync:after", service: onVectors, says: "data/chroma is the new one",
			old: isOld, new: func(_, new tree) tree { return with(new, onVectors) },
		},
		{
			name: "on a mounted Chroma", mounts: []string{"data/chroma"}, killed: "forward in db from sync:after", service: onNew, says: "data/chroma/cc is of neither generation",
			old: isOld, new: func(_, new tree) tree { return with(new, onNew) },
		},
		{
			name: "on the vectors alone, mounted", mounts: []string{"data/chroma"}, killed: "forward in chroma/chroma.sqlite3 from sync:after",
			service: tree{"data/chroma/chroma.sqlite3-wal": "vector log of the service", "data/chroma/cc/header.bin": "new segment"}, says: "chroma.sqlite3-wal is of neither generation",
			old: isOld, new: func(_, new tree) tree {
				return with(new, tree{"data/chroma/chroma.sqlite3-wal": "vector log of the service", "data/chroma/cc/header.bin": "new segment"})
			},
		},
		{
			name: "on a mounted registry", mounts: []string{"data/registry.json"}, killed: "forward overwrite header of registry:after",
			service: tree{"data/registry.json": "of the service"}, says: "data/registry.json is of neither generation",
			old: isOld, new: isNew,
		},
		{
			name: "on a database half overwritten", mounts: []string{"data/db/app.db"}, killed: "forward scrub db:after",
			service: tree{"data/db/app.db": magic + "of the service"}, says: "is of neither generation",
			old: isOld, new: isNew,
		},
		{
			name: "on a mounted database", mounts: []string{"data/db/app.db", "data/chroma"}, killed: "forward overwrite header of db:after",
			service: tree{"data/db/app.db-wal": "log of the service", "data/chroma/chroma.sqlite3-wal": "vector log of the service", "data/chroma/cc/header.bin": "new segment"}, says: "app.db-wal is of neither generation",
			old: isOld, new: func(_, new tree) tree {
				return with(new, tree{"data/db/app.db-wal": "log of the service", "data/chroma/chroma.sqlite3-wal": "vector log of the service", "data/chroma/cc/header.bin": "new segment"})
			},
		},
		{
			name: "on everything, the registry mounted", mounts: []string{"data/registry.json"}, killed: "forward in db from sync:after",
			service: with(onNew, tree{"data/registry.json": "of the service"}), says: "data/registry.json is of neither generation",
			old: isOld, new: func(_, new tree) tree { return with(with(new, onNew), tree{"data/registry.json": "of the service"}) },
		},
		{
			name: "and the old generation is gone", killed: "forward out registry from sync:after", service: onNone,
			remove: "data/.holdfast-old-20260411T094601Z-7f3a9c01/registry", says: "is of neither generation",
			new: isNew,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(scratch(t), c.mounts...)
			old := contents(w.live())
			if _, err := w.restore(); err != nil {
				t.Fatal(err)
			}
			new := contents(w.live())
			if refused(t, c.make(t), c.says); t.Failed() {
				return
			}
			for g, want := range map[swap.Generation]func(old, new tree) tree{swap.Old: c.old, swap.New: c.new} {
				c.chosen(t, g, want, old, new)
			}
		})
	}
}

func (c ran) make(t *testing.T) *world {
	w := killedAt(t, newWorld(scratch(t), c.mounts...), c.killed)
	w.write(c.service)
	if c.remove != "" {
		must(os.RemoveAll(w.path(c.remove)))
	}
	return w
}

// chosen ends a case by a choice, also when that is killed at one of its points and made again.
func (c ran) chosen(t *testing.T, g swap.Generation, want func(old, new tree) tree, old, new tree) {
	t.Helper()
	take := func(w *world) func() (*swap.Outcome, error) {
		return func() (*swap.Outcome, error) { return w.take(g) }
	}
	w := c.make(t)
	before := w.look(".")
	if want == nil {
		if out, err := w.take(g); out != nil || !errors.Is(err, swap.ErrNotWhole) {
			t.Errorf("take %s: %v, %v", g, out, err)
		}
		if diff := cmp.Diff(before, w.look(".")); diff != "" {
			t.Errorf("take %s touched %s", g, diff)
		}
		return
	}
	for k := range w.points(t, take(w)) {
		if !long && k%7 != len(c.name)%7 {
			continue
		}
		w := c.make(t)
		w.killAt(k)
		_, at, _ := w.attempt(take(w))
		out, err := w.take(g)
		if err != nil && !errors.Is(err, swap.ErrNothingToRecover) || out != nil && out.Live != g {
			t.Fatalf("take %s, killed at %q: %v, %v", g, at, out, err)
		}
		if diff := cmp.Diff(want(old, new), contents(w.live())); diff != "" {
			t.Fatalf("take %s, killed at %q: %s", g, at, diff)
		}
		all := w.look(".")
		for path, content := range c.service {
			if !strings.Contains(strings.Join(slices.Collect(maps.Values(all)), "|"), content) {
				t.Fatalf("take %s, killed at %q: what the service wrote to %s is lost", g, at, path)
			}
		}
		w.ended(t, "taken", all)
	}
}

// Bytes that are equal do not make a file the one that was moved.
func TestCopyIsForeign(t *testing.T) {
	w := killedAt(t, newWorld(scratch(t)), "forward in db from sync:after")
	must(os.Rename(w.path("data/db/app.db"), w.path("elsewhere")))
	w.write(tree{"data/db/app.db": staged["db"][""]})
	refused(t, w, "app.db is of neither generation")
	must(os.Rename(w.path("elsewhere"), w.path("data/db/app.db")))
	if out, err := w.recover(); err != nil || out.Live != swap.New {
		t.Error(out, err)
	}
}
