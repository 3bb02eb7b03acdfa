package source_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/file"
	"github.com/atocore/holdfast/core/source/sqlite"
)

func database(t *testing.T, mode string) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "app.db")
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Path: path, RawQuery: "_busy_timeout=0&_journal_mode=" + mode}).String())
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec("CREATE TABLE t(v)"); err != nil {
		t.Fatal(err)
	}
	return path, db
}

// Real sources: one database is locked for ever, one file is gone, and the rest is captured.
func TestCutReal(t *testing.T) {
	wal, _ := database(t, "WAL")
	rollback, _ := database(t, "DELETE")
	locked, holder := database(t, "DELETE")
	if _, err := holder.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	registry := filepath.Join(t.TempDir(), "registry.json")
	if err := os.WriteFile(registry, []byte(`{"projects": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	staging := t.TempDir()
	begin := time.Now()
	res, err := source.Cut(context.Background(), []source.Source{
		sqlite.New("wal", wal), sqlite.New("rollback", rollback), sqlite.New("locked", locked),
		file.New("registry", registry, file.JSON), file.New("gone", registry+".none", ""),
	}, source.Options{Staging: staging, FreezeTimeout: 400 * time.Millisecond, LockWait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Frozen) != 3 || res.Frozen["wal"] == nil || res.Frozen["rollback"] == nil || res.Frozen["registry"] == nil {
		t.Errorf("captured %v", res.Frozen)
	}
	if !errors.Is(res.Failed["locked"], source.ErrBusy) || !errors.Is(res.Failed["gone"], source.ErrAbsent) || len(res.Failed) != 2 {
		t.Errorf("failed %v", res.Failed)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if res.Instant.Before(begin) || res.Instant.After(time.Now()) {
		t.Errorf("instant %v", res.Instant)
	}
	for name, f := range res.Frozen {
		if filepath.Dir(f.Path) != filepath.Join(staging, name) {
			t.Errorf("%s is staged at %s", name, f.Path)
		}
		if fi, err := os.Stat(filepath.Dir(f.Path)); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("%s: staging has mode %v, %v", name, fi.Mode(), err)
		}
	}
	if id := source.ErrorID(res.Failed["locked"]); id != sqlite.IDLocked {
		t.Errorf("id %q", id)
	}
}

func TestFault(t *testing.T) {
	cause := errors.New("input/output error")
	f := &source.Fault{Path: "/x/app.db", ID: "db_open_failed", Problem: "cannot be read", Next: "look at the disk", Kind: source.ErrInvalid, Cause: cause}
	if got, want := f.Error(), "/x/app.db: cannot be read: input/output error (look at the disk)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(f, cause) || !errors.Is(f, source.ErrInvalid) || errors.Is(f, source.ErrBusy) {
		t.Error("errors.Is does not find kind and cause, and only them")
	}
	if source.ErrorID(errors.Join(cause, f)) != "db_open_failed" || source.ErrorID(cause) != "" {
		t.Error("ErrorID")
	}
}
