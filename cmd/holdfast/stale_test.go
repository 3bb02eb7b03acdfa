package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

// What killed puts left in a target is gone after the next create, and what another process is writing is not.
func TestCreateRemovesStale(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 64 << 10})
	id, _ := w.created()
	archives := w.path("backup", "atocore", "archives", string(id))
	dead, living := filepath.Join(archives, "~put-DEAD"), filepath.Join(archives, "~put-LIVING")
	for _, path := range []string{dead, living} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(living)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	w.must(exitOK, "create", "--dry-run")
	if _, err := os.Stat(dead); err != nil {
		t.Errorf("a dry run removed it: %v", err)
	}
	w.must(exitOK, "create")
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the dead put's file is still there: %v", err)
	}
	if _, err := os.Stat(living); err != nil {
		t.Errorf("the living put's file: %v", err)
	}
}
