package backup_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

// settled checks that no create is left open in a target, and that it holds so many whole snapshots.
func settled(t *testing.T, w *backuptest.World, n, snapshots int) {
	t.Helper()
	if left := w.Keys(n, "/intents/"); len(left) > 0 {
		t.Errorf("intents are left: %v", left)
	}
	r := w.Validate(n, validate.Data)
	if r.Damaged() || r.Inconclusive() || len(r.Snapshots) != snapshots {
		t.Errorf("want %d whole snapshots: %+v", snapshots, r.Snapshots)
	}
}

// refuse makes an operation on keys that contain a text fail in a target.
func refuse(op memtarget.Op, contains string, kind target.Kind) memtarget.Hook {
	return func(_ context.Context, o memtarget.Op, key string) (f memtarget.Fault) {
		if o == op && strings.Contains(key, contains) {
			f.Err = &target.Error{Op: string(o), Key: key, Kind: kind}
		}
		return f
	}
}

// Wherever all targets fail, the error tells of each, and the report too. One that fails alone leaves the
// other its snapshot.
func TestEveryStep(t *testing.T) {
	for name, step := range map[string]struct {
		op       memtarget.Op
		contains string
	}{
		"marker": {memtarget.Get, "holdfast.json"}, "first listing": {memtarget.List, "/manifests/"}, "intent": {memtarget.Put, "/intents/"},
		"archives listing": {memtarget.List, "/archives/"}, "parent's manifest": {memtarget.Get, "/manifests/"},
		"parent's index": {memtarget.Get, "/db.index.zst"}, "volume": {memtarget.Put, "/db-00000.zst"}, "index": {memtarget.Put, "/db.index.zst"},
		"last component": {memtarget.Put, "/registry.index.zst"}, "vote": {memtarget.Put, "/manifests/"},
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "nas", "offsite")
			w.Good()
			w.Touch("100")
			w.Registry(`{"c": 3}`)
			w.Faults["nas"] = refuse(step.op, step.contains, target.KindDenied)
			w.Faults["offsite"] = refuse(step.op, step.contains, target.KindFull)
			r, err := w.Create(nil)
			if !errors.Is(err, backup.ErrNothing) || !errors.Is(err, target.ErrDenied) || !errors.Is(err, target.ErrFull) {
				t.Errorf("both fail: %v", err)
			}
			for i, want := range []error{target.ErrDenied, target.ErrFull} {
				got := r.Targets[i]
				if !errors.Is(got.Err, want) || got.Manifest != nil || !strings.Contains(got.Err.Error(), "target "+got.Name) {
					t.Errorf("target %s: %v, %+v", got.Name, got.Err, got.Manifest)
				}
			}
			if r.Complete() {
				t.Error("the report says that all targets hold the snapshot")
			}
			w.Faults["nas"] = nil
			r, err = w.Create(nil)
			if err != nil || r.Complete() || r.Targets[0].Err != nil || !errors.Is(r.Targets[1].Err, target.ErrFull) {
				t.Errorf("one fails: %v, %+v", err, r.Targets)
			}
			w.Faults["offsite"] = nil
			r = w.Good()
			if got := w.Rows(1, r.Targets[1].Manifest); got != backuptest.Rows {
				t.Errorf("%d rows", got)
			}
			if name != "vote" { // with that refused, no tombstone could be put either
				settled(t, w, 0, 3)
			}
		})
	}
}

// Targets are sent to side by side: one that waits for another does not wait for ever.
func TestSlowTarget(t *testing.T) {
	w := backuptest.New(t, "slow", "nas")
	var once sync.Once
	sent := make(chan struct{})
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Put && strings.Contains(key, "/archives/") {
			once.Do(func() { close(sent) })
		}
		return f
	}
	w.Faults["slow"] = func(ctx context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Put && strings.Contains(key, "/archives/") {
			select {
			case <-sent:
			case <-ctx.Done():
			}
		}
		return f
	}
	w.Good()
	settled(t, w, 0, 1)
	settled(t, w, 1, 1)
}

// fails is randomness that is out for one read of a size.
type fails struct {
	mu   sync.Mutex
	size int
	left int
}

var errNoRandomness = errors.New("no randomness")

func (f *fails) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(p) == f.size && f.left > 0 {
		f.left--
		return 0, errNoRandomness
	}
	return rand.Read(p)
}

// A component that cannot be packed is missing from the snapshot; the others are in it.
func TestPackFails(t *testing.T) {
	w := backuptest.New(t, "nas", "offsite")
	w.Good()
	w.Touch("3")
	r, err := w.Create(func(o *backup.Options) { o.Rand = &fails{size: 8, left: 1} }) // the first volume's id
	if err != nil || r.Grade != manifest.Degraded || !r.Complete() || len(r.Reasons) != 1 || r.Reasons[0].Component != "db" {
		t.Fatalf("%v, %s, %+v", err, r.Grade, r.Reasons)
	}
	if !errors.Is(r.Components[0].Err, errNoRandomness) || r.Components[0].Size != 0 || r.Components[1].Err != nil {
		t.Errorf("%+v", r.Components)
	}
	for n, got := range r.Targets {
		if m := got.Manifest; m.Component("db") != nil || m.Component("registry") == nil || m.Grade != manifest.Degraded {
			t.Errorf("%+v", m)
		}
		settled(t, w, n, 2)
	}
	w.Good()

	w.Touch("3")
	w.Registry("{}")
	r, err = w.Create(func(o *backup.Options) { o.Rand = &fails{size: 8, left: 2} })
	if !errors.Is(err, backup.ErrNothing) || !errors.Is(err, errNoRandomness) || r.Complete() {
		t.Errorf("no component can be packed: %v", err)
	}
	settled(t, w, 0, 3)
}

