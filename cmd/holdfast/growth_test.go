package main

import (
	"os"
	"testing"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// What a snapshot sends is what changed: after 1% of the rows changed under a
// tenth of the first snapshot, and when nothing changed under 4 KiB a component.
// The target's own growth has to say the same as the report does.
func TestGrowth(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 32 << 20})
	create := func() (id manifest.ID, sent int64) {
		t.Helper()
		before := files(t, w.path("backup"))
		id, sent = w.created("--check", "quick")
		var grown int64
		for path, n := range files(t, w.path("backup")) {
			if _, old := before[path]; !old {
				grown += n
			}
		}
		if grown > sent || sent > grown+1024 { // the intent was sent too, and is gone
			t.Errorf("create says that it sent %d bytes, and the target grew by %d", sent, grown)
		}
		return id, sent
	}

	_, first := create()
	touched, err := store.Touch(t.Context(), w.path("data"), 0.01, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, second := create()
	t.Logf("first snapshot %d bytes; then %d rows updated and %d added: %d bytes, 1/%.1f",
		first, touched.Updated, touched.Added, second, float64(first)/float64(second))
	if second*10 >= first {
		t.Errorf("the second snapshot sent %d bytes of the first one's %d: not under a tenth", second, first)
	}
	id, unchanged := create()
	if unchanged >= 3*4096 {
		t.Errorf("an unchanged snapshot of three components sent %d bytes", unchanged)
	}

	to := w.path("restored")
	w.must(exitOK, "restore", string(id), "--to", to)
	if _, err := store.Check(t.Context(), to+"/db"); err != nil {
		t.Error(err)
	}
	sameFile(t, store.Registry(w.path("data")), to+"/registry")
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
