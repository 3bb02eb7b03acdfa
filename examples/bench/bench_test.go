package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeHoldfast is a program that adds 1,000 bytes to the target, or fails where the test says so.
func fakeHoldfast(t *testing.T, target string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "holdfast")
	script := "#!/bin/sh\n[ \"$1\" = fail ] && { echo because; exit 3; }\nmkdir -p '" + target + "'\nprintf %01000d 0 > '" + target + "'/$1\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMeasureCountsWhatTheTargetGrewBy(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	holdfast := fakeHoldfast(t, target)
	for _, object := range []string{"one", "two"} { // the second meets a target that is not empty
		r, err := measure(t.Context(), "create", target, holdfast, object)
		if err != nil {
			t.Fatal(err)
		}
		if r.sent != 1000 || r.wall <= 0 || r.peak <= 0 {
			t.Errorf("%s: measured %+v", object, r)
		}
	}
}

func TestMeasureReportsAFailure(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	_, err := measure(t.Context(), "create", target, fakeHoldfast(t, target), "fail")
	if err == nil || !strings.Contains(err.Error(), "because") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want the exit status and what it printed", err)
	}
}

func TestEachBlockSeesEveryByte(t *testing.T) {
	dir := t.TempDir()
	sizes := map[string]int{"empty": 0, "small": 10, "exact": 2 * block, "large": 5*block + 1}
	want := int64(0)
	for name, size := range sizes {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		want += int64(size)
	}
	in, out, err := eachBlock(t.Context(), dir, func(b []byte) int { return len(b) })
	if err != nil || in != want || out != want {
		t.Errorf("read %d, worked on %d, %v; want %d", in, out, err, want)
	}
	if err := limits(t.Context(), dir, t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	for args, good := range map[string]bool{
		"-holdfast sh -size 20MiB":             true,
		"-holdfast sh -size lots":              false,
		"-holdfast sh surplus":                 false,
		"-holdfast no-such-program-anywhere-1": false,
	} {
		o, err := parse(strings.Fields(args))
		if (err == nil) != good {
			t.Errorf("%s: %+v, %v", args, o, err)
		}
	}
}
