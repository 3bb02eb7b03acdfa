package main

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

// An import that is interrupted or terminated at any moment ends with the code of the signal, unless it was done;
// the next one goes on, and in the end every stamp was imported once.
func TestImportSignalled(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 64 << 10})
	random := newRandom(t)
	var moments []time.Time
	for day := range 30 {
		moments = append(moments, time.Date(2025, 1, 1+day, 2, 0, 0, 0, time.UTC))
	}
	if err := original(t.Context(), w.path("snapshots"), moments); err != nil {
		t.Fatal(err)
	}
	whole := w.duration("import", "snapshots", "--dry-run")
	seen := map[exitCode]int{}
	for n := 0; n < 40 && (seen[exitInterrupted] == 0 || seen[exitTerminated] == 0); n++ {
		signal, want := syscall.SIGINT, exitInterrupted
		if n%2 == 1 {
			signal, want = syscall.SIGTERM, exitTerminated
		}
		args := []string{"import", "snapshots"}
		if n%4 >= 2 {
			args = append(args, "--json")
		}
		code := w.end(random, &whole, signal, args...)
		seen[code]++
		if code != exitOK && code != want && code != -1 {
			t.Errorf("import with %v ended with %d, want 0 or %d", signal, code, want)
		}
		if code == -1 { // so early that it had not even begun to listen to signals
			continue
		}
		none(t, w.path("backup", "atocore", "intents", "*"))
		none(t, w.path(".holdfast", "staging", "*"))
		if code == exitOK { // all is there: begin anew
			if err := os.RemoveAll(w.path("backup", "atocore")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seen[exitInterrupted] == 0 || seen[exitTerminated] == 0 {
		t.Errorf("too quick for a signal: %v", seen)
	}
	w.must(exitOK, "import", w.path("snapshots"))
	var stamps []string
	for _, id := range w.ids() {
		stamp, _, _ := strings.Cut(string(id), "-")
		stamps = append(stamps, stamp)
	}
	var want []string
	for _, at := range moments {
		want = append(want, at.Format(stampLayout))
	}
	if !slices.Equal(stamps, want) {
		t.Errorf("stamps are %v, want %v", stamps, want)
	}
}
