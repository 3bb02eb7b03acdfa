package validate_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var levels = []validate.Level{validate.Objects, validate.Data, validate.Content}

// found lists the findings of a report as "component key-ending id", the key without what comes before the
// snapshot's folder.
func found(all []validate.Finding) (out []string) {
	for _, f := range all {
		key := f.Key[strings.LastIndex(f.Key, "/")+1:]
		out = append(out, strings.TrimSpace(f.Component+" "+key+" "+f.ID))
	}
	slices.Sort(out)
	return out
}

func one(t *testing.T, r *validate.Report) validate.SnapshotReport {
	t.Helper()
	if len(r.Snapshots) != 1 {
		t.Fatalf("%d snapshots were validated", len(r.Snapshots))
	}
	return r.Snapshots[0]
}

func clean(t *testing.T, w *backuptest.World) {
	t.Helper()
	if left, err := os.ReadDir(w.Path("staging")); err != nil || len(left) > 0 {
		t.Errorf("scratch space still holds %v, %v", left, err)
	}
}

func TestGood(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	w.Good()
	w.Touch("50")
	w.Good()
	for _, level := range levels {
		r := w.Validate(0, level)
		if r.Damaged() || r.Inconclusive() || len(r.Snapshots) != 2 || len(r.Marked) > 0 || r.Level != level {
			t.Errorf("level %s: %+v", level, r)
		}
		for _, s := range r.Snapshots {
			if (level == validate.Content) != (len(s.Checks) == 3) {
				t.Errorf("level %s made the checks %v", level, s.Checks)
			}
		}
		clean(t, w)
	}
	checks := w.Validate(0, validate.Content).Snapshots[1].Checks
	for component, check := range map[string]string{"db": "integrity_check", "registry": "json", "chroma": "replay"} {
		if !slices.ContainsFunc(checks[component], func(k manifest.Check) bool { return k.Name == check && k.Result == manifest.OK }) {
			t.Errorf("%s was not checked by %s: %+v", component, check, checks[component])
		}
	}
}

// Every kind of damage is found at the level that can see it, by its id, and at those above.
func TestDamage(t *testing.T) {
	const volume, index = "db-00000.zst", "db.index.zst"
	remove := func([]byte) []byte { return nil }
	cut := func(b []byte) []byte { return b[:len(b)-1] }
	grow := func(b []byte) []byte { return append(b, 0) }
	for name, c := range map[string]struct {
		object string
		change func([]byte) []byte
		want   map[validate.Level]string
		marked bool // at levels that read
	}{
		"volume missing":     {volume, remove, map[validate.Level]string{validate.Objects: "object_missing"}, false},
		"volume truncated":   {volume, cut, map[validate.Level]string{validate.Objects: "object_size"}, false},
		"volume appended":    {volume, grow, map[validate.Level]string{validate.Objects: "object_size"}, false},
		"volume flipped":     {volume, backuptest.Flip, map[validate.Level]string{validate.Data: "object_damaged"}, true},
		"volume's last byte": {volume, func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b }, map[validate.Level]string{validate.Data: "object_damaged"}, true},
		"volume foreign":     {volume, func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }, map[validate.Level]string{validate.Data: "object_damaged"}, true},
		"index missing":      {index, remove, map[validate.Level]string{validate.Objects: "object_missing"}, false},
		"index truncated":    {index, cut, map[validate.Level]string{validate.Objects: "object_size"}, false},
		"index appended":     {index, grow, map[validate.Level]string{validate.Objects: "object_size"}, false},
		"index flipped":      {index, backuptest.Flip, map[validate.Level]string{validate.Data: "object_damaged"}, true},
		"index foreign":      {index, func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }, map[validate.Level]string{validate.Data: "object_damaged"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "nas")
			m := w.Good().Targets[0].Manifest
			key := manifest.ArchivePrefix(backuptest.Set, m.ID) + c.object
			w.Damage(0, key, c.change)
			var want []string
			for _, level := range levels {
				if id := c.want[level]; id != "" {
					want = append(want, "db "+c.object+" "+id)
				}
				o := w.Validation(0, level)
				o.Mark = false
				r, err := validate.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if got := found(one(t, r).Findings); !slices.Equal(got, want) || r.Inconclusive() || r.Damaged() != (len(want) > 0) {
					t.Errorf("level %s found %v, inconclusive %v; want %v", level, got, one(t, r).Inconclusive, want)
				}
				if len(r.Marked) > 0 || len(w.Keys(0, "/damaged/")) > 0 {
					t.Errorf("level %s put marks although it was not asked to", level)
				}
				clean(t, w)
			}
			for again := range 2 { // the second time it is there already
				r := w.Validate(0, validate.Data)
				if want := c.marked && again == 0; want != (len(r.Marked) == 1) {
					t.Errorf("time %d: marked %v", again, r.Marked)
				}
				marks := w.Keys(0, "/damaged/")
				if !r.Damaged() || c.marked != slices.Equal(marks, []string{manifest.DamagedKey(backuptest.Set, m.ID, c.object)}) {
					t.Errorf("marks %v, report %+v", marks, r)
				}
			}
			if c.marked {
				if got := found(one(t, w.Validate(0, validate.Objects)).Findings); !slices.Equal(got, []string{"db " + c.object + " object_marked"}) {
					t.Errorf("level objects with a mark found %v", got)
				}
				b, _ := w.Mem["nas"].Bytes(manifest.DamagedKey(backuptest.Set, m.ID, c.object))
				if n, err := manifest.DecodeNote(b); err != nil || n.ID != m.ID || n.Reason == "" {
					t.Errorf("mark %+v, %v", n, err)
				}
			}
			healed := w.Good().Targets[0].Manifest
			if r := w.Validate(0, validate.Content, healed.ID); r.Damaged() || r.Inconclusive() {
				t.Errorf("the snapshot after it: %+v", r)
			}
		})
	}
}

