package backup_test

import (
	"database/sql"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/validate"
)

// Each trouble of the live store has its grade and its identifier, and keeps no other component from being
// captured.
func TestTrouble(t *testing.T) {
	remove := func(name string) func(*testing.T, *backuptest.World) {
		return func(t *testing.T, w *backuptest.World) {
			if err := os.RemoveAll(w.Path(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(name, content string) func(*testing.T, *backuptest.World) {
		return func(t *testing.T, w *backuptest.World) {
			for _, side := range []string{"-wal", "-shm"} {
				os.Remove(w.Path(name + side))
			}
			if err := os.WriteFile(w.Path(name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		do        func(*testing.T, *backuptest.World)
		component string
		grade     manifest.Grade
		id        string
		captured  bool
	}{
		"database missing":   {remove("app.db"), "db", manifest.Degraded, "db_absent", false},
		"database of 0":      {write("app.db", ""), "db", manifest.Degraded, "db_empty", false},
		"database foreign":   {write("app.db", "PK\x03\x04 and so on, for longer than a header: "+string(make([]byte, 4096))), "db", manifest.Degraded, "", false},
		"registry missing":   {remove("registry.json"), "registry", manifest.Degraded, "", false},
		"registry torn":      {write("registry.json", `{"a":`), "registry", manifest.Suspect, "registry_invalid_json", true},
		"registry of 0":      {write("registry.json", ""), "registry", manifest.Suspect, "registry_invalid_json", true},
		"chroma missing":     {remove("chroma"), "chroma", manifest.Degraded, "chroma_absent", false},
		"chroma empty":       {func(t *testing.T, w *backuptest.World) { remove("chroma")(t, w); os.Mkdir(w.Path("chroma"), 0o700) }, "chroma", manifest.Degraded, "chroma_absent", false},
		"chroma without any": {dropCollections, "chroma", manifest.Suspect, "chroma_collections_missing", true},
		"chroma truncated": {func(t *testing.T, w *backuptest.World) {
			if err := os.Truncate(w.Path("chroma/2ebbdf92-2339-4146-bee8-97e5d2a659af/data_level0.bin"), 100); err != nil {
				t.Fatal(err)
			}
		}, "chroma", manifest.Suspect, "chroma_length_mismatch", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "nas")
			w.Chroma()
			for _, c := range w.Components {
				w.Optional[c.Name] = true // which makes no difference for what the newest good snapshot has
			}
			w.Good()
			if err := w.DB.Close(); err != nil {
				t.Fatal(err)
			}
			c.do(t, w)
			for range 2 { // and it stays so: a snapshot that is not good is no yardstick
				r := w.Made()
				m := r.Targets[0].Manifest
				if r.Grade != c.grade || m.Grade != c.grade || !slices.ContainsFunc(m.Reasons, func(r manifest.Reason) bool {
					return r.Component == c.component && (r.ID == c.id || c.id == "")
				}) {
					t.Errorf("%s, %+v", r.Grade, r.Reasons)
				}
				for i, comp := range r.Components {
					want := comp.Name != c.component || c.captured
					if (comp.Err == nil) != want || (m.Component(comp.Name) != nil) != want {
						t.Errorf("%s was captured: %v, want %v (%v)", comp.Name, m.Component(comp.Name) != nil, want, r.Components[i].Err)
					}
				}
				if v := w.Validate(0, validate.Data, m.ID); v.Damaged() || v.Inconclusive() {
					t.Errorf("%+v", v)
				}
			}
		})
	}
}

func dropCollections(t *testing.T, w *backuptest.World) {
	db, err := sql.Open("sqlite3", "file:"+w.Path("chroma/chroma.sqlite3"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"collections", "segments", "embeddings_queue", "embeddings"} {
		if _, err := db.Exec("DELETE FROM " + table); err != nil {
			t.Fatal(err)
		}
	}
}

// A check that could not run makes a snapshot degraded; one that failed beside it makes it suspect, in
// whatever order they come.
func TestUnchecked(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.DB.SetMaxOpenConns(1) // the pragma belongs to a connection
	w.Exec("CREATE INDEX by_body ON items(body)")
	w.Exec("PRAGMA writable_schema=ON")
	w.Exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX by_body ON items(body COLLATE of_the_application)' WHERE name = 'by_body'")
	for range 2 { // and it stays due
		if r := w.Made(); r.Grade != manifest.Degraded || !slices.ContainsFunc(r.Reasons, func(r manifest.Reason) bool { return r.ID == "integrity_check_inconclusive" }) {
			t.Errorf("%s, %+v", r.Grade, r.Reasons)
		}
	}
	w.Registry("{")
	for range 2 {
		if r := w.Made(); r.Grade != manifest.Suspect || len(r.Reasons) != 2 {
			t.Errorf("%s, %+v", r.Grade, r.Reasons)
		}
		slices.Reverse(w.Components)
	}
}

// An optional component that has gone is told also when creates that left it out on purpose came since; when it was
// gone on purpose in the last good snapshot that looked for it, it is a note.
func TestOptionalMasked(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	w.Optional["chroma"] = true
	without := func() *backup.Report {
		t.Helper()
		r, err := w.Create(func(o *backup.Options) {
			o.Components = slices.DeleteFunc(o.Components, func(c backup.Component) bool { return c.Source.Name() == "chroma" })
		})
		if err != nil || r.Grade != manifest.Good {
			t.Fatalf("%v, %s, %+v", err, r.Grade, r.Reasons)
		}
		return r
	}
	aside := w.Path("aside")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(w.Path("chroma"), aside)
	for range 2 {
		if r := w.Good(); len(r.Reasons) != 1 || r.Reasons[0].ID != "component_absent" {
			t.Errorf("never there: %+v", r.Reasons)
		}
		without()
	}
	move(aside, w.Path("chroma"))
	w.Good()
	without()
	without()
	move(w.Path("chroma"), aside)
	for range 2 {
		if r := w.Made(); r.Grade != manifest.Degraded || len(r.Reasons) != 1 || r.Reasons[0].ID != "chroma_absent" {
			t.Errorf("gone: %s, %+v", r.Grade, r.Reasons)
		}
		without()
	}
}

// A table, or all collections, that are gone on purpose: the reason names the way out, and it is one.
func TestWayOut(t *testing.T) {
	for component, drop := range map[string]func(*testing.T, *backuptest.World){
		"db":     func(_ *testing.T, w *backuptest.World) { w.Exec("DROP TABLE other") },
		"chroma": dropCollections,
	} {
		t.Run(component, func(t *testing.T) {
			w := backuptest.New(t, "nas")
			w.Chroma()
			w.Exec("CREATE TABLE other(x)")
			w.Good()
			drop(t, w)
			for range 2 {
				r := w.Made()
				if r.Grade != manifest.Suspect || len(r.Reasons) != 1 || r.Reasons[0].Component != component || !strings.Contains(r.Reasons[0].Message, "run holdfast create --check none once") {
					t.Errorf("%s, %+v", r.Grade, r.Reasons)
				}
			}
			if r, err := w.Create(func(o *backup.Options) { o.Check = backup.CheckNone }); err != nil || r.Grade != manifest.Good {
				t.Errorf("%v, %s, %+v", err, r.Grade, r.Reasons)
			}
			if r := w.Made(); r.Grade != manifest.Good {
				t.Errorf("the next: %s, %+v", r.Grade, r.Reasons)
			}
		})
	}
}

// Without anything there is no snapshot.
func TestNothingCaptured(t *testing.T) {
	w := backuptest.New(t, "nas")
	for i := range w.Components {
		w.Components[i].Path = w.Path("nowhere")
	}
	r, err := w.Create(nil)
	if !errors.Is(err, backup.ErrNothing) || r.Complete() || len(r.Components) != 2 || r.Components[0].Err == nil {
		t.Errorf("%v, %+v", err, r)
	}
	if keys := w.Keys(0, backuptest.Set+"/"); len(keys) > 0 {
		t.Errorf("%v was put", keys)
	}
	if _, err := w.Create(func(o *backup.Options) { o.Targets = nil }); !errors.Is(err, backup.ErrNothing) {
		t.Errorf("no target: %v", err)
	}
}
