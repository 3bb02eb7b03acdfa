package cleanup_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const set = "atocore"

const day = 24 * time.Hour

var noon = time.Date(2026, 4, 11, 12, 0, 0, 0, time.UTC)

// book is a notebook in memory.
type book struct {
	b   []byte
	err error
}

func (n *book) Read() ([]byte, error) { return n.b, n.err }

func (n *book) Write(b []byte) error {
	n.b = slices.Clone(b)
	return n.err
}

// world is a repository in memory with a clock of its own.
type world struct {
	t     testing.TB
	mem   *memtarget.Target
	repo  *repository.Repository
	fault memtarget.Hook
	clock time.Time // of the store and of this host
	book  book
	plan  map[manifest.ID]bool // what is given up
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, clock: noon, plan: map[manifest.ID]bool{}}
	w.mem = memtarget.New(memtarget.Options{
		Now: func() time.Time { return w.clock },
		Hook: func(ctx context.Context, op memtarget.Op, key string) memtarget.Fault {
			if w.fault == nil {
				return memtarget.Fault{}
			}
			return w.fault(ctx, op, key)
		},
	})
	store := target.Open("nas", w.mem, target.Options{
		Attempts: 2, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	var err error
	w.repo, _, err = repository.Init(t.Context(), store, rand.Reader)
	w.check(err)
	w.repo.Readers = 1 // faults count operations
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// begin starts a create, an hour after the last.
func (w *world) begin() *repository.Session {
	w.t.Helper()
	w.clock = w.clock.Add(time.Hour)
	s, err := w.repo.Begin(w.t.Context(), set, w.clock, w.clock, rand.Reader, manifest.Note{Host: "test", Tool: "test"})
	w.check(err)
	return s
}

// put stores an object of a session.
func (w *world) put(s *repository.Session, key, body string) (size int64, sum string) {
	w.t.Helper()
	h := sha256.Sum256([]byte(body))
	w.check(s.Put(w.t.Context(), key, bytes.NewReader([]byte(body)), int64(len(body)), h))
	return int64(len(body)), hex.EncodeToString(h[:])
}

// create makes a snapshot of one volume of its own, of 100 bytes, and those of parents.
func (w *world) create(grade manifest.Grade, parents ...*manifest.Manifest) *manifest.Manifest {
	w.t.Helper()
	return w.commit(w.begin(), grade, parents...)
}

func (w *world) commit(s *repository.Session, grade manifest.Grade, parents ...*manifest.Manifest) *manifest.Manifest {
	w.t.Helper()
	none := sha256.Sum256(nil)
	index, volume := manifest.IndexKey(set, s.ID, "db", false), manifest.VolumeKey(set, s.ID, "db", 0, false)
	c := manifest.Component{Name: "db", Kind: manifest.File, ChunkSize: 4096, Size: 1 << 20, SHA256: hex.EncodeToString(none[:])}
	size, sum := w.put(s, index, "index of "+string(s.ID))
	c.Index = []manifest.Object{{Key: index, Size: size, SHA256: sum}}
	size, sum = w.put(s, volume, fmt.Sprintf("%0100s", s.ID))
	c.Volumes = []manifest.Volume{{ID: "00000000" + string(s.ID[17:]), Key: volume, Size: size, SHA256: sum, Raw: size, Live: size}}
	for _, p := range parents {
		c.Volumes = append(c.Volumes, p.Components[0].Volumes...)
	}
	m := manifest.Manifest{
		Format: manifest.Format, CapturedAt: w.clock, Host: "test", Tool: "test", Sequence: 1, Grade: grade,
		Components: []manifest.Component{c},
	}
	if grade != manifest.Good {
		m.Reasons = []manifest.Reason{{ID: "test", Message: "test"}}
	}
	committed, err := s.Commit(w.t.Context(), m, rand.Reader)
	w.check(err)
	return committed
}

// giveUp lets the plan give snapshots up.
func (w *world) giveUp(snapshots ...*manifest.Manifest) {
	for _, m := range snapshots {
		w.plan[m.ID] = true
	}
}

func (w *world) options() cleanup.Options {
	return cleanup.Options{
		Repository: w.repo, Set: set, Host: "test", Tool: "test", Rand: rand.Reader, Confirm: true, Force: true, Workers: 1,
		Now: func() time.Time { return w.clock }, Notebook: &w.book,
		Plan: func(snapshots []retention.Snapshot, _ time.Time) (out []retention.Decision) {
			for _, s := range snapshots {
				d := retention.Decision{ID: s.ID, Keep: !w.plan[s.ID] || s.Held, Reasons: []retention.Reason{{ID: "test", Text: "test"}}}
				out = append(out, d)
			}
			return out
		},
	}
}

func (w *world) run(change func(*cleanup.Options)) (*cleanup.Report, error) {
	w.t.Helper()
	o := w.options()
	if change != nil {
		change(&o)
	}
	return cleanup.Run(w.t.Context(), o)
}

func (w *world) must(change func(*cleanup.Options)) *cleanup.Report {
	w.t.Helper()
	r, err := w.run(change)
	w.check(err)
	return r
}

// keys are the keys that contain a text.
func (w *world) keys(contains string) []string {
	return slices.DeleteFunc(w.mem.Keys(), func(k string) bool { return !strings.Contains(k, contains) })
}

// whole fails the test unless every object of the snapshots is there.
func (w *world) whole(snapshots ...*manifest.Manifest) {
	w.t.Helper()
	for _, m := range snapshots {
		keys := []string{manifest.ManifestKey(set, m.ID)}
		for _, c := range m.Components {
			for _, o := range c.Index {
				keys = append(keys, o.Key)
			}
			for _, v := range c.Volumes {
				keys = append(keys, v.Key)
			}
		}
		for _, k := range keys {
			if _, ok := w.mem.Bytes(k); !ok {
				w.t.Errorf("snapshot %s lacks %s", m.ID, k)
			}
		}
	}
}

// gone fails the test unless the snapshot's manifest is deleted.
func (w *world) gone(m *manifest.Manifest) {
	w.t.Helper()
	if _, ok := w.mem.Bytes(manifest.ManifestKey(set, m.ID)); ok {
		w.t.Errorf("snapshot %s is still there", m.ID)
	}
}

// fates are those of the report, in words.
func fates(r *cleanup.Report) (words []string) {
	for _, s := range r.Snapshots {
		words = append(words, string(s.Fate))
	}
	return words
}

func note() manifest.Note { return manifest.Note{At: noon, Host: "test", Tool: "test"} }

// Put forgets IfAbsent.
func (c careless) Put(ctx context.Context, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	o.IfAbsent = false
	_ = c.Target.Delete(ctx, key)
	return c.Target.Put(ctx, key, r, o)
}