// When the host's staging goes, that is told, and no target is blamed or left open.
func TestStagingGone(t *testing.T) {
	for _, at := range []string{"/intents/", "/db-00000.zst"} {
		stagingGone(t, at)
	}
}

func stagingGone(t *testing.T, at string) {
	w := backuptest.New(t, "nas", "offsite")
	w.Good()
	w.Touch("3")
	w.Registry("{}")
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Put && strings.Contains(key, at) {
			entries, _ := os.ReadDir(w.Path("staging"))
			for _, e := range entries {
				os.RemoveAll(w.Path("staging/" + e.Name()))
			}
		}
		return f
	}
	r, err := w.Create(nil)
	blamed := errors.As(err, new(*target.Error)) || errors.Is(err, repository.ErrDamaged)
	for _, c := range r.Targets {
		blamed = blamed || c.Err != nil
	}
	for _, c := range r.Components {
		if c.Err == nil {
			t.Errorf("gone at %s: %s was packed all the same", at, c.Name)
		}
	}
	if blamed || !errors.Is(err, backup.ErrNothing) || r.Complete() {
		t.Errorf("gone at %s: %v", at, err)
	}
	w.Faults["nas"] = nil
	settled(t, w, 0, 1)
	settled(t, w, 1, 1)
	w.Good()
}

// Too little room for the copies is found out before anything is touched.
func TestNoStaging(t *testing.T) {
	w := backuptest.New(t, "nas")
	before := len(w.Keys(0, ""))
	r, err := w.Create(func(o *backup.Options) { o.Components[0].Source = huge{o.Components[0].Source} })
	var space *source.SpaceError
	if !errors.As(err, &space) || r.Complete() {
		t.Errorf("%v", err)
	}
	if _, err = w.Create(func(o *backup.Options) { o.Staging = w.Path("nowhere") }); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "staging") {
		t.Errorf("%v", err)
	}
	if after := len(w.Keys(0, "")); after != before {
		t.Errorf("%d objects were put", after-before)
	}
}

// huge is a store of which no disk has room for a copy.
type huge struct{ source.Source }

func (huge) Estimate(context.Context) (int64, error) { return 1 << 60, nil }

// A create whose context ends at any operation on the target says truly whether it was committed, leaves
// nothing open, and the next one works.
func TestCancelledAnywhere(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()
	committed, stops := 1, 0
	for at := 1; ; at++ {
		w.Exec("DELETE FROM items WHERE id = (SELECT max(id) FROM items)")
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		ops := 0
		w.Faults["nas"] = func(context.Context, memtarget.Op, string) (f memtarget.Fault) {
			mu.Lock()
			defer mu.Unlock()
			if ops++; ops == at {
				cancel()
			}
			return f
		}
		o := w.Options()
		r, err := backup.Run(ctx, o)
		w.Faults["nas"] = nil
		cancel()
		if left, _ := os.ReadDir(o.Staging); len(left) > 0 {
			t.Fatalf("cancelled at operation %d: staging still holds %s", at, left[0].Name())
		}
		if (err == nil) != r.Complete() || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at operation %d: %v, complete %v", at, err, r.Complete())
		}
		if err == nil {
			committed++
		} else {
			stops++
		}
		_, view := w.View(0)
		whole := 0
		for _, id := range view.IDs {
			if _, err := w.Repo(0).Load(t.Context(), backuptest.Set, id); err == nil {
				whole++
			} else if !errors.Is(err, repository.ErrRevoked) {
				t.Errorf("cancelled at operation %d: %v", at, err)
			}
		}
		if left := w.Keys(0, "/intents/"); len(left) > 0 || whole != committed {
			t.Fatalf("cancelled at operation %d: %d snapshots of %d that were reported, intents %v", at, whole, committed, left)
		}
		if ops < at {
			break
		}
		w.Good()
		committed++
	}
	if stops < 20 {
		t.Errorf("only %d creates were stopped", stops)
	}
	settled(t, w, 0, committed)
}

// unswept is a target in which what killed puts left cannot be removed.
type unswept struct{ target.Target }

func (unswept) RemoveStale(context.Context) (int, error) {
	return 0, &target.Error{Op: "sweep", Kind: target.KindDenied}
}

// What killed puts left and cannot be removed is a note beside the snapshot.
func TestStaleStays(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Stores = []*target.Store{target.Open("nas", unswept{w.Mem["nas"]}, target.Options{})}
	r := w.Good().Targets[0]
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "killed puts") || !strings.Contains(r.Notes[0], "denied") {
		t.Errorf("notes %q", r.Notes)
	}
}
