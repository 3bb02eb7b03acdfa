package replicate_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/replicate"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// create takes a snapshot into the first n targets alone and returns what the first one has.
func create(t *testing.T, w *backuptest.World, n int) *manifest.Manifest {
	t.Helper()
	r, err := w.Create(func(o *backup.Options) { o.Targets = w.Stores[:n] })
	if err != nil || !r.Complete() {
		t.Fatalf("%+v, %v", r, err)
	}
	return r.Targets[0].Manifest
}

// chain makes snapshots of the first target that differ a little.
func chain(t *testing.T, w *backuptest.World, n int) (all []*manifest.Manifest) {
	t.Helper()
	for range n {
		all = append(all, create(t, w, 1))
		w.Touch("40")
	}
	return all
}

func options(w *backuptest.World, from, to int) replicate.Options {
	return replicate.Options{
		From: w.Repo(from), To: w.Repo(to), Set: backuptest.Set, Scratch: w.Path("staging"),
		Host: "test", Tool: "holdfast test", Rand: rand.Reader,
	}
}

// run copies with options that change may change, and sees that nothing is left in scratch space.
func run(t *testing.T, w *backuptest.World, from, to int, change func(*replicate.Options)) (*replicate.Report, error) {
	t.Helper()
	o := options(w, from, to)
	if change != nil {
		change(&o)
	}
	r, err := replicate.Run(t.Context(), o)
	if left, _ := os.ReadDir(o.Scratch); len(left) > 0 {
		t.Errorf("scratch space still holds %s", left[0].Name())
	}
	return r, err
}

