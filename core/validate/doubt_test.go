package validate_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

// What fails once and is right the second time is not called damaged, but neither is it called good.
func TestUnstable(t *testing.T) {
	for _, object := range []string{"db-00000.zst", "db.index.zst"} {
		for _, level := range levels[1:] {
			t.Run(object+"/"+string(level), func(t *testing.T) {
				w := backuptest.New(t, "nas")
				w.Good()
				var mu sync.Mutex
				flipped := false
				w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
					mu.Lock()
					defer mu.Unlock()
					if op == memtarget.Get && strings.HasSuffix(key, object) && !flipped {
						flipped = true
						f.Body = backuptest.Flip
					}
					return f
				}
				r := w.Validate(0, level)
				s := one(t, r)
				if r.Damaged() || !r.Inconclusive() || len(r.Marked) > 0 || len(w.Keys(0, "/damaged/")) > 0 ||
					!slices.ContainsFunc(s.Inconclusive, func(f validate.Finding) bool { return f.ID == validate.IDUnstable }) {
					t.Errorf("findings %v, inconclusive %+v, marked %v", s.Findings, s.Inconclusive, r.Marked)
				}
				clean(t, w)
			})
		}
	}
}

// A target that stops answering leaves the question open. Nothing that cannot be read is called damaged.
func TestUnreachable(t *testing.T) {
	for _, kind := range []target.Kind{target.KindUnavailable, target.KindDenied, target.KindUnknown} {
		for _, level := range levels[1:] {
			w := backuptest.New(t, "nas")
			w.Good()
			o := w.Validation(0, level)
			w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
				return memtarget.Fault{Err: &target.Error{Op: string(op), Key: key, Kind: kind}}
			}
			r, err := validate.Run(t.Context(), o)
			if err != nil || r.Damaged() || !r.Inconclusive() {
				t.Errorf("%v at level %s: %+v, %v", kind, level, r, err)
			}
			w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
				if op == memtarget.Get && strings.HasSuffix(key, ".zst") && !strings.HasSuffix(key, ".index.zst") {
					f.Err = &target.Error{Op: string(op), Key: key, Kind: kind}
				}
				return f
			}
			if r, err = validate.Run(t.Context(), o); err != nil || r.Damaged() || !r.Inconclusive() {
				t.Errorf("%v for volumes at level %s: %+v, %v", kind, level, r, err)
			}
			clean(t, w)
		}
	}
}

// Scratch space that is of no use says nothing of the repository.
func TestNoScratch(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()
	o := w.Validation(0, validate.Data)
	o.Scratch = w.Path("nowhere")
	if _, err := validate.Run(t.Context(), o); err == nil {
		t.Error("validated without scratch space")
	}
	o.Scratch = w.Path("staging")
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Get && strings.HasSuffix(key, ".index.zst") { // its directory goes while the index is read
			entries, _ := os.ReadDir(o.Scratch)
			for _, e := range entries {
				os.RemoveAll(w.Path("staging/" + e.Name()))
			}
		}
		return memtarget.Fault{}
	}
	r, err := validate.Run(t.Context(), o)
	if err != nil || r.Damaged() || !r.Inconclusive() || len(w.Keys(0, "/damaged/")) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestReadOnlyTarget(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	w.Damage(0, m.Component("db").Volumes[0].Key, backuptest.Flip)
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Put {
			f.Err = &target.Error{Op: string(op), Key: key, Kind: target.KindDenied}
		}
		return f
	}
	r := w.Validate(0, validate.Data)
	s := one(t, r)
	if !slices.Equal(found(s.Findings), []string{"db db-00000.zst object_damaged"}) || len(s.Inconclusive) != 1 ||
		!strings.Contains(s.Inconclusive[0].Message, "could not be marked") || len(r.Marked) > 0 {
		t.Errorf("%+v, marked %v", s, r.Marked)
	}
}

// An object that goes between the listing and the reading is damaged, and marked.
func TestVanished(t *testing.T) {
	for _, level := range levels[1:] {
		w := backuptest.New(t, "nas")
		key := w.Good().Targets[0].Manifest.Component("db").Volumes[0].Key
		o := w.Validation(0, level)
		w.Mem["nas"].Remove(key)
		r, err := validate.Run(t.Context(), o)
		if err != nil || !slices.Equal(found(one(t, r).Findings), []string{"db db-00000.zst object_damaged"}) || !slices.Equal(r.Marked, []string{key}) {
			t.Errorf("level %s: %+v, %v", level, r, err)
		}
	}
}

// An unmounted disk shows nothing: what then seems to be missing is not marked in whatever is there instead.
func TestTargetReplaced(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()
	o := w.Validation(0, validate.Data)
	for _, key := range w.Mem["nas"].Keys() {
		w.Mem["nas"].Remove(key)
	}
	r, err := validate.Run(t.Context(), o)
	if err != nil || !r.Inconclusive() || len(w.Mem["nas"].Keys()) > 0 {
		t.Errorf("gone: %+v, %v, keys %v", r, err, w.Mem["nas"].Keys())
	}
	w.Mem["nas"].Set(manifest.MarkerKey, manifest.NewMarker("0123456789abcdef0123456789abcdef").Encode())
	if r, err = validate.Run(t.Context(), o); err != nil || !r.Inconclusive() || len(w.Mem["nas"].Keys()) > 1 {
		t.Errorf("another repository: %+v, %v, keys %v", r, err, w.Mem["nas"].Keys())
	}
}
