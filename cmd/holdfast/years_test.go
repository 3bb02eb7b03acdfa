package main

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/importer"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// Three years of the original's snapshots are imported, each as one of its moment, once. HOLDFAST_SOAK does that with some
// eight hundred of them, as a nightly job leaves them; else a fifth is enough.
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
}
