package cleanup_test

import (
	"slices"
	"testing"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
)

// Undelete takes a forget back on whatever host: what was undeleted elsewhere, and unpinned since, is up to the
// plan again.
func TestForgottenAndUndeletedElsewhere(t *testing.T) {
	w := newWorld(t)
	m, kept := w.create(manifest.Good), w.create(manifest.Good)
	if _, err := cleanup.Forget(t.Context(), w.options(), []manifest.ID{m.ID}); err != nil {
		t.Fatal(err)
	}
	if r := w.must(nil); !slices.Equal(fates(r), []string{"waiting", "kept"}) {
		t.Fatalf("forgotten: %v", fates(r))
	}
	there := w.options()
	there.Notebook = &book{}
	if pinned, err := cleanup.Undelete(t.Context(), there, m.ID); err != nil || !pinned {
		t.Fatalf("undelete: %v, %v", pinned, err)
	}
	if n, err := w.repo.Unpin(t.Context(), set, m.ID); err != nil || n != 1 {
		t.Fatalf("unpin: %d, %v", n, err)
	}
	if r := w.must(nil); !slices.Equal(fates(r), []string{"kept", "kept"}) {
		t.Errorf("undeleted, and wanted by the plan: %v", fates(r))
	}
	// A mark of another's later plan is not the one that was forgotten.
	if _, err := w.repo.Expire(t.Context(), set, []manifest.ID{m.ID}, note(), w.clock); err != nil {
		t.Fatal(err)
	}
	if r := w.must(func(o *cleanup.Options) { o.NoGrace = true }); !slices.Equal(fates(r), []string{"kept", "kept"}) {
		t.Errorf("marked by another, and wanted by the plan: %v", fates(r))
	}
	w.whole(m, kept)
}