// Two volumes that changed places are each found, and so is damage beside an object that is missing.
func TestSeveral(t *testing.T) {
	w := backuptest.New(t, "nas")
	a := w.Good().Targets[0].Manifest.Component("db").Volumes[0].Key
	w.Touch("3")
	m := w.Good().Targets[0].Manifest
	b := m.Component("db").Volumes[1].Key
	if a == b || len(m.Component("db").Volumes) != 2 {
		t.Fatalf("volumes %+v", m.Component("db").Volumes)
	}
	one, _ := w.Mem["nas"].Bytes(a)
	two, _ := w.Mem["nas"].Bytes(b)
	n := min(len(one), len(two)) // of the sizes that are listed
	w.Damage(0, a, func(x []byte) []byte { copy(x, two[:n]); return x })
	w.Damage(0, b, func(x []byte) []byte { copy(x, one[:n]); return x })
	r := w.Validate(0, validate.Data, m.ID)
	if got := found(r.Snapshots[0].Findings); len(got) != 2 || len(r.Marked) != 2 {
		t.Errorf("swapped: found %v, marked %v", got, r.Marked)
	}

	w = backuptest.New(t, "nas")
	a = w.Good().Targets[0].Manifest.Component("db").Volumes[0].Key
	w.Touch("3")
	m = w.Good().Targets[0].Manifest
	b = m.Component("db").Volumes[1].Key
	w.Damage(0, a, func([]byte) []byte { return nil })
	w.Damage(0, b, backuptest.Flip)
	for _, level := range levels[1:] {
		r = w.Validate(0, level, m.ID)
		if got := found(r.Snapshots[0].Findings); !slices.Contains(got, "db db-00000.zst object_missing") || !slices.Contains(got, "db db-00000.zst object_damaged") {
			t.Errorf("level %s: one missing and one damaged: found %v", level, got)
		}
	}
}

func TestDamagedManifest(t *testing.T) {
	w := backuptest.New(t, "nas")
	bad, good := w.Good().Targets[0].Manifest.ID, w.Good().Targets[0].Manifest.ID
	key := manifest.ManifestKey(backuptest.Set, bad)
	w.Damage(0, key, backuptest.Flip)
	for _, level := range levels {
		r := w.Validate(0, level)
		if len(r.Snapshots) != 2 || !slices.Equal(found(r.Snapshots[0].Findings), []string{string(bad) + ".json manifest_damaged"}) || r.Snapshots[0].Findings[0].Key != key {
			t.Errorf("level %s: %+v", level, r.Snapshots)
		}
		if s := r.Snapshots[1]; s.ID != good || len(s.Findings) > 0 {
			t.Errorf("level %s: the other one: %+v", level, s)
		}
	}
}

// Options that would leave something out are refused, not obeyed in part.
func TestOptions(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Good()
	for name, change := range map[string]func(*validate.Options){
		"no level":          func(o *validate.Options) { o.Level = "" },
		"unknown level":     func(o *validate.Options) { o.Level = "deep" },
		"subset 0/3":        func(o *validate.Options) { o.Subset = validate.Subset{K: 0, N: 3} },
		"subset 4/3":        func(o *validate.Options) { o.Subset = validate.Subset{K: 4, N: 3} },
		"subset of content": func(o *validate.Options) { o.Level, o.Subset = validate.Content, validate.Subset{K: 1, N: 3} },
	} {
		o := w.Validation(0, validate.Data)
		change(&o)
		if r, err := validate.Run(t.Context(), o); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A snapshot whose source was damaged is whole as an object, and damaged as a store.
func TestContent(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	w.Good()
	w.Registry("{")
	matches := w.Path("chroma/2ebbdf92-2339-4146-bee8-97e5d2a659af/length.bin")
	if err := os.Truncate(matches, 100); err != nil {
		t.Fatal(err)
	}
	m := w.Made().Targets[0].Manifest
	if m.Grade != manifest.Suspect {
		t.Fatalf("grade %s", m.Grade)
	}
	if r := w.Validate(0, validate.Data, m.ID); r.Damaged() || r.Inconclusive() {
		t.Errorf("level data: %+v", r)
	}
	r := w.Validate(0, validate.Content, m.ID)
	got := found(one(t, r).Findings)
	if !slices.Contains(got, "registry  registry_invalid_json") || !slices.Contains(got, "chroma  chroma_length_mismatch") || slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "db") }) {
		t.Errorf("level content found %q", got)
	}
	if len(r.Marked) > 0 || len(w.Keys(0, "/damaged/")) > 0 {
		t.Errorf("marked %v", r.Marked)
	}
}

// A run that is ended in the first or the second reading of a volume says so, and calls nothing damaged.
func TestCancelled(t *testing.T) {
	for _, level := range levels[1:] {
		for reading := range 2 {
			w := backuptest.New(t, "nas")
			w.Good()
			o := w.Validation(0, level)
			ctx, cancel := context.WithCancel(t.Context())
			gets := 0
			w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
				if op == memtarget.Get && strings.HasSuffix(key, "registry-00000.zst") { // of the last component
					if f.Body = backuptest.Flip; gets == reading {
						cancel()
					}
					gets++
				}
				return f
			}
			r, err := validate.Run(ctx, o)
			if !errors.Is(err, context.Canceled) || r.Damaged() {
				t.Errorf("level %s, reading %d: %+v, %v", level, reading, r, err)
			}
			clean(t, w)
		}
	}
}
