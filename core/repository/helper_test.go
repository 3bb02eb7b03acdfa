package repository_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const set = "atocore"

// noon is the moment at which most of these tests take place.
var noon = time.Date(2026, 4, 11, 12, 0, 0, 0, time.UTC)

// world is a repository in memory, whose faults may be changed at any time between operations.
type world struct {
	t     *testing.T
	mem   *memtarget.Target
	fault memtarget.Hook
	store *target.Store
	repo  *repository.Repository
}

// empty is a target without a marker.
func empty(t *testing.T) *world {
	w := &world{t: t}
	w.mem = memtarget.New(memtarget.Options{Hook: func(ctx context.Context, op memtarget.Op, key string) memtarget.Fault {
		if w.fault == nil {
			return memtarget.Fault{}
		}
		return w.fault(ctx, op, key)
	}})
	w.store = target.Open("nas", w.mem, target.Options{
		Attempts: 2, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	return w
}

func newWorld(t *testing.T) *world {
	w := empty(t)
	var err error
	if w.repo, _, err = repository.Init(t.Context(), w.store, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) view() *repository.View {
	w.t.Helper()
	v, err := w.repo.View(w.t.Context(), set)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) begin(captured time.Time) (*repository.Session, error) {
	return w.repo.Begin(w.t.Context(), set, captured, captured, rand.Reader, manifest.Note{Host: "test", Tool: "test"})
}

func (w *world) mustBegin(captured time.Time) *repository.Session {
	w.t.Helper()
	s, err := w.begin(captured)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// document is a good manifest of components of no bytes, as a caller of Commit has it.
func document(captured time.Time, components ...string) manifest.Manifest {
	m := manifest.Manifest{
		Format: manifest.Format, CapturedAt: captured, Host: "test", Tool: "test", Sequence: 1, Grade: manifest.Good,
	}
	none := sha256.Sum256(nil)
	for _, c := range append(components, "db") {
		m.Components = append(m.Components, manifest.Component{
			Name: c, Kind: manifest.File, ChunkSize: 4096, SHA256: hex.EncodeToString(none[:]),
			Index: []manifest.Object{{
				Key: manifest.IndexKey(set, "20260411T000000Z-00000000", c, false), Size: 1, SHA256: hex.EncodeToString(none[:]),
			}},
		})
	}
	return m
}

// place puts a manifest past the ballot, under an id with that stamp.
func (w *world) place(stamp time.Time, change func(*manifest.Manifest)) manifest.ID {
	w.t.Helper()
	m := document(stamp)
	var err error
	if m.ID, err = manifest.NewID(stamp, rand.Reader); err != nil {
		w.t.Fatal(err)
	}
	m.Repository, m.Set, m.Nonce = w.repo.ID, set, "0123456789abcdef"
	id := m.ID
	if change != nil {
		change(&m)
	}
	b, err := manifest.Encode(&m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mem.Set(manifest.ManifestKey(set, id), b)
	return id
}

func (w *world) keys(folder manifest.Folder) []string {
	return slices.DeleteFunc(w.mem.Keys(), func(k string) bool { return !strings.HasPrefix(k, manifest.Prefix(set, folder)) })
}

// failing is a fault of that kind.
func failing(op memtarget.Op, key string, kind target.Kind) memtarget.Fault {
	return memtarget.Fault{Err: &target.Error{Op: string(op), Key: key, Kind: kind}}
}
