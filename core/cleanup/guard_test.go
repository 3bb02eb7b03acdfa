package cleanup_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// onePerDay keeps the newest of each day.
func onePerDay(snapshots []retention.Snapshot, now time.Time) []retention.Decision {
	return retention.Plan(snapshots, retention.Policy{Daily: 7}, now)
}

func TestGuardShare(t *testing.T) {
	w := newWorld(t)
	var all []*manifest.Manifest
	for range 10 {
		all = append(all, w.create(manifest.Good))
	}
	sweep := func(o *cleanup.Options) { o.NoGrace, o.Force = true, false }
	w.giveUp(all[:3]...)
	if r := w.must(sweep); r.Objects == 0 {
		t.Fatalf("3 of 10: %v", fates(r))
	}
	w.giveUp(all[3:6]...) // 6 of 10 within seven days
	before := w.mem.Keys()
	_, err := w.run(sweep)
	wantRefused(t, err, cleanup.RefusedTooMuch)
	if !slices.Equal(before, w.mem.Keys()) {
		t.Error("a refused run changed something")
	}
	r := w.must(func(o *cleanup.Options) { sweep(o); o.Confirm = false })
	wantRefused(t, r.Refused, cleanup.RefusedTooMuch)
	w.clock = w.clock.Add(7 * day)
	w.must(sweep)
	w.gone(all[5])
	w.whole(all[6:]...)

	// Half of the bytes, in one of three snapshots.
	w = newWorld(t)
	a := w.create(manifest.Good)
	b := w.create(manifest.Good, a)
	c := w.create(manifest.Good, a)
	big := manifest.VolumeKey(set, b.ID, "db", 0, false)
	w.mem.Remove(manifest.ManifestKey(set, b.ID))
	m := *b
	m.Components = slices.Clone(b.Components)
	m.Components[0].Volumes = slices.Clone(b.Components[0].Volumes)
	m.Components[0].Volumes[0].Size = 1000
	doc, err := manifest.Encode(&m)
	w.check(err)
	w.mem.Set(manifest.ManifestKey(set, b.ID), doc)
	w.mem.Set(big, make([]byte, 1000))
	w.giveUp(b)
	_, err = w.run(sweep)
	wantRefused(t, err, cleanup.RefusedTooMuch)
	w.must(func(o *cleanup.Options) { o.NoGrace = true })
	w.gone(b)
	w.whole(a, c)
}

func TestGuardLastGood(t *testing.T) {
	w := newWorld(t)
	good := w.create(manifest.Good)
	suspect := w.create(manifest.Suspect)
	w.giveUp(good)
	_, err := w.run(nil)
	wantRefused(t, err, cleanup.RefusedLastGood)
	if _, err := cleanup.Forget(t.Context(), w.options(), []manifest.ID{good.ID}); !errors.Is(err, cleanup.ErrRefused) {
		t.Errorf("forget the last good one: %v", err)
	}
	if len(w.keys("/expired/")) != 0 {
		t.Error("it was marked")
	}
	second := w.create(manifest.Good)
	w.must(func(o *cleanup.Options) { o.NoGrace = true })
	w.gone(good)
	w.whole(suspect, second)

	// One that is left but marked is none.
	w.plan = map[manifest.ID]bool{}
	third := w.create(manifest.Good)
	w.mem.Set(manifest.ExpiredKey(set, third.ID, 1), []byte("x"))
	w.giveUp(second)
	_, err = w.run(nil)
	wantRefused(t, err, cleanup.RefusedLastGood)
}

// Two runs that each give up what the other keeps leave one of the two.
func TestGuardRival(t *testing.T) {
	w := newWorld(t)
	mine, yours, suspect := w.create(manifest.Good), w.create(manifest.Good), w.create(manifest.Suspect)
	w.giveUp(mine)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.List && key == manifest.Prefix(set, manifest.Archives) && len(w.keys("/verdicts/")) == 1 {
			w.mem.Set(manifest.ExpiredKey(set, yours.ID, 1), []byte("x"))
			w.mem.Set(manifest.VerdictKey(set, yours.ID, 1), []byte(manifest.Sweep))
		}
		return memtarget.Fault{}
	}
	_, err := w.run(func(o *cleanup.Options) { o.NoGrace = true })
	wantRefused(t, err, cleanup.RefusedLastGood)
	w.whole(mine, yours, suspect)
}

