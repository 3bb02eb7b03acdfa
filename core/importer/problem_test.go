package importer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/importer"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/chroma"
	"github.com/atocore/holdfast/core/source/kinds"
)

// What is wrong with a folder is told by its identifier; the folder is left out, and the others are not.
func TestProblems(t *testing.T) {
	overwrite := func(b string, elem ...string) func(*original, string) {
		return func(o *original, stamp string) { o.write([]byte(b), append([]string{stamp}, elem...)...) }
	}
	remove := func(elem ...string) func(*original, string) {
		return func(o *original, stamp string) { o.check(os.RemoveAll(o.path(append([]string{stamp}, elem...)...))) }
	}
	link := func(to string, elem ...string) func(*original, string) {
		return func(o *original, stamp string) {
			path := o.path(append([]string{stamp}, elem...)...)
			o.check(os.RemoveAll(path))
			o.check(os.Symlink(to, path))
		}
	}
	outside := t.TempDir()
	for name, c := range map[string]struct {
		spoil func(*original, string)
		ids   string
	}{
		"a file for a folder": {func(o *original, s string) { remove()(o, s); o.write(nil, s) }, importer.IDNoFolder},
		"a link for a folder": {link(outside), importer.IDNoFolder},
		"no metadata":         {remove("backup-metadata.json"), importer.IDNoMetadata},
		"metadata is torn":    {overwrite(`{"created_at": "`, "backup-metadata.json"), importer.IDInvalidMetadata},
		"metadata is a list":  {overwrite(`[]`, "backup-metadata.json"), importer.IDInvalidMetadata},
		"metadata has no end": {overwrite(strings.Repeat(" ", 1<<20)+"{}", "backup-metadata.json"), importer.IDInvalidMetadata},
		"metadata is a folder": {func(o *original, s string) {
			remove("backup-metadata.json")(o, s)
			o.write(nil, s, "backup-metadata.json", "x")
		}, importer.IDUnreadable},
		"no database":             {remove("db"), importer.IDNoDatabase},
		"a folder for a database": {func(o *original, s string) { remove("db", "app.db")(o, s); o.write(nil, s, "db", "app.db", "x") }, importer.IDNoDatabase},
		"an empty database":       {overwrite("", "db", "app.db"), importer.IDOpenDatabase},
		"no SQLite":               {overwrite("once upon a time there was a text that was longer than a header has to be, and longer, and longer still", "db", "app.db"), importer.IDOpenDatabase},
		"a truncated database":    {func(o *original, s string) { o.check(os.Truncate(o.path(s, "db", "app.db"), 8192)) }, importer.IDOpenDatabase},
		"a damaged database":      {damageDatabase, importer.IDDatabase},
		"a -wal":                  {overwrite("x", "db", "app.db-wal"), importer.IDJournal},
		"a journal":               {overwrite("x", "db", "app.db-journal"), importer.IDJournal},
		"no registry":             {remove("config"), importer.IDNoRegistry},
		"no JSON":                 {overwrite("{", "config", "registry.json"), importer.IDRegistry},
		"a FIFO": {func(o *original, s string) {
			remove("config", "registry.json")(o, s)
			o.check(unix.Mkfifo(o.path(s, "config", "registry.json"), 0o600))
		}, chroma.IDSpecial},
		"a link out of the tree":  {link("/etc/hostname", "config", "registry.json"), importer.IDUnreadable},
		"a dead link":             {link("nowhere", "config", "registry.json"), importer.IDNoRegistry},
		"a folder that is a link": {link(outside, "config"), importer.IDUnreadable},
		"no chroma":               {remove("chroma"), importer.IDNoChroma},
		"no chroma database":      {remove("chroma", "chroma.sqlite3"), importer.IDNoChroma},
		"a journal in chroma":     {overwrite("x", "chroma", "chroma.sqlite3-journal"), importer.IDJournal},
		"a link in chroma":        {link("/etc/hostname", "chroma", "link"), importer.IDUnreadable},
		"a name in chroma":        {overwrite("x", "chroma", "a\nb"), chroma.IDSpecial},
		"two contents":            {func(o *original, s string) { damageDatabase(o, s); overwrite("{", "config", "registry.json")(o, s) }, importer.IDDatabase + " " + importer.IDRegistry},
		"all at once": {
			func(o *original, s string) { remove("db")(o, s); remove("config")(o, s); remove("chroma")(o, s) },
			importer.IDNoDatabase + " " + importer.IDNoRegistry + " " + importer.IDNoChroma,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOriginal(t, "nas")
			o.w.Chroma()
			stamp, after := o.snapshot(first), o.snapshot(first.Add(time.Hour))
			c.spoil(o, stamp)
			r, err := o.run(nil)
			o.check(err)
			var ids []string
			for _, p := range r.Snapshots[0].Problems {
				ids = append(ids, p.ID)
				if !strings.Contains(p.Message, stamp) {
					t.Errorf("%s does not tell where: %s", p.ID, p.Message)
				}
			}
			if got := strings.Join(ids, " "); got != c.ids {
				t.Errorf("problems %+v, want %s", r.Snapshots[0].Problems, c.ids)
			}
			if s := r.Snapshots[1]; s.Stamp != after || len(s.Problems) > 0 || s.Grade != manifest.Good {
				t.Errorf("%+v", s)
			}
			if n := len(o.w.Keys(0, "manifests/")); n != 1 {
				t.Errorf("%d manifests, want that of the other", n)
			}
		})
	}
}

