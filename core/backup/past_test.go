package backup_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/state"
)

// A snapshot of the past takes its place between those that are there, and leans on older ones only.
func TestPast(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	older := w.Good().Targets[0].Manifest
	w.Now = w.Now.Add(24 * time.Hour)
	w.Exec("CREATE TABLE later(id INTEGER)")
	newer := w.Good().Targets[0].Manifest
	w.Exec("DROP TABLE later")
	w.Touch("100")

	past := &backup.Past{At: older.CapturedAt.Add(12*time.Hour + 7*time.Millisecond), Origin: manifest.Origin{ID: "20260411T224646Z", ManifestSHA256: newer.Components[0].SHA256}}
	checks := []manifest.Check{{Name: "integrity_check", Result: manifest.OK, Detail: "made before"}}
	r, err := w.Create(func(o *backup.Options) {
		o.Past = past
		o.Components[0].Inspected = &source.Report{Facts: older.Components[0].Facts, Checks: checks}
	})
	if err != nil || !r.Complete() || r.Grade != manifest.Good {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, target := range r.Targets {
		m := target.Manifest
		if got := m.ID.Time(); !got.Equal(past.At.Truncate(time.Second)) || !m.CapturedAt.Equal(past.At) || !r.CapturedAt.Equal(past.At) {
			t.Errorf("stamp %v, captured at %v and %v, want %v", got, m.CapturedAt, r.CapturedAt, past.At)
		}
		if m.Origin == nil || *m.Origin != past.Origin {
			t.Errorf("origin %+v", m.Origin)
		}
		if m.Parent.Time() != older.ID.Time() || m.Sequence != older.Sequence+1 {
			t.Errorf("parent %s, sequence %d, want the older snapshot's %s and %d", m.Parent, m.Sequence, older.ID, older.Sequence+1)
		}
		if diff := cmp.Diff(checks, m.Components[0].Checks); diff != "" {
			t.Errorf("checks (-want +got):\n%s", diff)
		}
	}
	st, err := state.Open(w.Path("state"))
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := st.Seen(backuptest.Set, "a"); err != nil || seen.ID != string(newer.ID) {
		t.Errorf("last seen is %+v, %v, want %s", seen, err, newer.ID)
	}
	if next := w.Made().Targets[0].Manifest; next.Parent != newer.ID {
		t.Errorf("the next snapshot's parent is %s, want %s", next.Parent, newer.ID)
	}
}

// With nothing older there is no parent, and a dry run puts nothing.
func TestPastOfAll(t *testing.T) {
	w := backuptest.New(t, "a")
	w.Good()
	keys := len(w.Keys(0, ""))
	for _, dry := range []bool{true, false} {
		r, err := w.Create(func(o *backup.Options) {
			o.DryRun, o.Past = dry, &backup.Past{At: w.Now.AddDate(-1, 0, 0), Origin: manifest.Origin{ID: "20250411T224646Z"}}
		})
		if err != nil || !r.Complete() {
			t.Fatalf("%+v, %v", r, err)
		}
		m := r.Targets[0].Manifest
		if m.Parent != "" || m.ID.Time().Year() != 2025 {
			t.Errorf("snapshot %s with parent %q", m.ID, m.Parent)
		}
		if got := len(w.Keys(0, "")); (got == keys) != dry {
			t.Errorf("dry run %v: %d keys, before %d", dry, got, keys)
		}
	}
}

// A snapshot of the past is all or nothing, where one of now would do without the component.
func TestPastIsWhole(t *testing.T) {
	for name, spoil := range map[string]func(*backuptest.World, *backup.Options){
		"absent": func(w *backuptest.World, _ *backup.Options) { os.Remove(w.Path("registry.json")) },
		"not packable": func(_ *backuptest.World, o *backup.Options) {
			o.Components[1].Source = unreadable{o.Components[1].Source}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "a")
			r, err := w.Create(func(o *backup.Options) {
				o.Past = &backup.Past{At: w.Now, Origin: manifest.Origin{ID: "20260411T094646Z"}}
				spoil(w, o)
			})
			if !errors.Is(err, backup.ErrNothing) {
				t.Errorf("%+v, %v", r, err)
			}
			for _, key := range w.Keys(0, "manifests") {
				if b, _ := w.Mem["a"].Bytes(key); !strings.Contains(string(b), "revoked") {
					t.Errorf("committed: %s", b)
				}
			}
		})
	}
}

// unreadable is a store whose copy cannot be read again.
type unreadable struct{ source.Source }

func (u unreadable) Capture(ctx context.Context) (*source.Frozen, error) {
	f, err := u.Source.Capture(ctx)
	if err == nil {
		f.Parts[0].Open = func() (io.ReadCloser, error) { return nil, errors.New("input/output error") }
	}
	return f, err
}
