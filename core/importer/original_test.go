package importer_test

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/importer"
	"github.com/atocore/holdfast/core/source/kinds"
)

const layout = "20060102T150405Z"

// original plays the tool that is imported from: it copies the world's live store.
type original struct {
	t   *testing.T
	w   *backuptest.World
	dir string // of the stamps
}

func newOriginal(t *testing.T, targets ...string) *original {
	t.Helper()
	o := &original{t, backuptest.New(t, targets...), filepath.Join(t.TempDir(), "snapshots")}
	o.w.Exec("DELETE FROM items WHERE id > 400") // small is enough
	o.w.Exec("VACUUM")
	return o
}

func (o *original) check(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *original) path(elem ...string) string {
	return filepath.Join(append([]string{o.dir}, elem...)...)
}

// snapshot takes a snapshot of the live store as the original does, and returns its stamp.
func (o *original) snapshot(at time.Time) (stamp string) {
	o.t.Helper()
	stamp = at.Format(layout)
	meta := map[string]any{
		"created_at": at.Format("2006-01-02T15:04:05.000000+00:00"), "backup_root": o.path(stamp),
		"db_snapshot_path": "/srv/atocore/backups/snapshots/" + stamp + "/db/app.db", "db_size_bytes": 1,
		"registry_snapshot_path": "", "chroma_snapshot_path": "", "chroma_snapshot_bytes": 0,
		"chroma_snapshot_files": 0, "chroma_snapshot_included": false, "vector_store_note": "",
	}
	o.check(os.MkdirAll(o.path(stamp, "db"), 0o755))
	_, err := o.w.DB.Exec("VACUUM INTO ?", o.path(stamp, "db", "app.db"))
	o.check(err)
	if b, err := os.ReadFile(o.w.Path("registry.json")); err == nil {
		meta["registry_snapshot_path"] = o.path(stamp, "config", "registry.json")
		o.write(b, stamp, "config", "registry.json")
	}
	if _, err := os.Stat(o.w.Path("chroma")); err == nil {
		meta["chroma_snapshot_path"], meta["chroma_snapshot_included"] = o.path(stamp, "chroma"), true
		o.check(os.CopyFS(o.path(stamp, "chroma"), os.DirFS(o.w.Path("chroma"))))
	}
	o.metadata(stamp, meta)
	return stamp
}

func (o *original) write(b []byte, elem ...string) {
	o.t.Helper()
	o.check(os.MkdirAll(filepath.Dir(o.path(elem...)), 0o755))
	o.check(os.WriteFile(o.path(elem...), b, 0o644))
}

func (o *original) metadata(stamp string, meta map[string]any) {
	o.t.Helper()
	b, err := json.MarshalIndent(meta, "", "  ")
	o.check(err)
	o.write(b, stamp, "backup-metadata.json")
}

// wal turns a copy into what the original makes of a database in WAL mode: its header says so, and there is no -wal.
func (o *original) wal(stamp string) {
	o.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+o.path(stamp, "db", "app.db"))
	o.check(err)
	_, err = db.Exec("PRAGMA journal_mode=WAL")
	o.check(errors.Join(err, db.Close()))
}

// options are those of an import into all targets.
func (o *original) options() importer.Options {
	o.t.Helper()
	tree, err := importer.Find(o.dir)
	o.check(err)
	o.t.Cleanup(func() { tree.Close() })
	b := o.w.Options()
	var components []kinds.Config
	components = append(components, o.w.Components...)
	return importer.Options{
		Tree: tree, Set: backuptest.Set, Components: components, Targets: o.w.Stores, Staging: b.Staging,
		Host: "test", Tool: "holdfast test", Rand: rand.Reader, State: b.State, Now: b.Now,
	}
}

// run imports, and sees that neither the tree nor staging is different after it.
func (o *original) run(change func(*importer.Options)) (*importer.Report, error) {
	o.t.Helper()
	before := o.state()
	op := o.options()
	if change != nil {
		change(&op)
	}
	r, err := importer.Run(o.t.Context(), op)
	if left, _ := os.ReadDir(op.Staging); len(left) > 0 {
		o.t.Errorf("staging still holds %s", left[0].Name())
	}
	after := o.state()
	for name, was := range before {
		if after[name] != was {
			o.t.Errorf("%s: was %s, is %s", name, was, after[name])
		}
		delete(after, name)
	}
	for name := range after {
		o.t.Errorf("%s is new", name)
	}
	return r, err
}

// good imports without any trouble.
func (o *original) good() *importer.Report {
	o.t.Helper()
	r, err := o.run(nil)
	o.check(err)
	for _, s := range r.Snapshots {
		for _, p := range s.Problems {
			o.t.Fatalf("%s: %s: %s", s.Stamp, p.ID, p.Message)
		}
		for _, target := range s.Targets {
			o.check(target.Err)
		}
	}
	return r
}

// state tells everything of the tree: kind, mode, times and content.
func (o *original) state() map[string]string {
	o.t.Helper()
	all := map[string]string{}
	o.check(filepath.WalkDir(o.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		s := fi.Mode().String() + fi.ModTime().String()
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			s += hex.EncodeToString(sum[:])
		}
		all[path] = s
		return nil
	}))
	return all
}