// damageDatabase overwrites the inner part of every page but the first.
func damageDatabase(o *original, stamp string) {
	o.t.Helper()
	path := o.path(stamp, "db", "app.db")
	b, err := os.ReadFile(path)
	o.check(err)
	for i := 4096; i < len(b); i++ {
		if i%4096 < 512 {
			b[i] = 0xff
		}
	}
	o.check(os.WriteFile(path, b, 0o644))
}

// What is odd, and no problem.
func TestOddities(t *testing.T) {
	o := newOriginal(t, "nas")
	o.w.Chroma()
	stamp := o.snapshot(first)
	early := o.snapshot(first.Add(time.Hour)) // when the metadata had less in it
	o.metadata(early, map[string]any{"created_at": "yesterday"})
	linked := first.Add(2 * time.Hour).Format(layout) // somebody saved space
	o.check(os.Mkdir(o.path(linked), 0o755))
	o.check(os.Symlink("../"+stamp+"/db", o.path(linked, "db")))
	o.metadata(linked, map[string]any{"created_at": first.Add(2 * time.Hour).In(time.FixedZone("", 7200)).Format(time.RFC3339Nano), "registry_snapshot_path": nil})
	wrong := o.snapshot(first.Add(3 * time.Hour)) // the moment of another
	o.metadata(wrong, map[string]any{"created_at": "2024-02-29T02:00:00+00:00"})
	for _, name := range []string{"db/app.db-wal", "db/app.db-journal", "chroma/chroma.sqlite3-wal"} {
		o.write(nil, stamp, name)
	}
	o.write([]byte("shared memory"), stamp, "db/app.db-shm")
	o.write([]byte("shared memory"), stamp, "chroma/chroma.sqlite3-shm")

	r := o.good()
	for n, want := range []struct {
		at         time.Time
		components int
	}{{first, 3}, {first.Add(time.Hour).Truncate(time.Second), 1}, {first.Add(2 * time.Hour), 1}, {first.Add(3 * time.Hour).Truncate(time.Second), 1}} {
		if s := r.Snapshots[n]; !s.CapturedAt.Equal(want.at) || len(s.Components) != want.components || s.Grade != manifest.Good {
			t.Errorf("%+v, want %+v", s, want)
		}
	}
	m, err := o.w.Repo(0).Load(t.Context(), "atocore", r.Snapshots[0].Targets[0].ID)
	o.check(err)
	if left, err := filepath.Glob(filepath.Join(o.w.Restore(0, m), "chroma", "chroma.sqlite3-*")); err != nil || len(left) > 0 {
		t.Errorf("restored beside the database: %v, %v", left, err)
	}
}

// A Chroma directory that only the census faults is kept, as suspect.
func TestSuspect(t *testing.T) {
	o := newOriginal(t, "nas")
	o.w.Chroma()
	stamp := o.snapshot(first)
	headers, err := filepath.Glob(o.path(stamp, "chroma", "*", "header.bin"))
	o.check(err)
	o.check(os.Truncate(headers[0], 10))
	if s := o.good().Snapshots[0]; s.Grade != manifest.Suspect || len(s.Reasons) == 0 || s.Reasons[0].Component != "chroma" {
		t.Errorf("%+v", s)
	}
}

