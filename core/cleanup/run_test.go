package cleanup_test

import (
	"slices"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
)

func TestRun(t *testing.T) {
	w := newWorld(t)
	w.repo.Readers = 0
	a := w.create(manifest.Good)
	b := w.create(manifest.Good, a)
	c := w.create(manifest.Good, b)
	w.giveUp(a, b)

	before := w.mem.Keys()
	r := w.must(func(o *cleanup.Options) { o.Confirm = false })
	if !slices.Equal(before, w.mem.Keys()) || len(w.book.b) > 0 {
		t.Errorf("a dry run changed something: %q, %q", w.mem.Keys(), w.book.b)
	}
	if !slices.Equal(fates(r), []string{"marked", "marked", "kept"}) || !r.DryRun || r.Objects != 0 {
		t.Errorf("a dry run: %+v", r)
	}

	r = w.must(nil)
	if !slices.Equal(fates(r), []string{"marked", "marked", "kept"}) || len(w.keys("/expired/")) != 2 || len(w.keys("/verdicts/")) != 0 || r.Objects != 0 {
		t.Errorf("the first run: %+v", r)
	}
	w.clock = w.clock.Add(cleanup.Grace) // not older than that
	r = w.must(nil)
	if !slices.Equal(fates(r), []string{"waiting", "waiting", "kept"}) || len(w.keys("/expired/")) != 2 || r.Snapshots[0].Due != w.clock {
		t.Errorf("in the grace: %+v", r)
	}
	w.whole(a, b, c)
	w.clock = w.clock.Add(time.Second)
	r = w.must(func(o *cleanup.Options) { o.Workers = 0 })
	// The volumes of a and b live on in c; their indexes do not.
	if !slices.Equal(fates(r), []string{"deleted", "deleted", "kept"}) || r.Objects != 2 || r.Bytes == 0 {
		t.Errorf("after the grace: %+v, %v", r, fates(r))
	}
	w.gone(a)
	w.gone(b)
	w.whole(c)
	if len(w.keys("/expired/")) != 2 || len(w.keys("/verdicts/")) != 2 || len(w.keys("/intents/")) != 0 || len(w.keys("_probe/")) != 0 {
		t.Errorf("left: %q", w.mem.Keys())
	}
	r = w.must(nil)
	if !slices.Equal(fates(r), []string{"kept"}) || r.Objects != 0 {
		t.Errorf("nothing to do: %+v", r)
	}
}
