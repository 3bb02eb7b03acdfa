package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

func inspect(t *testing.T, path string, level source.Level, base *manifest.SQLiteFacts) source.Report {
	t.Helper()
	r, err := sqlite.Inspect(context.Background(), path, level, base)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outcome is a report's checks as name -> "result id".
func outcome(r source.Report) map[string]string {
	m := map[string]string{}
	for _, c := range r.Checks {
		m[c.Name] = string(c.Result)
		if c.ID != "" {
			m[c.Name] += " " + c.ID
		}
	}
	return m
}

func TestInspectFacts(t *testing.T) {
	path := dbPath(t)
	make1(t, path, "PRAGMA page_size=8192", "PRAGMA journal_mode=WAL", "PRAGMA user_version=7", "PRAGMA application_id=1234",
		`CREATE TABLE "odd "" name"(x)`, `INSERT INTO "odd "" name" VALUES(1),(2)`,
		"CREATE VIRTUAL TABLE f USING fts5(x)", "INSERT INTO f VALUES('hello')",
		"CREATE TABLE seq(id INTEGER PRIMARY KEY AUTOINCREMENT)", "CREATE VIEW v AS SELECT 1")
	f := mustCapture(t, path)
	want := &manifest.SQLiteFacts{
		PageSize: 8192, UserVersion: 7, ApplicationID: 1234, Journal: "wal",
		Rows: map[string]int64{"t": 2000, `odd " name`: 2, "seq": 0},
	}
	dir, err := os.Stat(filepath.Dir(f.Path))
	if err != nil {
		t.Fatal(err)
	}
	r := inspect(t, f.Path, source.None, nil)
	if d := cmp.Diff(want, r.Facts.SQLite); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
	if len(r.Checks) != 0 {
		t.Errorf("level None made checks: %v", r.Checks)
	}
	for level, name := range map[source.Level]string{source.Quick: "quick_check", source.Full: "integrity_check"} {
		got := outcome(inspect(t, f.Path, level, want))
		if d := cmp.Diff(map[string]string{"header": "ok", name: "ok", "tables": "ok"}, got); d != "" {
			t.Errorf("checks (-want +got):\n%s", d)
		}
	}
	if now, err := os.Stat(filepath.Dir(f.Path)); err != nil || !now.ModTime().Equal(dir.ModTime()) {
		t.Errorf("the inspection made or removed a file beside the copy (%v)", err)
	}
}

func TestInspectMissingTable(t *testing.T) {
	path := dbPath(t)
	make1(t, path)
	base := &manifest.SQLiteFacts{Rows: map[string]int64{"t": 1, "users": 3, "a": 0}}
	r := inspect(t, path, source.Quick, base)
	if got := outcome(r)["tables"]; got != "failed "+sqlite.IDTableMissing {
		t.Errorf("tables: %s", got)
	}
	if got := r.Checks[2].Detail; got != "missing, and present before: a, users" {
		t.Errorf("detail %q", got)
	}
}

func TestInspectDamage(t *testing.T) {
	path := dbPath(t)
	make1(t, path, "CREATE TABLE i(x, y)", "CREATE INDEX ix ON i(x)", "INSERT INTO i VALUES(1, 2), (3, 4)")
	image := read(t, path)
	set := func(b []byte, off int, with ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[off:], with)
		return b
	}
	// Overwrites the b-tree type of every page from the third on: no schema is hit.
	broken := bytes.Clone(image)
	for off := 5 * 4096; off < len(broken); off += 4096 {
		broken[off] = 0x77
	}
	for _, c := range []struct {
		name string
		b    []byte
		want map[string]string
	}{
		{"empty", []byte{}, map[string]string{"header": "failed db_empty", "quick_check": "skipped"}},
		{"no header", []byte("hello"), map[string]string{"header": "failed db_not_a_database", "quick_check": "skipped"}},
		{"truncated", image[:8192], map[string]string{"header": "failed db_truncated", "quick_check": "skipped"}},
		{"pages", broken, map[string]string{"header": "ok", "quick_check": "failed db_integrity_check_failed", "tables": "failed db_open_failed"}},
		{"schema", set(image, 100, 0x77), map[string]string{"header": "failed db_open_failed", "quick_check": "skipped"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := filepath.Join(t.TempDir(), "x.db")
			if err := os.WriteFile(p, c.b, 0o600); err != nil {
				t.Fatal(err)
			}
			r := inspect(t, p, source.Quick, nil)
			if d := cmp.Diff(c.want, outcome(r)); d != "" {
				t.Errorf("checks (-want +got):\n%s\n%+v", d, r.Checks)
			}
			for _, check := range r.Checks {
				if len(check.Detail) > 500 {
					t.Errorf("detail of %d bytes", len(check.Detail))
				}
			}
		})
	}
	r := inspect(t, filepath.Join(t.TempDir(), "none"), source.Quick, nil)
	if got := outcome(r)["header"]; got != "failed "+sqlite.IDMissing {
		t.Errorf("a missing copy: %s", got)
	}
}

// A damaged FTS5 index is what SQLite without FTS5 does not see.
func TestInspectFTS5(t *testing.T) {
	path := dbPath(t)
	make1(t, path, "CREATE VIRTUAL TABLE f USING fts5(x)", "INSERT INTO f VALUES('hello world'), ('good night')")
	db := rw(t, path, "")
	run(t, db, "DELETE FROM f_content WHERE id = 1")
	db.Close()
	if got := outcome(inspect(t, path, source.Full, nil))["integrity_check"]; got != "failed "+sqlite.IDIntegrity {
		t.Errorf("integrity_check: %s", got)
	}
}

// A table of a module that is not in this build is not checked, and that is said.
func TestInspectUnknownModule(t *testing.T) {
	for module, want := range map[string]string{"geopoly": "inconclusive", "vec0": "ok"} {
		path := dbPath(t)
		make1(t, path)
		db := rw(t, path, "_writable_schema=1")
		run(t, db, "INSERT INTO sqlite_schema VALUES('table', 'v', 'v', 0, 'create virtual table v USING\n "+module+"(x)')")
		db.Close()
		r := inspect(t, path, source.Full, nil)
		if got := outcome(r)["integrity_check"]; got != want {
			t.Errorf("%s: integrity_check %s, want %s", module, got, want)
		}
		if r.Checks[1].Detail == "" {
			t.Errorf("%s: the check does not say what it passed over", module)
		}
		if _, counted := r.Facts.SQLite.Rows["v"]; counted {
			t.Errorf("%s: rows of a table that cannot be read", module)
		}
	}
}

func TestInspectCanceled(t *testing.T) {
	path := dbPath(t)
	db := rw(t, path, "_synchronous=OFF&_journal_mode=OFF")
	run(t, db, "CREATE TABLE t(v)", "CREATE INDEX i ON t(v)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 400000) INSERT INTO t SELECT randomblob(32) FROM n")
	db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := sqlite.Inspect(ctx, path, source.Full, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v after %v, want the context's error", err, time.Since(begin))
	}
}