// Parts belong to the component whose live store has their name, or else to the only one of their kind.
func TestConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]kinds.Config) []kinds.Config
		db     string // the component that the database becomes; "" for none
	}{
		"renamed store": {func(c []kinds.Config) []kinds.Config { c[0].Path = "/srv/other.db"; return c }, "db"},
		"two databases": {func(c []kinds.Config) []kinds.Config {
			return append(c, kinds.Config{Name: "second", Kind: manifest.SQLite, Path: "/elsewhere/app.db"}, kinds.Config{Name: "third", Kind: manifest.SQLite, Path: "/x.db"})[1:]
		}, "second"},
		"two others": {func(c []kinds.Config) []kinds.Config {
			c[0].Path = "/srv/other.db"
			return append(c, kinds.Config{Name: "third", Kind: manifest.SQLite, Path: "/x.db"})
		}, ""},
		"none":        {func(c []kinds.Config) []kinds.Config { return c[1:] }, ""},
		"no registry": {func(c []kinds.Config) []kinds.Config { return c[:1] }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOriginal(t, "nas")
			o.snapshot(first)
			r, err := o.run(func(op *importer.Options) { op.Components = c.change(op.Components) })
			o.check(err)
			s := r.Snapshots[0]
			if c.db == "" {
				if len(s.Problems) != 1 || s.Problems[0].ID != importer.IDUnconfigured {
					t.Errorf("%+v", s)
				}
			} else if len(s.Problems) > 0 || s.Components[0] != c.db {
				t.Errorf("%+v", s)
			}
		})
	}
}

// The same stamp of two machines is not the same snapshot.
func TestStampTaken(t *testing.T) {
	o := newOriginal(t, "nas")
	stamp := o.snapshot(first)
	o.good()
	o.metadata(stamp, map[string]any{"created_at": "2024-02-29T02:00:00", "db_snapshot_path": "/elsewhere/app.db"})
	r, err := o.run(nil)
	o.check(err)
	if s := r.Snapshots[0]; len(s.Problems) != 1 || s.Problems[0].ID != importer.IDOther || len(s.Targets)+len(s.Already) > 0 {
		t.Errorf("%+v", s)
	}
}

// What is written to a folder while it is copied is noticed, also when it is as long as before.
func TestChanged(t *testing.T) {
	for _, registry := range []string{`{"a": 3, "b": 4}`, `{"a": 1, "b": 2, "c": 3}`} {
		o := newOriginal(t, "nas")
		stamp := o.snapshot(first)
		op := o.options()
		op.Progress = news(func() { o.write([]byte(registry), stamp, "config", "registry.json") }) // once the database is copied
		r, err := importer.Run(t.Context(), op)
		o.check(err)
		if s := r.Snapshots[0]; len(s.Problems) != 1 || s.Problems[0].ID != importer.IDChanged {
			t.Errorf("%+v", s)
		}
	}
}

// news implements progress.Progress.
type news func()

func (n news) Add(string, int64, int64) { n() }

// A folder that staging has no room for ends the run: it is not the folder's fault.
func TestNoRoom(t *testing.T) {
	o := newOriginal(t, "nas")
	o.check(os.Truncate(o.path(o.snapshot(first), "config", "registry.json"), 1<<43))
	op := o.options()
	ctx, cancel := context.WithCancel(t.Context())
	op.Progress = news(cancel) // if anything is copied at all, then not that
	_, err := importer.Run(ctx, op)
	var space *source.SpaceError
	if !errors.As(err, &space) || space.Need < 1<<43 || space.Dir != op.Staging {
		t.Errorf("%v", err)
	}
}

// Snapshots of the past are not compared with each other: a table that was dropped then makes none suspect.
func TestDroppedTable(t *testing.T) {
	o := newOriginal(t, "nas")
	o.w.Exec("CREATE TABLE old(id INTEGER)")
	o.snapshot(first)
	o.w.Exec("DROP TABLE old")
	o.snapshot(first.AddDate(0, 0, 1))
	for _, s := range o.good().Snapshots {
		if s.Grade != manifest.Good {
			t.Errorf("%+v", s)
		}
	}
}
