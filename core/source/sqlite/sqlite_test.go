package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// Older versions can lose a commit when a WAL is reset: https://www.sqlite.org/wal.html#walresetbug
func TestVersion(t *testing.T) {
	if _, n, _ := sqlite3.Version(); n < 3051003 {
		t.Errorf("SQLite is %s; at least 3.51.3 is needed", sqlite.Version())
	}
	if !sqlite.HasFTS5() {
		t.Error("SQLite is built without FTS5: build with -tags sqlite_fts5")
	}
}

func TestCaptureImages(t *testing.T) {
	for _, c := range []struct {
		name   string
		pragma []string
		chunk  int
	}{
		{"page size 512", []string{"PRAGMA page_size=512"}, 4096},
		{"page size 4096", nil, 4096},
		{"page size 65536", []string{"PRAGMA page_size=65536"}, 65536},
		{"page size 65536 WAL", []string{"PRAGMA page_size=65536", "PRAGMA journal_mode=WAL"}, 65536},
		{"UTF-16", []string{"PRAGMA encoding='UTF-16le'"}, 4096},
		{"FTS5", []string{"CREATE VIRTUAL TABLE f USING fts5(x)", "INSERT INTO f VALUES('hello world')"}, 4096},
		{"WITHOUT ROWID", []string{"CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID", "INSERT INTO w VALUES('a', 1)"}, 4096},
		{"auto_vacuum", []string{"PRAGMA auto_vacuum=INCREMENTAL"}, 4096},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := dbPath(t)
			make1(t, path, c.pragma...)
			f := mustCapture(t, path)
			if f.ChunkSize != c.chunk {
				t.Errorf("chunk size %d, want %d", f.ChunkSize, c.chunk)
			}
			if got := query[int](t, f.Path, "SELECT count(*) FROM t"); got != 2000 {
				t.Errorf("%d rows, want 2000", got)
			}
			if got := query[string](t, f.Path, "PRAGMA integrity_check"); got != "ok" {
				t.Error(got)
			}
			if fi, err := os.Stat(f.Path); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("the staged copy's mode is %v (%v), want 0600", fi.Mode(), err)
			}
			if !bytes.Equal(stream(t, f), read(t, f.Path)) {
				t.Error("the stream is not the image")
			}
			if again := mustCapture(t, path); !bytes.Equal(stream(t, again), stream(t, f)) {
				t.Error("an unchanged database gave another image")
			}
		})
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"with space.db", "100%.db", "%41.db", "what?mode=memory.db", "a#b.db", "a&b=c.db", "zürich 数.db", "-wal", "file:x.db", "a;b'c\"d.db", "new\nline.db", `back\slash.db`, "bad\xffutf8.db"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			plain := filepath.Join(dir, "plain")
			make1(t, plain)
			if err := os.Rename(plain, path); err != nil {
				t.Fatal(err)
			}
			f := mustCapture(t, path)
			if got := query[int](t, f.Path, "SELECT count(*) FROM t"); got != 2000 {
				t.Errorf("%d rows, want 2000", got)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("the database's directory has other files now: %v", entries)
			}
		})
	}
}

func TestSymlink(t *testing.T) {
	dir := t.TempDir()
	make1(t, filepath.Join(dir, "real.db"))
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(filepath.Join(dir, "real.db"), link); err != nil {
		t.Fatal(err)
	}
	mustCapture(t, link)
}

func TestInvalid(t *testing.T) {
	good := dbPath(t)
	make1(t, good)
	image := read(t, good)
	clobber := bytes.Repeat([]byte{0x9c, 0x11, 0xfe}, 4096)
	for _, c := range []struct {
		name  string
		bytes []byte
		id    string
	}{
		{"zero bytes", nil, sqlite.IDEmpty},
		{"encrypted-looking", clobber, sqlite.IDNotADatabase},
		{"foreign", []byte("%PDF-1.7 and so on"), sqlite.IDNotADatabase},
		{"short", image[:7], sqlite.IDNotADatabase},
		{"within its header", image[:60], sqlite.IDTruncated},
		{"half", image[:len(image)/2], sqlite.IDTruncated},
		{"by one page", image[:len(image)-4096], sqlite.IDTruncated},
		{"page size 3", append(append(bytes.Clone(image[:16]), 0, 3), image[18:]...), sqlite.IDNotADatabase},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := dbPath(t)
			if err := os.WriteFile(path, c.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := capture(t, path)
			if !errors.Is(err, source.ErrInvalid) || source.ErrorID(err) != c.id {
				t.Errorf("got %v (%q), want ErrInvalid with id %s", err, source.ErrorID(err), c.id)
			}
			if now := read(t, path); !bytes.Equal(now, c.bytes) {
				t.Error("the file was changed")
			}
		})
	}
}

// SQLite deletes the -wal beside a zero-byte database: it must never get to open one.
func TestEmptyKeepsWAL(t *testing.T) {
	path := dbPath(t)
	for _, p := range []string{path, path + "-wal"} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path+"-wal", []byte("somebody's data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := capture(t, path); source.ErrorID(err) != sqlite.IDEmpty {
		t.Errorf("got %v, want %s", err, sqlite.IDEmpty)
	}
	if got := string(read(t, path+"-wal")); got != "somebody's data" {
		t.Errorf("the -wal is now %q", got)
	}
}

func TestAbsent(t *testing.T) {
	ctx := context.Background()
	for name, path := range map[string]string{"missing": dbPath(t), "missing directory": filepath.Join(dbPath(t), "x.db")} {
		s := sqlite.New("db", path)
		_, err := s.Estimate(ctx)
		if !errors.Is(err, source.ErrAbsent) || source.ErrorID(err) != sqlite.IDAbsent {
			t.Errorf("%s: Estimate gave %v", name, err)
		}
		if err := s.Prepare(ctx, t.TempDir()); !errors.Is(err, source.ErrAbsent) {
			t.Errorf("%s: Prepare gave %v", name, err)
		}
	}
	if _, err := sqlite.New("db", t.TempDir()).Estimate(ctx); !errors.Is(err, source.ErrInvalid) {
		t.Errorf("a directory gave %v", err)
	}
}

// Between Prepare and Freeze the application may have changed its mode or moved another file there.
func TestReplaced(t *testing.T) {
	ctx := context.Background()
	path := dbPath(t)
	make1(t, path)
	s := sqlite.New("db", path)
	defer s.Close()
	if err := s.Prepare(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if s.Order() != source.OrderRollback {
		t.Errorf("order %v, want OrderRollback", s.Order())
	}
	other := dbPath(t)
	make1(t, other, "PRAGMA journal_mode=WAL")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if err := s.Freeze(ctx, second); !errors.Is(err, source.ErrMoved) {
		t.Errorf("Freeze gave %v, want ErrMoved", err)
	}
	if s.Order() != source.OrderWAL {
		t.Errorf("order %v, want OrderWAL now", s.Order())
	}
	if err := s.Freeze(ctx, second); err != nil {
		t.Errorf("the second Freeze gave %v", err)
	}
}
