package cleanup_test

import (
	"slices"
	"testing"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
)

// A run that is refused, or comes to a standstill, calls nothing deleted or marked that is as it was.
func TestFatesOfWhatWasNotDone(t *testing.T) {
	lost := manifest.ID("20260101T000000Z-00000000")
	for name, c := range map[string]struct {
		change func(*cleanup.Options)
		want   []string
	}{
		"refused":               {nil, []string{"waiting", "kept", "kept"}},
		"refused without grace": {func(o *cleanup.Options) { o.NoGrace = true }, []string{"waiting", "kept", "kept"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, due, kept := doomed(t)
			fresh := w.create(manifest.Good)
			w.giveUp(fresh)
			r, err := w.run(func(o *cleanup.Options) {
				o.Force, o.Known = false, []manifest.ID{lost}
				if c.change != nil {
					c.change(o)
				}
			})
			wantRefused(t, err, cleanup.RefusedShrunk)
			if !slices.Equal(fates(r), c.want) {
				t.Errorf("fates %v, want %v", fates(r), c.want)
			}
			w.whole(due, kept, fresh)
		})
	}
}

// What the sweep that had waited deletes is reported as deleted by the run that ends it, and is not
// part of the sweep that this run begins.
func TestFatesAfterWaiting(t *testing.T) {
	w, gone, kept := doomed(t)
	writer := w.begin()
	w.must(nil)
	late := w.commit(writer, manifest.Good)
	if r := w.must(nil); !slices.Equal(fates(r), []string{"deleted", "kept", "kept"}) || r.Objects != 2 {
		t.Errorf("%v, %d objects", fates(r), r.Objects)
	}
	w.gone(gone)
	w.whole(kept, late)
}
