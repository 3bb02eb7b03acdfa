package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/importer"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// Three years of the original's snapshots are imported, each as one of its moment, once; and a cleanup by the policy
// classic would keep, stamp by stamp, what the original's would have kept: the rule is stated anew, in another language,
// in classic.py. HOLDFAST_SOAK does that with some eight hundred stamps, as a nightly job leaves them; else a fifth is enough.
func TestYears(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 64 << 10})
	random := newRandom(t)
	chance := 0.08
	if os.Getenv("HOLDFAST_SOAK") != "" {
		chance = 0.9
	}
	moments := years(random, time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), chance)
	if err := original(t.Context(), w.path("snapshots"), moments); err != nil {
		t.Fatal(err)
	}
	for again := range 2 {
		var r importReport
		decodeLast(t, w.must(exitOK, "import", w.dir, "--json"), &r)
		if r.Targets[0].Imported != len(moments)*(1-again) || r.Targets[0].Already != len(moments)*again {
			t.Errorf("of %d stamps: %+v", len(moments), r.Targets)
		}
	}
	var r listReport
	decodeLast(t, w.must(exitOK, "list", "--json"), &r)
	var got []time.Time
	for _, s := range r.Targets[0].Sets[0].Snapshots {
		got = append(got, s.CapturedAt)
		if s.Grade != manifest.Good || !slices.Contains(s.Tags, importer.Tag) || !s.ID.Time().Equal(s.CapturedAt) {
			t.Errorf("%+v", s)
		}
	}
	if !slices.EqualFunc(got, moments, time.Time.Equal) {
		t.Errorf("snapshots of %v, want %v", got, moments)
	}
	compareClassic(t, w, moments)
}

// compareClassic compares a dry run of cleanup with the original's rule.
func compareClassic(t *testing.T, w *world, moments []time.Time) {
	t.Helper()
	var stamps []string
	for _, at := range moments {
		stamps = append(stamps, at.Format(stampLayout))
	}
	classic := exec.CommandContext(t.Context(), "python3", filepath.Join("..", "..", "core", "retention", "testdata", "classic.py"))
	classic.Stdin = strings.NewReader(strings.Join(stamps, "\n"))
	var stderr strings.Builder
	classic.Stderr = &stderr
	out, err := classic.Output()
	if err != nil {
		t.Fatalf("the original's rule: %v\n%s", err, stderr.String())
	}
	want := strings.Fields(string(out))

	code, stdout, errs := w.run("cleanup", "--json")
	if code != exitOK && code != exitRefused { // whether more than half would go depends on the stamps
		t.Fatalf("cleanup ended with %d\n%s%s", code, stdout, errs)
	}
	var r cleanupReport
	decodeLast(t, stdout, &r)
	if !r.DryRun || r.Targets[0].WouldDelete == nil {
		t.Fatalf("no dry run: %s", stdout)
	}
	var kept, dropped, gone []string
	for _, id := range r.Targets[0].Kept {
		kept = append(kept, string(id)[:len(stampLayout)])
	}
	for _, id := range *r.Targets[0].WouldDelete {
		gone = append(gone, string(id)[:len(stampLayout)])
	}
	for _, stamp := range stamps {
		if !slices.Contains(want, stamp) {
			dropped = append(dropped, stamp)
		}
	}
	if diff := cmp.Diff([][]string{want, dropped}, [][]string{kept, gone}); diff != "" {
		t.Errorf("of %d stamps kept and dropped (-original +cleanup):\n%s", len(stamps), diff)
	}
	if len(dropped) == 0 || len(want) < 10 {
		t.Errorf("of %d stamps %d are kept: too few to tell", len(stamps), len(want))
	}
}
