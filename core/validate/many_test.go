package validate_test

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
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

// Many snapshots share volumes: each is read once, also one that is damaged is read no more than twice, and
// every snapshot that needs it says so.
func TestManyReadOnce(t *testing.T) {
	w := backuptest.New(t, "nas")
	first := w.Good().Targets[0].Manifest.Component("db").Volumes[0].Key
	for range 4 {
		w.Touch("100")
		w.Good()
	}
	var mu sync.Mutex
	gets := map[string]int{}
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if mu.Lock(); op == memtarget.Get && strings.HasSuffix(key, "0.zst") {
			gets[key]++
		}
		mu.Unlock()
		return memtarget.Fault{}
	}
	if r := w.Validate(0, validate.Data); r.Damaged() || r.Inconclusive() {
		t.Errorf("%+v", r)
	}
	if len(gets) < 6 {
		t.Errorf("only %d volumes were read", len(gets))
	}
	for key, n := range gets {
		if n != 1 {
			t.Errorf("%s was read %d times", key, n)
		}
	}
	clear(gets)
	w.Damage(0, first, backuptest.Flip)
	r := w.Validate(0, validate.Data)
	for _, s := range r.Snapshots {
		if len(s.Findings) != 1 || s.Findings[0].Key != first {
			t.Errorf("snapshot %s: %+v", s.ID, s.Findings)
		}
	}
	if gets[first] != 2 || len(r.Marked) != 1 {
		t.Errorf("the damaged volume was read %d times, marked %v", gets[first], r.Marked)
	}
}

// The subsets 1/n to n/n read every volume exactly once between them.
func TestSubset(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()
	for range 6 {
		w.Touch("100")
		w.Good()
	}
	bad := w.Keys(0, "/db-00000.zst")[3]
	w.Damage(0, bad, backuptest.Flip)
	var mu sync.Mutex
	gets := map[string]int{}
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if mu.Lock(); op == memtarget.Get && strings.HasSuffix(key, "0.zst") {
			gets[key]++
		}
		mu.Unlock()
		return memtarget.Fault{}
	}
	const n = 3
	hits, busy := 0, 0
	for k := 1; k <= n; k++ {
		before := len(gets)
		o := w.Validation(0, validate.Data)
		o.Subset, o.Mark = validate.Subset{K: k, N: n}, false
		r, err := validate.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Damaged() {
			hits++
		}
		if len(gets) > before {
			busy++
		}
	}
	if hits != 1 || busy < 2 {
		t.Errorf("the damage was found in %d subsets, and %d of them read something", hits, busy)
	}
	for _, key := range w.Keys(0, "0.zst") {
		if want := map[bool]int{true: 2, false: 1}[key == bad]; gets[key] != want {
			t.Errorf("%s was read %d times, want %d", key, gets[key], want)
		}
	}
}

// An unchanged snapshot names its parent's index: one that is damaged is read twice, and found in both.
func TestSharedIndex(t *testing.T) {
	w := backuptest.New(t, "nas")
	key := w.Good().Targets[0].Manifest.Component("db").Index[0].Key
	w.Good()
	w.Damage(0, key, backuptest.Flip)
	gets := 0
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, k string) memtarget.Fault {
		if op == memtarget.Get && k == key {
			gets++
		}
		return memtarget.Fault{}
	}
	r := w.Validate(0, validate.Data)
	for _, s := range r.Snapshots {
		if !slices.Equal(found(s.Findings), []string{"db db.index.zst object_damaged"}) {
			t.Errorf("snapshot %s: %+v", s.ID, s.Findings)
		}
	}
	if gets != 2 || len(r.Marked) != 1 {
		t.Errorf("read %d times, marked %v", gets, r.Marked)
	}
}

// A volume of which one snapshot needs a part does not count as read for one that needs the rest.
func TestWholeMeansWhole(t *testing.T) {
	w := backuptest.New(t, "nas")
	random := make([]byte, 3<<19)
	rand.NewChaCha8([32]byte{}).Read(random)
	big := `"` + hex.EncodeToString(random) + `"`
	w.Registry(big)
	first := w.Good().Targets[0].Manifest
	w.Registry(big[:1<<19] + `"`)
	part := w.Good().Targets[0].Manifest
	w.Mem["nas"].Set(manifest.ExpiredKey(backuptest.Set, part.ID, 1), []byte("x")) // no parent any more
	w.Registry(big)
	all := w.Good().Targets[0].Manifest
	volume := first.Component("registry").Volumes[0].Key
	if part.Component("registry").Volumes[0].Key != volume || all.Component("registry").Volumes[0].Key != volume {
		t.Fatalf("the snapshots do not share %s", volume)
	}
	w.Mem["nas"].Remove(manifest.ManifestKey(backuptest.Set, first.ID))
	w.Damage(0, volume, func(b []byte) []byte { b[len(b)-8] ^= 1; return b })
	r := w.Validate(0, validate.Data)
	if s := r.Snapshots[1]; s.ID != all.ID || len(s.Findings) != 1 {
		t.Errorf("%+v", r.Snapshots)
	}
}

// A volume that failed once and then could not be read again stays open for every snapshot that needs it.
func TestOpenQuestion(t *testing.T) {
	w := backuptest.New(t, "nas")
	key := w.Good().Targets[0].Manifest.Component("db").Volumes[0].Key
	w.Good()
	gets := 0
	w.Faults["nas"] = func(_ context.Context, op memtarget.Op, k string) (f memtarget.Fault) {
		if op == memtarget.Get && k == key {
			if gets++; gets == 1 {
				f.Body = backuptest.Flip
			} else {
				f.Err = &target.Error{Op: string(op), Key: key, Kind: target.KindDenied}
			}
		}
		return f
	}
	r := w.Validate(0, validate.Data)
	if r.Damaged() || len(r.Snapshots[0].Inconclusive) == 0 || len(r.Snapshots[1].Inconclusive) == 0 {
		t.Errorf("%+v", r.Snapshots)
	}
}

// What a cleanup is deleting is no damage of the set; a snapshot that is asked for by its name lacks what it lacks.
func TestSwept(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()
	w.Touch("100")
	m := w.Good().Targets[0].Manifest
	answer := func(id manifest.ID, says manifest.Verdict) {
		w.Mem["nas"].Set(manifest.ExpiredKey(backuptest.Set, id, 1), []byte("x"))
		w.Mem["nas"].Remove(manifest.VerdictKey(backuptest.Set, id, 1))
		w.Mem["nas"].Set(manifest.VerdictKey(backuptest.Set, id, 1), []byte(says))
	}
	run := func(all bool) *validate.Report {
		t.Helper()
		o := w.Validation(0, validate.Data)
		o.All = all
		r, err := validate.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	w.Mem["nas"].Remove(m.Component("db").Index[0].Key)
	answer(m.ID, manifest.Keep)
	if r := run(true); !r.Damaged() || len(r.Swept) > 0 {
		t.Errorf("undeleted: %+v", r)
	}
	answer(m.ID, manifest.Sweep)
	if r := run(true); r.Damaged() || len(r.Snapshots) != 1 || !slices.Equal(r.Swept, []manifest.ID{m.ID}) {
		t.Errorf("being deleted: %+v", r)
	}
	if r := run(false); !r.Damaged() || len(r.Swept) > 0 {
		t.Errorf("asked for: %+v", r)
	}
	w.Damage(0, manifest.ManifestKey(backuptest.Set, m.ID), backuptest.Flip)
	if r := run(true); !r.Damaged() || len(r.Swept) > 0 {
		t.Errorf("no cleanup goes on beside a manifest that cannot be read: %+v", r)
	}
}
