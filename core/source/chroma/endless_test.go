package chroma

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// A table that became a view without an end leaves open what depends on it; it neither hangs nor passes.
func TestInspectEndless(t *testing.T) {
	const rows = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) "
	for name, c := range map[string]struct {
		query string // what becomes of the table of that name
		check string // the first that is open
	}{
		"migrations": {rows + "SELECT 'sysdb' AS dir, n AS version FROM r", "tables"},
		"embeddings": {rows + "SELECT n AS id, CAST(n AS TEXT) AS segment_id, '' AS embedding_id, n AS seq_id, '' AS created_at FROM r", "tables"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := recorded(t)
			db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, Database))
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{"PRAGMA journal_mode=DELETE", "DROP TABLE " + name, "CREATE VIEW " + name + " AS " + c.query} {
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			soon := func(int64) time.Duration { return 500 * time.Millisecond }
			r, err := takeCensus(t.Context(), dir, source.Quick, nil, soon)
			if err != nil {
				t.Fatal(err)
			}
			open := false
			for _, k := range r.Checks {
				switch {
				case k.Name == c.check:
					open = true
					if k.Result != manifest.Inconclusive {
						t.Errorf("%+v", k)
					}
				case open && k.Result != manifest.Skipped:
					t.Errorf("after it: %+v", k)
				}
			}
			if !open {
				t.Errorf("%+v", r.Checks)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if r, err := Inspect(ctx, dir, source.Quick, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a context that ends first gave %+v, %v", r, err)
			}
		})
	}
}
