package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func generate(t *testing.T, o Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	if err := Generate(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// digests gives the SHA-256 of each file below dir by its relative path.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		sums[path] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func TestGenerateIsDeterministic(t *testing.T) {
	o := Options{Seed: 7, Size: 2 << 20, ChromaSize: 4 << 20}
	one, two := digests(t, generate(t, o)), digests(t, generate(t, o))
	for path, sum := range one {
		if two[path] != sum {
			t.Errorf("%s differs between two runs with one seed", path)
		}
	}
	if len(one) != len(two) {
		t.Errorf("%d files, then %d", len(one), len(two))
	}
	o.Seed = 8
	other := digests(t, generate(t, o))
	for _, path := range []string{"db/atocore.db", "config/project-registry.json", "chroma/chroma.sqlite3"} {
		if one[path] == "" || other[path] == one[path] {
			t.Errorf("%s is missing, or the same with another seed", path)
		}
	}
}

func TestGenerateReachesTheSizes(t *testing.T) {
	for _, o := range []Options{
		{Size: 1 << 20},
		{Size: 3 << 20, ChromaSize: 5 << 20, Journal: Rollback},
	} {
		dir := generate(t, o)
		info, err := os.Stat(Database(dir))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Size(); got < o.Size || got > o.Size+256<<10 {
			t.Errorf("database of %d bytes, asked for %d", got, o.Size)
		}
		chroma, err := treeSize(Chroma(dir))
		if err != nil {
			t.Fatal(err)
		}
		if chroma < o.ChromaSize || chroma > max(o.ChromaSize, 2<<20)*5/4 {
			t.Errorf("chroma of %d bytes, asked for %d", chroma, o.ChromaSize)
		}
		want := o.Journal
		if want == "" {
			want = WAL
		}
		var journal string
		query(t, Database(dir), "PRAGMA journal_mode", &journal)
		if journal != string(want) {
			t.Errorf("journal mode %s, want %s", journal, want)
		}
	}
}

func query(t *testing.T, path, text string, into ...any) {
	t.Helper()
	db, err := open(path, "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), text).Scan(into...); err != nil {
		t.Fatal(err)
	}
}

func TestGenerateRefusesAFullDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Generate(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestGenerateLeavesNothingBehindWhenItFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	if err := Generate(ctx, filepath.Join(parent, "store"), Options{}); err == nil {
		t.Error("no error although the context was done")
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) > 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestTouch(t *testing.T) {
	dir := generate(t, Options{Size: 4 << 20})
	before, err := Check(t.Context(), Database(dir))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same seed again: other changes, no double key
		touched, err := Touch(t.Context(), dir, 0.05, 3)
		if err != nil {
			t.Fatal(err)
		}
		// 16 of an import's 18 rows are in the tables that are updated; an import is added whole.
		rows := float64(before.Chunks) * rowsPerImport / 8
		for what, n := range map[string]int64{"updated": touched.Updated, "added": touched.Added} {
			if float64(n) < rows*0.05 || float64(n) > rows*0.05*1.2+20 {
				t.Errorf("%s %d rows of %v, asked for 5%%", what, n, rows)
			}
		}
	}
	after, err := Check(t.Context(), Database(dir))
	if err != nil {
		t.Fatal(err)
	}
	if after.Memories <= before.Memories || after.Chunks <= before.Chunks {
		t.Errorf("rows before %+v, after %+v", before, after)
	}
	for range 2 { // as many updates in both, so that only the choice of the seed keeps the keys apart
		if _, err := Touch(t.Context(), dir, 0.0001, 3); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Touch(t.Context(), dir, 1.5, 0); err == nil {
		t.Error("no error for a share of 1.5")
	}
}

func TestWriteKeepsWhatItAcknowledged(t *testing.T) {
	for _, journal := range []Journal{WAL, Rollback} {
		t.Run(string(journal), func(t *testing.T) {
			dir := generate(t, Options{Size: 1 << 20})
			ctx, cancel := context.WithCancel(t.Context())
			r, w := io.Pipe()
			done := make(chan error, 1)
			go func() {
				err := Write(ctx, dir, WriteOptions{Journal: journal}, w)
				w.Close()
				done <- err
			}()
			acked := int64(0)
			for lines := bufio.NewScanner(r); lines.Scan(); {
				if _, err := fmt.Sscanf(lines.Text(), "committed %d", &acked); err != nil {
					t.Fatalf("line %q: %v", lines.Text(), err)
				}
				if acked == 50 {
					cancel()
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			cancel()
			facts, err := Check(t.Context(), Database(dir))
			if err != nil {
				t.Fatal(err)
			}
			if facts.Transfers < acked || acked < 50 {
				t.Errorf("acknowledged %d transfers, the database has %d", acked, facts.Transfers)
			}
			var got string
			if query(t, Database(dir), "PRAGMA journal_mode", &got); got != string(journal) {
				t.Errorf("journal mode %s, want %s", got, journal)
			}
		})
	}
}

func TestCheckFindsWhatIsNoSingleMoment(t *testing.T) {
	for name, damage := range map[string]string{
		"a lost update":        "UPDATE accounts SET balance = balance + 1 WHERE id = 3",
		"a lost account":       "DELETE FROM accounts WHERE id = 5",
		"half a transfer":      "INSERT INTO transfers VALUES (1, 1, 2, 10)",
		"a gap":                "INSERT INTO transfers VALUES (2, 1, 1, 10)",
		"an unindexed memory":  "DELETE FROM memories_search_docsize WHERE id = 1",
		"a row without a page": "PRAGMA writable_schema = on; UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'chunks'",
	} {
		t.Run(name, func(t *testing.T) {
			dir := generate(t, Options{Size: 1 << 20})
			db, err := sql.Open("sqlite3", Database(dir))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			if _, err := db.ExecContext(t.Context(), damage); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if f, err := Check(t.Context(), Database(dir)); err == nil {
				t.Errorf("no error, facts %+v", f)
			}
		})
	}
}
