package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A scratch directory lives as long as its run; those of dead runs are removed by
// the next one, and nothing else is.
func TestScratch(t *testing.T) {
	staging := filepath.Join(t.TempDir(), "a", "staging")
	first, removeFirst, err := scratch(staging)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	dead := filepath.Join(staging, scratchPrefix+"dead")
	foreign := filepath.Join(staging, "other")
	for _, dir := range []string{dead, foreign} {
		if err := os.MkdirAll(filepath.Join(dir, "copy"), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	second, removeSecond, err := scratch(staging)
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Errorf("two runs share %s", first)
	}
	want := map[string]bool{first: true, second: true, foreign: true, dead: false}
	check := func() {
		t.Helper()
		for path, there := range want {
			if _, err := os.Stat(path); (err == nil) != there {
				t.Errorf("%s: %v, want it there: %v", path, err, there)
			}
		}
	}
	check()
	if err := removeFirst(); err != nil {
		t.Fatal(err)
	}
	want[first] = false
	check()
	if err := removeSecond(); err != nil {
		t.Fatal(err)
	}
	want[second] = false
	check()
}
