package importer_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/importer"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

var first = time.Date(2024, 2, 29, 2, 0, 0, 123456000, time.UTC)

// Every stamp becomes a snapshot of its moment, in every target, and comes back as it was.
func TestImport(t *testing.T) {
	o := newOriginal(t, "nas", "usb")
	a := o.snapshot(first)
	o.wal(a)
	o.w.Touch("50")
	o.w.Registry(`{"a": 1}`)
	o.w.Chroma()
	b := o.snapshot(first.AddDate(0, 1, 0))
	o.check(os.Chtimes(o.path(b, "chroma", "chroma.sqlite3"), first, first))
	o.check(os.Remove(o.w.Path("registry.json")))
	c := o.snapshot(first.AddDate(0, 2, 0))
	o.check(os.Mkdir(o.path("not a stamp"), 0o755))

	r := o.good()
	if r.Dir != o.dir || !slices.Equal(r.Unparseable, []string{"not a stamp"}) {
		t.Errorf("dir %s, unparseable %v", r.Dir, r.Unparseable)
	}
	var parent manifest.ID
	for i, stamp := range []string{a, b, c} {
		s := r.Snapshots[i]
		if s.Stamp != stamp || s.Grade != manifest.Good || !s.CapturedAt.Equal(first.AddDate(0, i, 0)) || len(s.Targets) != 2 {
			t.Errorf("%+v", s)
		}
		want := [][]string{{"db", "registry"}, {"db", "registry", "chroma"}, {"db", "chroma"}}[i]
		if diff := cmp.Diff(want, s.Components); diff != "" {
			t.Errorf("%s: components (-want +got):\n%s", stamp, diff)
		}
		for n, target := range s.Targets {
			m, err := o.w.Repo(n).Load(t.Context(), "atocore", target.ID)
			o.check(err)
			meta, err := os.ReadFile(o.path(stamp, "backup-metadata.json"))
			o.check(err)
			sum := sha256.Sum256(meta)
			if got, want := *m.Origin, (manifest.Origin{ID: stamp, ManifestSHA256: hex.EncodeToString(sum[:])}); got != want {
				t.Errorf("origin %+v, want %+v", got, want)
			}
			if string(m.ID)[:len(stamp)] != stamp || !m.HasTag(importer.Tag) || !m.CapturedAt.Equal(s.CapturedAt) {
				t.Errorf("%s: id %s, tags %v, captured at %v", stamp, m.ID, m.Tags, m.CapturedAt)
			}
			if n == 0 {
				if m.Parent != parent {
					t.Errorf("%s: parent %q, want %q", stamp, m.Parent, parent)
				}
				parent = m.ID
			}
			same(t, o.path(stamp), o.w.Restore(n, m), s.Components)
		}
	}
	for n := range 2 {
		for _, s := range o.w.Validate(n, validate.Content).Snapshots {
			if len(s.Findings)+len(s.Inconclusive) > 0 {
				t.Errorf("%s: %+v", s.ID, s)
			}
		}
	}
}

// same compares what was restored with the folder.
func same(t *testing.T, folder, restored string, components []string) {
	t.Helper()
	for _, c := range components {
		from := filepath.Join(folder, map[string]string{"db": "db/app.db", "registry": "config/registry.json", "chroma": "chroma/chroma.sqlite3"}[c])
		to := filepath.Join(restored, map[string]string{"db": "db", "registry": "registry", "chroma": "chroma/chroma.sqlite3"}[c])
		want, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(to)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %d bytes, want the %d of the folder; %v", to, len(got), len(want), err)
		}
		was, err1 := os.Stat(from)
		is, err2 := os.Stat(to)
		if err := errors.Join(err1, err2); err != nil || c == "chroma" && !is.ModTime().Equal(was.ModTime().Truncate(time.Second)) {
			t.Errorf("%s is of %v, want %v; %v", to, is.ModTime(), was.ModTime(), err)
		}
	}
}

// A second run changes nothing; one with a new folder, or into another target, does what is left.
func TestImportAgain(t *testing.T) {
	o := newOriginal(t, "nas", "usb")
	o.snapshot(first)
	only := func(n int) func(*importer.Options) {
		return func(op *importer.Options) { op.Targets = []*target.Store{o.w.Stores[n]} }
	}
	_, err := o.run(only(0))
	o.check(err)
	r := o.good()
	if s := r.Snapshots[0]; !slices.Equal(s.Already, []string{"nas"}) || len(s.Targets) != 1 || s.Targets[0].Name != "usb" {
		t.Errorf("%+v", s)
	}
	keys := o.w.Keys(0, "")
	o.snapshot(first.Add(time.Second))
	r = o.good()
	if diff := cmp.Diff([]importer.Target{{Name: "nas", Imported: 1, Already: 1}, {Name: "usb", Imported: 1, Already: 1}}, r.Targets,
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Sent" }, cmp.Ignore())); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if now := o.w.Keys(0, ""); len(now) <= len(keys) {
		t.Errorf("%d keys, before %d", len(now), len(keys))
	}
	keys = o.w.Keys(0, "")
	r = o.good()
	if diff := cmp.Diff(keys, o.w.Keys(0, "")); diff != "" || r.Targets[0].Already != 2 || r.Targets[0].Sent != 0 {
		t.Errorf("%+v, keys (-want +got):\n%s", r.Targets, diff)
	}
}

