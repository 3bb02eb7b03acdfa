package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
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
	dir := func(name, marker string) string {
		t.Helper()
		path := filepath.Join(staging, name)
		if err := os.MkdirAll(filepath.Join(path, "copy"), 0o700); err != nil {
			t.Fatal(err)
		}
		if marker != "" {
			if err := os.WriteFile(filepath.Join(path, scratchMarker), []byte(marker), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	link := func(to, name string) string {
		t.Helper()
		path := filepath.Join(staging, name)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dead := dir(scratchPrefix+"1", scratchText)
	theirs := dir("theirs", scratchText)
	linked := dir(scratchPrefix+"5", "")
	pipe := dir(scratchPrefix+"6", "")
	foreign := []string{
		theirs, linked, pipe,
		dir("other", ""), dir("run-1", ""), dir("run-2", scratchText),
		dir(scratchPrefix+"2", ""), dir(scratchPrefix+"3", "something else"), dir(scratchPrefix+"4", scratchText+"and more"),
		dir(scratchPrefix+"x", scratchText), dir(scratchPrefix, scratchText),
		link(theirs, scratchPrefix+"7"), link(filepath.Join(theirs, scratchMarker), filepath.Join(filepath.Base(linked), scratchMarker)),
	}
	if err := unix.Mkfifo(filepath.Join(pipe, scratchMarker), 0o600); err != nil {
		t.Fatal(err)
	}

	second, removeSecond, err := scratch(staging)
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Errorf("two runs share %s", first)
	}
	want := map[string]bool{first: true, second: true, dead: false, filepath.Join(theirs, "copy"): true}
	for _, path := range foreign {
		want[path] = true
	}
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
