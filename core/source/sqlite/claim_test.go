package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// A claim fails exactly when SQLite's own exclusive lock would, whatever a connection does.
func TestClaimAgreesWithSQLite(t *testing.T) {
	for name, c := range map[string]struct {
		mode string
		do   []string // by a connection that stays open
		free bool
	}{
		"wal, idle":             {"wal", []string{"SELECT * FROM t"}, false},
		"wal, reading":          {"wal", []string{"BEGIN", "SELECT * FROM t"}, false},
		"wal, writing":          {"wal", []string{"BEGIN IMMEDIATE"}, false},
		"wal, never read":       {"wal", nil, true},
		"rollback, idle":        {"delete", []string{"SELECT * FROM t"}, true},
		"rollback, reading":     {"delete", []string{"BEGIN", "SELECT * FROM t"}, false},
		"rollback, reserved":    {"delete", []string{"BEGIN IMMEDIATE"}, false},
		"rollback, writing":     {"delete", []string{"BEGIN EXCLUSIVE"}, false},
		"rollback, kept locked": {"delete", []string{"PRAGMA locking_mode=EXCLUSIVE", "SELECT * FROM t"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			made := func() string {
				path := dbPath(t)
				db := rw(t, path, "_journal_mode="+c.mode)
				run(t, db, "CREATE TABLE t(v)", "INSERT INTO t VALUES(1)")
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				conn := rw(t, path, "")
				for _, q := range c.do {
					rows, err := conn.Query(q)
					if err != nil {
						t.Fatal(err)
					}
					for rows.Next() { // one that began and did not end would hold a lock itself
					}
					if err := rows.Close(); err != nil {
						t.Fatal(err)
					}
				}
				return path
			}
			// Each on a database of its own: closing the claim drops this process's other locks.
			path := made()
			if err := exclusively(rw(t, path, "_busy_timeout=0")); (err == nil) != c.free {
				t.Errorf("SQLite: %v, free is %v", err, c.free)
			}
			path = made()
			claim, err := sqlite.NewClaim(path)
			if (err == nil) != c.free || err != nil && (!errors.Is(err, source.ErrBusy) || source.ErrorID(err) != sqlite.IDLocked) {
				t.Errorf("claim: %v, free is %v", err, c.free)
			}
			if err := claim.Release(); err != nil {
				t.Error(err)
			}
		})
	}
}

func exclusively(db *sql.DB) error {
	for _, q := range []string{"PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "SELECT * FROM t"} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	return nil
}

func TestClaimNamesTheProcess(t *testing.T) {
	path := dbPath(t)
	make1(t, path)
	p := start(t, "exclusive", path)
	p.says(t, "locked")
	_, err := sqlite.NewClaim(path)
	if err == nil || !errors.Is(err, source.ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (", p.cmd.Process.Pid)) {
		t.Errorf("%v does not name process %d", err, p.cmd.Process.Pid)
	}
	p.kill()
	claim, err := sqlite.NewClaim(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := capture(t, path); source.ErrorID(err) != sqlite.IDLocked {
		t.Errorf("captured beside a claim: %v", err)
	}
	if err := claim.Release(); err != nil {
		t.Error(err)
	}
}

// Damage, a hot journal or a log that nobody has open are no obstacle, and stay as they are.
func TestClaimTouchesNothing(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) string{
		"abandoned log": abandoned,
		"hot journal": func(t *testing.T) string {
			path := dbPath(t)
			make1(t, path)
			p := start(t, "crash", path)
			p.says(t, "spilled")
			p.kill()
			return path
		},
		"zero bytes": func(t *testing.T) string { return write(t, nil) },
		"garbage":    func(t *testing.T) string { return write(t, []byte("no database")) },
		"read-only": func(t *testing.T) string {
			path := dbPath(t)
			make1(t, path)
			if err := os.Chmod(path, 0o400); err != nil {
				t.Fatal(err)
			}
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := make(t)
			before := dir(t, path)
			claim, err := sqlite.NewClaim(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := claim.Release(); err != nil {
				t.Error(err)
			}
			if after := dir(t, path); fmt.Sprint(before) != fmt.Sprint(after) {
				t.Error("a file changed")
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), filepath.Join(write(t, nil), "none")} {
		claim, err := sqlite.NewClaim(path)
		if err := errors.Join(err, claim.Release()); err != nil {
			t.Error(err)
		}
	}
	if _, err := sqlite.NewClaim(t.TempDir()); source.ErrorID(err) != sqlite.IDNotADatabase {
		t.Errorf("a directory: %v", err)
	}
	link := dbPath(t)
	if err := os.Symlink(write(t, nil), link); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.NewClaim(link); source.ErrorID(err) != sqlite.IDNotADatabase {
		t.Errorf("a link: %v", err)
	}
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	path := dbPath(t)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dir holds every file of the directory in which path lies.
func dir(t *testing.T, path string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files[e.Name()] = bytes.Clone(read(t, filepath.Join(filepath.Dir(path), e.Name())))
	}
	return files
}