// A stamp whose snapshot is only marked is held; one that a cleanup is deleting is imported again.
func TestImportBesideCleanup(t *testing.T) {
	o := newOriginal(t, "nas")
	o.snapshot(first)
	id := o.good().Snapshots[0].Targets[0].ID
	o.w.Mem["nas"].Set(manifest.ExpiredKey("atocore", id, 1), []byte("x"))
	if s := o.good().Snapshots[0]; len(s.Targets) > 0 || !slices.Equal(s.Already, []string{"nas"}) {
		t.Errorf("marked: %+v", s)
	}
	o.w.Mem["nas"].Set(manifest.VerdictKey("atocore", id, 1), []byte(manifest.Sweep))
	if s := o.good().Snapshots[0]; len(s.Targets) != 1 || s.Targets[0].ID == id || len(s.Already) > 0 {
		t.Errorf("being deleted: %+v", s)
	}
	if s := o.good().Snapshots[0]; len(s.Targets) > 0 {
		t.Errorf("imported again, and once more: %+v", s)
	}
}

// A dry run checks, and puts nothing.
func TestDryRun(t *testing.T) {
	o := newOriginal(t, "nas")
	o.snapshot(first)
	o.write([]byte("{"), o.snapshot(first.AddDate(0, 0, 1)), "config", "registry.json")
	keys := o.w.Keys(0, "")
	r, err := o.run(func(op *importer.Options) { op.DryRun = true })
	o.check(err)
	if diff := cmp.Diff(keys, o.w.Keys(0, "")); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if s := r.Snapshots; len(s[0].Targets) != 1 || len(s[0].Components) != 2 || len(s[1].Problems) != 1 || r.Targets[0].Imported != 1 {
		t.Errorf("%+v", r)
	}
}

// A target that fails gets nothing more, the other goes on, and a later run makes up for it.
func TestFailingTarget(t *testing.T) {
	o := newOriginal(t, "nas", "usb")
	o.snapshot(first)
	o.snapshot(first.AddDate(0, 0, 1))
	o.snapshot(first.AddDate(0, 0, 2))
	begins := 1 // so many creates may begin in nas
	o.w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Put && strings.Contains(key, "intents/") {
			if begins--; begins < 0 {
				f.Err = &target.Error{Kind: target.KindDenied, Err: errors.New("no")}
			}
		}
		return f
	}
	r, err := o.run(nil)
	o.check(err)
	if r.Targets[0].Imported != 1 || r.Targets[0].Err == nil || r.Targets[1].Imported != 3 || r.Targets[1].Err != nil {
		t.Errorf("%+v", r.Targets)
	}
	if s := r.Snapshots[2]; len(s.Targets) != 1 || s.Targets[0].Name != "usb" {
		t.Errorf("%+v", s)
	}

	// What only the failing one wants ends nothing while the other is left, and the run when none is.
	begins = 0
	o.snapshot(first.AddDate(0, 0, 3))
	r, err = o.run(nil)
	o.check(err)
	if r.Targets[0].Err == nil || r.Targets[1].Imported != 1 || r.Targets[1].Already != 3 {
		t.Errorf("%+v", r.Targets)
	}
	begins = 1
	r, err = o.run(func(op *importer.Options) { op.Targets = op.Targets[:1] })
	if !errors.Is(err, backup.ErrNothing) || len(r.Snapshots) != 3 {
		t.Errorf("%+v, %v", r, err)
	}

	o.w.Faults["nas"] = nil
	if r = o.good(); r.Targets[0].Imported != 2 || r.Targets[1].Already != 4 {
		t.Errorf("%+v", r.Targets)
	}
}

// A tree that is not there, and one without a stamp.
func TestFind(t *testing.T) {
	o := newOriginal(t, "nas")
	o.snapshot(first)
	for _, dir := range []string{o.dir, filepath.Dir(o.dir), filepath.Dir(o.dir) + "/."} {
		tree, err := importer.Find(dir)
		if err != nil || tree.Dir != o.dir || len(tree.Stamps) != 1 {
			t.Errorf("%s: %+v, %v", dir, tree, err)
		}
		if err == nil {
			o.check(tree.Close())
		}
	}
	for _, dir := range []string{t.TempDir(), o.path("nowhere"), o.path(first.Format(layout))} {
		if tree, err := importer.Find(dir); !errors.Is(err, importer.ErrNoTree) {
			t.Errorf("%s: %+v, %v", dir, tree, err)
		}
	}
}