func mustRun(t *testing.T, w *backuptest.World, from, to int) *replicate.Report {
	t.Helper()
	r, err := run(t, w, from, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outcomes are those of a report, in its order.
func outcomes(r *replicate.Report) string {
	var all []string
	for _, s := range r.Snapshots {
		all = append(all, string(s.Outcome))
	}
	return strings.Join(all, " ")
}

// load reads a manifest of the nth target.
func load(t *testing.T, w *backuptest.World, n int, id manifest.ID) *manifest.Manifest {
	t.Helper()
	m, err := w.Repo(n).Load(t.Context(), backuptest.Set, id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// good insists that every snapshot of the nth target can be restored.
func good(t *testing.T, w *backuptest.World, n, snapshots int) {
	t.Helper()
	r := w.Validate(n, validate.Content)
	if len(r.Snapshots) != snapshots || r.Damaged() || r.Inconclusive() {
		t.Errorf("target %d: %d snapshots, want %d: %+v", n, len(r.Snapshots), snapshots, r)
	}
	if left := w.Keys(n, "/intents/"); len(left) > 0 {
		t.Errorf("target %d: intents are left: %v", n, left)
	}
}

// Every snapshot arrives as it was: streams, grade, tags and moment, with its stamp; only what the
// destination lacks is sent, and a second run sends nothing.
func TestCopy(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	w.Chroma()
	all := chain(t, w, 3)
	r := mustRun(t, w, 0, 1)
	if got := outcomes(r); got != "copied copied copied" {
		t.Fatalf("outcomes: %s", got)
	}
	good(t, w, 1, 3)
	repo := w.Repo(0)
	for i, m := range all {
		s := r.Snapshots[i]
		c := load(t, w, 1, s.As)
		_, sum, err := repo.LoadSum(t.Context(), backuptest.Set, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := &manifest.Origin{Repository: repo.ID, ID: string(m.ID), ManifestSHA256: hexOf(sum)}
		if c.Origin == nil || *c.Origin != *want {
			t.Errorf("origin %+v, want %+v", c.Origin, want)
		}
		if s.ID != m.ID || c.ID == m.ID || c.ID.Time() != m.ID.Time() || !c.CapturedAt.Equal(m.CapturedAt) || c.Host != m.Host || c.Grade != m.Grade || c.Sequence != int64(i+1) {
			t.Errorf("copied as %+v", c)
		}
		if !repository.Same(m, c) || repository.Same(all[(i+1)%3], c) {
			t.Errorf("%s is not known again, or taken for another", m.ID)
		}
		if i > 0 && (c.Parent != r.Snapshots[i-1].As || s.Sent*4 > r.Snapshots[0].Sent || s.Shared == 0) {
			t.Errorf("copy %d has the parent %s; %d bytes were sent and %d shared", i, c.Parent, s.Sent, s.Shared)
		}
		for _, k := range c.Components {
			for _, v := range k.Volumes {
				if key, err := manifest.ParseKey(v.Key); err != nil || key.ID > c.ID || key.ID.Time().After(c.ID.Time()) {
					t.Errorf("volume at %s", v.Key)
				}
			}
		}
	}
	before := w.Mem["b"].Keys()
	if got := outcomes(mustRun(t, w, 0, 1)); got != "present present present" {
		t.Errorf("the second run: %s", got)
	}
	if got := outcomes(mustRun(t, w, 1, 0)); got != "present present present" {
		t.Errorf("the way back: %s", got)
	}
	if after := w.Mem["b"].Keys(); !slices.Equal(before, after) {
		t.Errorf("keys changed from %v to %v", before, after)
	}
}

// What is not in the manifest of a copy's parent is copied, also a patch and its base: each under its kind of key.
func TestAlone(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	all := chain(t, w, 3)
	last := all[2]
	if len(last.Component("db").Index) != 2 {
		t.Fatalf("the third snapshot has no patch: %+v", last.Component("db").Index)
	}
	r, err := run(t, w, 0, 1, func(o *replicate.Options) { o.IDs = []manifest.ID{last.ID} })
	if err != nil || outcomes(r) != "copied" {
		t.Fatalf("%+v, %v", r, err)
	}
	good(t, w, 1, 1)
	c := load(t, w, 1, r.Snapshots[0].As)
	index := c.Component("db").Index
	if index[0].Key != manifest.IndexKey(backuptest.Set, c.ID, "db", false) || index[1].Key != manifest.BaseKey(backuptest.Set, c.ID, "db", false) {
		t.Errorf("index at %+v", index)
	}
	// Its volumes are those of several snapshots: nobody may take them for the stream, one behind the other.
	if c.Parent != last.Parent {
		t.Errorf("parent %q, want that of the source, %q", c.Parent, last.Parent)
	}
	// The base is no index: the first snapshot, whose index has the same bytes, needs its own.
	if r := mustRun(t, w, 0, 1); outcomes(r) != "copied copied present" {
		t.Fatalf("outcomes: %s", outcomes(r))
	}
	good(t, w, 1, 3)
}

// A snapshot that one create made in both targets is present, one that only one of them has shares what the
// create put into both.
func TestBesideCreate(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	create(t, w, 2)
	w.Touch("40")
	m := create(t, w, 1)
	r := mustRun(t, w, 0, 1)
	if got := outcomes(r); got != "present copied" {
		t.Fatalf("outcomes: %s", got)
	}
	if s := r.Snapshots[1]; s.Shared < 4*s.Sent {
		t.Errorf("%d bytes were sent and %d shared", s.Sent, s.Shared)
	}
	good(t, w, 1, 2)
	w.Touch("40")
	next := create(t, w, 2)
	if c := load(t, w, 1, mustRun(t, w, 0, 1).Snapshots[1].As); c.Origin == nil || c.Origin.ID != string(m.ID) {
		t.Errorf("origin %+v", c.Origin)
	}
	good(t, w, 1, 3) // the last was made on what was copied
	if got := outcomes(mustRun(t, w, 1, 0)); got != "present present present" || next.Sequence != 3 {
		t.Errorf("outcomes: %s, sequence %d", got, next.Sequence)
	}
}

// A copy of a copy keeps the first origin, and so is known in all three targets.
func TestChainOfCopies(t *testing.T) {
	w := backuptest.New(t, "a", "b", "c")
	m := chain(t, w, 1)[0]
	mustRun(t, w, 0, 1)
	as := mustRun(t, w, 1, 2).Snapshots[0].As
	if c := load(t, w, 2, as); c.Origin.ID != string(m.ID) || c.Origin.Repository != m.Repository {
		t.Errorf("origin %+v", c.Origin)
	}
	for _, way := range [][2]int{{0, 2}, {2, 0}, {2, 1}} {
		if got := outcomes(mustRun(t, w, way[0], way[1])); got != "present" {
			t.Errorf("from %d to %d: %s", way[0], way[1], got)
		}
	}
}

func TestSameRepository(t *testing.T) {
	w := backuptest.New(t, "a")
	if _, err := run(t, w, 0, 0, nil); !errors.Is(err, replicate.ErrSame) {
		t.Errorf("%v", err)
	}
}

// A destination that takes no more ends the run; what was copied before stays, and the next run goes on.
func TestFullDestination(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	chain(t, w, 3)
	var manifests atomic.Int64
	w.Faults["b"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Put && strings.Contains(key, "/manifests/") {
			manifests.Add(1)
		}
		if op == memtarget.Put && manifests.Load() > 0 && strings.Contains(key, "/archives/") {
			f.Err = &target.Error{Op: "put", Key: key, Kind: target.KindFull}
		}
		return f
	}
	r, err := run(t, w, 0, 1, nil)
	if target.KindOf(err) != target.KindFull || outcomes(r) != "copied failed" {
		t.Fatalf("%s, %v", outcomes(r), err)
	}
	good(t, w, 1, 1)
	w.Faults["b"] = nil
	if r := mustRun(t, w, 0, 1); outcomes(r) != "present copied copied" {
		t.Errorf("the next run: %s", outcomes(r))
	}
	good(t, w, 1, 3)
}

// A dry run puts nothing, and says what the run would send.
func TestDryRun(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	chain(t, w, 3)
	dry, err := run(t, w, 0, 1, func(o *replicate.Options) { o.DryRun = true })
	if err != nil || outcomes(dry) != "copied copied copied" {
		t.Fatalf("%+v, %v", dry, err)
	}
	if keys := w.Keys(1, backuptest.Set); len(keys) > 0 {
		t.Errorf("a dry run put %v", keys)
	}
	wet := mustRun(t, w, 0, 1)
	for i, s := range wet.Snapshots {
		d := dry.Snapshots[i]
		if intent := s.Sent - d.Sent; intent < 0 || intent > 1000 || d.Shared != s.Shared {
			t.Errorf("snapshot %d: a dry run said %d sent and %d shared, it was %d and %d", i, d.Sent, d.Shared, s.Sent, s.Shared)
		}
	}
}

// An encrypted snapshot is copied as it is, without a key: the same bytes under keys that say so.
func TestSealed(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	from := w.Repo(0)
	session, err := from.BeginAt(t.Context(), backuptest.Set, w.Now, w.Now, rand.Reader, manifest.Note{Host: "h", Tool: "t"})
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("age-encryption.org/v1")
	sum := sha256.Sum256(body)
	index := manifest.Object{Key: manifest.IndexKey(backuptest.Set, session.ID, "db", true), Size: int64(len(body)), SHA256: hexOf(sum), PlainSHA256: hexOf(sum)}
	volume := manifest.Volume{ID: "0011223344556677", Key: manifest.VolumeKey(backuptest.Set, session.ID, "db", 0, true), Size: int64(len(body)), SHA256: hexOf(sum), Raw: 9, Live: 9}
	for _, key := range []string{index.Key, volume.Key} {
		if err := session.Put(t.Context(), key, bytes.NewReader(body), int64(len(body)), sum); err != nil {
			t.Fatal(err)
		}
	}
	m, err := session.Commit(t.Context(), manifest.Manifest{
		Format: manifest.Format, CapturedAt: w.Now, Host: "h", Tool: "t", Sequence: 1, Grade: manifest.Good,
		Encryption: &manifest.Encryption{Scheme: "age", Recipients: []string{"age1xyz"}},
		Components: []manifest.Component{{Name: "db", Kind: manifest.File, ChunkSize: 4096, Size: 9, Index: []manifest.Object{index}, Volumes: []manifest.Volume{volume}}},
	}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, w, 0, 1)
	if outcomes(r) != "copied" {
		t.Fatalf("%+v", r)
	}
	c := load(t, w, 1, r.Snapshots[0].As)
	for _, key := range []string{c.Component("db").Index[0].Key, c.Component("db").Volumes[0].Key} {
		if b, _ := w.Mem["b"].Bytes(key); !bytes.Equal(b, body) || !strings.HasSuffix(key, ".age") || !strings.Contains(key, string(c.ID)) {
			t.Errorf("%s holds %q", key, b)
		}
	}
	if c.Encryption == nil || !repository.Same(m, c) || outcomes(mustRun(t, w, 0, 1)) != "present" {
		t.Errorf("%+v", c)
	}
}
