package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// endless makes a database in which counting the rows of an FTS5 table does not end: its content is a
// recursive view without a bound.
func endless(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "endless.db")
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		"CREATE TABLE t(x)", "INSERT INTO t VALUES(1)",
		"CREATE VIEW v AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT n AS rowid, n AS x FROM c",
		"CREATE VIRTUAL TABLE f USING fts5(x, content='v', content_rowid='rowid')",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// No check and no fact asks a virtual table for rows that need not end.
func TestInspectEndless(t *testing.T) {
	path := endless(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, level := range []source.Level{source.None, source.Quick, source.Full} {
		r, err := Inspect(ctx, path, level, &manifest.SQLiteFacts{Rows: map[string]int64{"t": 1, "f": 1}})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]int64{"t": 1}, r.Facts.SQLite.Rows); d != "" {
			t.Errorf("level %v: rows (-want +got):\n%s", level, d)
		}
		for _, k := range r.Checks {
			if k.Result != manifest.OK {
				t.Errorf("level %v: %+v", level, k)
			}
		}
	}
}

// What the time did not suffice for is inconclusive, and says why; a context that ends is an error.
func TestInspectPatience(t *testing.T) {
	path := endless(t)
	none := func(int64) time.Duration { return 0 }
	r, err := inspect(t.Context(), path, source.Full, nil, none)
	if err != nil || len(r.Checks) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, k := range r.Checks[1:] {
		if k.Result != manifest.Inconclusive || !strings.Contains(k.Detail, "did not end within 0s") {
			t.Errorf("%+v", k)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := inspect(ctx, path, source.Full, nil, none); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended gave %+v, %v", r, err)
	}
}
