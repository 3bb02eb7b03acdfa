package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/core/restore/swap"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// A service that starts as soon as its databases are back waits until all is verified: what it wrote before that
// would be taken away with the database, or its log be left beside another one.
func TestServiceStartsTooSoon(t *testing.T) {
	g := newGenerations(t, store.Options{Seed: 1, Size: 64 << 10})
	data := g.path("data")
	starts := 0
	early := swap.Hooks{Fail: func(point string) error {
		if !strings.HasSuffix(point, "verify:before") {
			return nil
		}
		for _, path := range []string{store.Database(data), filepath.Join(store.Chroma(data), "chroma.sqlite3")} {
			starts++
			var refused sqlite3.Error
			if err := serve(path); !errors.As(err, &refused) || refused.Code != sqlite3.ErrBusy {
				t.Errorf("%s: a service could write to %s: %v", point, path, err)
			}
		}
		return nil
	}}
	ends := func(want string, args ...string) {
		t.Helper()
		if code, out := g.hooked(early, args...); code != exitOK || g.which() != want {
			t.Fatalf("%v ended with %d: %s", args, code, out)
		}
	}
	restore := []string{"restore", string(g.id), "--confirm-service-stopped", "--no-pre-snapshot"}
	ends("new", restore...)
	ends("old", "restore", "undo", "--confirm-service-stopped")

	points := g.points(restore...)
	g.must(exitOK, "restore", "undo", "--confirm-service-stopped")
	for n, point := range points {
		if point == "forward out chroma:after" && !g.killed(n+1, restore...) {
			t.Fatal("not killed")
		}
	}
	ends("new", "recover")
	if starts != 6 {
		t.Errorf("a service started %d times, want 6", starts)
	}
	if err := serve(store.Database(data)); err != nil {
		t.Errorf("a service that starts afterwards: %v", err)
	}
}

// serve writes to a database as a service does.
func serve(path string) (err error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=rw&_busy_timeout=0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.Exec("CREATE TABLE of_the_service (x)")
	return err
}
