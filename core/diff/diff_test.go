package diff_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/diff"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sides takes a snapshot, changes the world, takes another, and returns both, the second from the last target.
func sides(t *testing.T, w *backuptest.World, change func()) (a, b diff.Side) {
	t.Helper()
	a = diff.Side{Repository: w.Repo(0), Manifest: w.Made().Targets[0].Manifest}
	change()
	last := len(w.Stores) - 1
	return a, diff.Side{Repository: w.Repo(last), Manifest: w.Made().Targets[last].Manifest}
}

func run(t *testing.T, a, b diff.Side) map[string]diff.Component {
	t.Helper()
	scratch := t.TempDir()
	components, err := diff.Run(t.Context(), a, b, scratch)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(scratch); len(left) > 0 {
		t.Errorf("scratch space still holds %s", left[0].Name())
	}
	out := map[string]diff.Component{}
	for _, c := range components {
		out[c.Name] = c
	}
	return out
}

func told(counts []diff.Count) (lines []string) {
	for _, c := range counts {
		lines = append(lines, fmt.Sprintf("%s %s %d %d", c.Name, c.Change, c.A, c.B))
	}
	return lines
}

func TestRun(t *testing.T) {
	w := backuptest.New(t, "nas", "usb")
	w.Exec("CREATE TABLE old(x)")
	w.Exec("CREATE TABLE same(x)")
	w.Chroma()
	w.Registry(`{"a": 1, "projects": [{"id": "x", "n": 1}, {"id": "y"}], "gone": null}`)
	a, b := sides(t, w, func() {
		w.Exec("DROP TABLE old")
		w.Exec("CREATE TABLE fresh(x)")
		w.Exec("INSERT INTO fresh VALUES (1), (2)")
		w.Exec("DELETE FROM items WHERE id > 3900")
		w.Registry(`{"b": 1, "projects": [{"id": "z"}, {"id": "x", "n": 2}], "a": 1}`)
	})
	got := run(t, a, b)

	db := got["db"]
	if diff := cmp.Diff([]string{"fresh added 0 2", "items changed 4000 3900", "old removed 0 0"}, told(db.Tables)); diff != "" || db.Change != "changed" || db.Err != nil {
		t.Errorf("%s %v\n%s", db.Change, db.Err, diff)
	}
	// A few pages differ, and they are told in pages.
	for _, only := range []int64{db.OnlyA, db.OnlyB} {
		if only < 4096 || only > db.A.Size/4 || only%4096 != 0 {
			t.Errorf("db: only in A %d, only in B %d, of %d", db.OnlyA, db.OnlyB, db.A.Size)
		}
	}
	registry := got["registry"]
	want := &diff.Entries{Added: []string{"b", "projects/z"}, Removed: []string{"gone", "projects/y"}, Changed: []string{"projects/x"}}
	if diff := cmp.Diff(want, registry.Entries); diff != "" || registry.OnlyA != registry.A.Size || registry.OnlyB != registry.B.Size {
		t.Errorf("%+v\n%s", registry, diff)
	}
	if c := got["chroma"]; c.Change != "same" || c.OnlyA != 0 || c.OnlyB != 0 || c.Collections != nil || c.Err != nil {
		t.Errorf("%+v", c)
	}

	// And backwards.
	got = run(t, b, a)
	if diff := cmp.Diff([]string{"fresh removed 2 0", "items changed 3900 4000", "old added 0 0"}, told(got["db"].Tables)); diff != "" {
		t.Error(diff)
	}
	if back := got["db"]; back.OnlyA != db.OnlyB || back.OnlyB != db.OnlyA {
		t.Errorf("only in A %d, only in B %d", back.OnlyA, back.OnlyB)
	}
	// With itself, and with its twin in the other target, there is nothing.
	for _, twin := range []diff.Side{a, {Repository: w.Repo(1), Manifest: w.Made().Targets[1].Manifest}} {
		of := b
		if twin == a {
			of = a
		}
		for name, c := range run(t, of, twin) {
			if c.Change != diff.Same {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

// A component that one of them lacks, a collection that lost, and one that is renamed.
func TestComponentsComeAndGo(t *testing.T) {
	w := backuptest.New(t, "nas")
	a, b := sides(t, w, func() {
		w.Chroma()
		if err := os.Remove(w.Path("registry.json")); err != nil {
			t.Fatal(err)
		}
	})
	got := run(t, a, b)
	if c := got["chroma"]; c.Change != diff.Added || c.A != nil || c.OnlyA != 0 || c.OnlyB == 0 || c.OnlyB > c.B.Size {
		t.Errorf("chroma: %+v", c)
	}
	if c := got["registry"]; c.Change != diff.Removed || c.B != nil || c.OnlyB != 0 || c.OnlyA != c.A.Size {
		t.Errorf("registry: %+v", c)
	}

	changed := *b.Manifest
	changed.Components = append([]manifest.Component{}, b.Manifest.Components...)
	for i, c := range changed.Components {
		if c.Name == "chroma" {
			facts := *c.Facts.Chroma
			facts.Collections = append([]manifest.Collection{}, facts.Collections...)
			facts.Collections[0].Count--
			facts.Collections[1].Name = "renamed"
			changed.Components[i].Facts = &manifest.Facts{Chroma: &facts}
			changed.Components[i].SHA256 = strings.Repeat("0", 64) // the index contradicts it
		}
	}
	c := run(t, b, diff.Side{Repository: b.Repository, Manifest: &changed})["chroma"]
	first, second := b.Manifest.Component("chroma").Facts.Chroma.Collections[0], b.Manifest.Component("chroma").Facts.Chroma.Collections[1]
	want := map[string]bool{
		fmt.Sprintf("%s changed %d %d", first.Name, first.Count, first.Count-1): true,
		fmt.Sprintf("renamed changed %d %d", second.Count, second.Count):        true,
	}
	for _, line := range told(c.Collections) {
		delete(want, line)
	}
	if len(want) > 0 || len(c.Collections) != 2 || !errors.Is(c.Err, repository.ErrDamaged) {
		t.Errorf("%v, %v, %v", told(c.Collections), want, c.Err)
	}
}

// What is damaged, or cannot be decrypted, is said; what the manifests say is told all the same.
func TestUnreadable(t *testing.T) {
	w := backuptest.New(t, "nas")
	a, b := sides(t, w, func() { w.Exec("DELETE FROM items WHERE id > 3900"); w.Registry(`{"a": 1}`) })
	for _, key := range w.Keys(0, "/registry") {
		w.Damage(0, key, backuptest.Flip)
	}
	for _, key := range w.Keys(0, "/db.index") {
		w.Damage(0, key, func([]byte) []byte { return nil })
	}
	got := run(t, a, b)
	if c := got["db"]; !errors.Is(c.Err, repository.ErrDamaged) || len(c.Tables) != 1 || !strings.Contains(c.Err.Error(), "db in snapshot ") {
		t.Errorf("%+v", c)
	}
	if c := got["registry"]; !errors.Is(c.Err, repository.ErrDamaged) || c.Entries != nil {
		t.Errorf("%+v", c)
	}

	sealed := *b.Manifest
	sealed.Encryption = &manifest.Encryption{Scheme: "age"}
	sealed.Components = append([]manifest.Component{}, b.Manifest.Components...)
	for i := range sealed.Components {
		sealed.Components[i].SHA256, sealed.Components[i].Facts = "", nil
	}
	for name, c := range run(t, diff.Side{Repository: b.Repository, Manifest: &sealed}, b) {
		if c.Change != diff.Unknown || !errors.Is(c.Err, repository.ErrSealed) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
