package sqlite_test

import (
	"context"
	"database/sql"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

const second = source.Wait(time.Second)

// rw opens a database for writing, as an application would; the test closes it.
func rw(t testing.TB, path, query string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String())
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func run(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// make1 makes a database in rollback mode with a table t of some rows, and closes it.
func make1(t testing.TB, path string, statements ...string) {
	t.Helper()
	db := rw(t, path, "")
	run(t, db, append(statements,
		"CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, printf('row %d %s', i, hex(randomblob(40))) FROM n",
	)...)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// capture drives all phases for one source and returns the staged copy.
func capture(t testing.TB, path string) (*source.Frozen, error) {
	t.Helper()
	ctx := context.Background()
	s := sqlite.New("db", path)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.Estimate(ctx); err != nil {
		return nil, err
	}
	if err := s.Prepare(ctx, t.TempDir()); err != nil {
		return nil, err
	}
	if err := s.Freeze(ctx, second); err != nil {
		return nil, err
	}
	if err := s.Confirm(ctx); err != nil {
		return nil, err
	}
	f, err := s.Capture(ctx)
	if err != nil {
		return nil, err
	}
	return f, s.Thaw()
}

func mustCapture(t testing.TB, path string) *source.Frozen {
	t.Helper()
	f, err := capture(t, path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// query reads one value from a copy.
func query[T any](t testing.TB, path, q string) (v T) {
	t.Helper()
	db, c, err := sqlite.OpenCopy(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	defer c.Close()
	if err := c.QueryRowContext(context.Background(), q).Scan(&v); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return v
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func stream(t testing.TB, f *source.Frozen) []byte {
	t.Helper()
	if len(f.Parts) != 1 || f.Parts[0].Name != "" || len(f.Parts[0].Header) != 0 || f.Parts[0].Pad != 0 {
		t.Fatalf("a database is one plain part, not %+v", f.Parts)
	}
	r, err := f.Parts[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != f.Size() {
		t.Fatalf("the stream has %d bytes, Size says %d", len(b), f.Size())
	}
	return b
}

func dbPath(t testing.TB) string { return filepath.Join(t.TempDir(), "app.db") }