func TestGuardListing(t *testing.T) {
	w := newWorld(t)
	a, b := w.create(manifest.Good), w.create(manifest.Good)
	known := func(o *cleanup.Options) { o.Known = []manifest.ID{a.ID, b.ID}; o.Force = false }
	w.must(known)
	body, _ := w.mem.Bytes(manifest.ManifestKey(set, a.ID))
	w.mem.Remove(manifest.ManifestKey(set, a.ID))
	_, err := w.run(known)
	wantRefused(t, err, cleanup.RefusedShrunk)
	r := w.must(func(o *cleanup.Options) { known(o); o.Force, o.Confirm = true, false })
	if r.Objects != 2 {
		t.Errorf("forced, it would delete %d objects of the one that was lost", r.Objects)
	}
	w.mem.Remove(manifest.ManifestKey(set, b.ID))
	_, err = w.run(func(o *cleanup.Options) { known(o); o.Force = true })
	wantRefused(t, err, cleanup.RefusedNothing)
	r = w.must(func(o *cleanup.Options) { known(o); o.Force, o.Confirm = true, false })
	wantRefused(t, r.Refused, cleanup.RefusedNothing)
	// Nobody knows of snapshots, and yet there are archives.
	_, err = w.run(nil)
	wantRefused(t, err, cleanup.RefusedNothing)
	if len(w.keys("/archives/")) != 4 {
		t.Errorf("archives were deleted: %q", w.keys("/archives/"))
	}
	// What somebody swept is not lost.
	w.mem.Set(manifest.ManifestKey(set, a.ID), body)
	w.mem.Set(manifest.ExpiredKey(set, b.ID, 1), []byte("x"))
	w.mem.Set(manifest.VerdictKey(set, b.ID, 1), []byte(manifest.Sweep))
	w.must(known)
	w.whole(a)
}

// careless replaces objects, and says that it does not.
type careless struct{ target.Target }

func TestGuardShared(t *testing.T) {
	w, doomed, kept := doomed(t)
	store := target.Open("careless", careless{w.mem}, target.Options{Attempts: 1})
	for name, c := range map[string]struct {
		o  func(*cleanup.Options)
		id string
	}{
		"shared": {func(*cleanup.Options) {}, cleanup.RefusedShared},
		"alone":  {func(o *cleanup.Options) { o.Exclusive, o.Confirm = true, false }, ""},
	} {
		_, err := w.run(func(o *cleanup.Options) {
			o.Repository = &repository.Repository{Store: store, ID: w.repo.ID}
			c.o(o)
		})
		if c.id == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.id != "" {
			wantRefused(t, err, c.id)
		}
	}
	w.whole(doomed, kept)
	if len(w.keys("_probe/")) != 0 {
		t.Error("a probe is left")
	}
}

// Every change of a plan's file is found.
func TestPlanFile(t *testing.T) {
	w, doomed, kept := doomed(t)
	w.create(manifest.Good) // a dry run knows no later time than that of what is listed
	o := w.options()
	o.Confirm = false
	r, err := cleanup.Run(t.Context(), o)
	w.check(err)
	file := &cleanup.PlanFile{Tool: "test", Targets: []cleanup.TargetPlan{cleanup.NewTargetPlan(o, "test", r)}}
	b, err := file.Encode()
	w.check(err)
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		if _, err := cleanup.DecodePlan(c); !errors.Is(err, cleanup.ErrRefused) {
			t.Fatalf("byte %d was changed, from %q to %q: %v", i, b[i], c[i], err)
		}
	}
	for _, c := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), '\n'), append(bytes.Clone(b), b...)} {
		if _, err := cleanup.DecodePlan(c); !errors.Is(err, cleanup.ErrRefused) {
			t.Errorf("%d bytes: %v", len(c), err)
		}
	}
	plan, err := cleanup.DecodePlan(b)
	w.check(err)

	// It is applied at another time with the decisions that it has, whatever the plan says now.
	w.clock = w.clock.Add(day)
	w.giveUp(kept)
	apply := w.options()
	w.check(plan.Targets[0].Bind(&apply))
	done, err := cleanup.Run(t.Context(), apply)
	w.check(err)
	if !slices.Equal(fates(done), []string{"deleted", "kept", "kept"}) {
		t.Errorf("applied: %v", fates(done))
	}
	w.gone(doomed)
	w.whole(kept)
	_, err = cleanup.Run(t.Context(), apply)
	wantRefused(t, err, cleanup.RefusedMoved)
	other := newWorld(t).options()
	wantRefused(t, plan.Targets[0].Bind(&other), cleanup.RefusedMoved)
}

// What a plan did not foresee is left for another: a mark whose grace ended since.
func TestPlanEarly(t *testing.T) {
	w, doomed, kept := doomed(t)
	o := w.options()
	o.Confirm = false
	r, err := cleanup.Run(t.Context(), o)
	w.check(err)
	apply := w.options()
	p := cleanup.NewTargetPlan(o, "test", r)
	w.check(p.Bind(&apply))
	done, err := cleanup.Run(t.Context(), apply)
	w.check(err)
	if !slices.Equal(fates(done), []string{"waiting", "kept"}) {
		t.Errorf("applied: %v", fates(done))
	}
	w.whole(doomed, kept)
}

// A plan deletes what it names, and not what came to be unneeded since.
func TestPlanBounds(t *testing.T) {
	w, doomed, kept := doomed(t)
	w.create(manifest.Good) // a dry run knows no later time than that of what is listed
	o := w.options()
	o.Confirm = false
	r, err := cleanup.Run(t.Context(), o)
	w.check(err)
	p := cleanup.NewTargetPlan(o, "test", r)
	stray := manifest.VolumeKey(set, "20260401T000000Z-00000000", "db", 0, false)
	w.mem.Set(stray, []byte("x")) // archives are no part of the world
	apply := w.options()
	w.check(p.Bind(&apply))
	_, err = cleanup.Run(t.Context(), apply)
	w.check(err)
	w.gone(doomed)
	w.whole(kept)
	if len(w.keys(stray)) != 1 {
		t.Error("what the plan does not name was deleted")
	}
}
