package restore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/restore/swap"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// inPlace is a stopped world whose registry has changed since the snapshot, and
// the options that bring it back.
func inPlace(t *testing.T) (*backuptest.World, restore.InPlaceOptions) {
	t.Helper()
	w := backuptest.New(t, "nas", "usb")
	m := w.Good().Targets[0].Manifest
	w.Registry(`{"newer": true}`)
	stores := stopped(t, w)
	return w, restore.InPlaceOptions{
		Repository: w.Repo(0), Manifest: m, Stores: stores, Journal: w.Path("journal"), Safety: safety(w, stores),
	}
}

// files are the contents of all files in the world's directory, but for SQLite's
// shared memory and an empty log, which a reader makes.
func files(t *testing.T, w *backuptest.World) (all []string) {
	t.Helper()
	for _, line := range tree(t, w.Dir) {
		path := w.Path(line[strings.Index(line, " ")+1:])
		fi, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, "-wal") && fi.Size() == 0 || strings.HasPrefix(path, w.Path("state")) || path == w.Path("journal") {
			continue
		}
		var b []byte
		if fi.Mode().IsRegular() {
			if b, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, line+"\n"+string(b))
	}
	return all
}

func TestInPlace(t *testing.T) {
	w, o := inPlace(t)
	plan, err := restore.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(plan.Components, o.Stores, func(r restore.Replaced, l restore.Live) bool {
		return r.Name == l.Name && r.Path == l.Path && r.Was > 0 && r.Kept == "" && r.Staging == w.Dir
	}) {
		t.Errorf("plan: %+v", plan.Components)
	}
	r, err := restore.InPlace(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(w.Path("registry.json")); err != nil || string(b) != `{"a": 1, "b": 2}` {
		t.Errorf("registry %q, %v", b, err)
	}
	for _, c := range r.Components {
		if _, err := os.Stat(c.Kept); err != nil || len(c.Checks) == 0 {
			t.Errorf("%+v, %v", c, err)
		}
	}
	if m := load(t, w, 0, r.Saved.ID); !m.HasTag(manifest.PreRestore) {
		t.Errorf("saved as %+v", m)
	}
	back, err := restore.Undo(t.Context(), swap.UndoOptions{Dir: o.Journal})
	if err != nil || back.Label != string(o.Manifest.ID) {
		t.Errorf("%+v, %v", back, err)
	}
	if b, err := os.ReadFile(w.Path("registry.json")); err != nil || string(b) != `{"newer": true}` {
		t.Errorf("registry %q, %v", b, err)
	}
	if _, err := restore.Recover(t.Context(), swap.RecoverOptions{Dir: o.Journal}); !errors.Is(err, swap.ErrNothingToRecover) {
		t.Errorf("recover: %v", err)
	}
}

// Whatever goes wrong before the swap, every file is as it was.
func TestInPlaceTouchesNothing(t *testing.T) {
	at := func(o *restore.InPlaceOptions, point string, do func() error) {
		o.Hooks.Fail = func(p string) error {
			if p == point {
				return do()
			}
			return nil
		}
	}
	var cancel context.CancelFunc
	for name, c := range map[string]struct {
		change func(w *backuptest.World, o *restore.InPlaceOptions)
		want   error
	}{
		"suspect":      {func(_ *backuptest.World, o *restore.InPlaceOptions) { o.Manifest.Grade = manifest.Suspect }, restore.ErrSuspect},
		"other kind":   {func(_ *backuptest.World, o *restore.InPlaceOptions) { o.Stores[1].Kind = manifest.SQLite }, restore.ErrOtherKind},
		"no component": {func(_ *backuptest.World, o *restore.InPlaceOptions) { o.Stores[1].Name = "other" }, repository.ErrNoSnapshot},
		"damaged": {func(w *backuptest.World, _ *restore.InPlaceOptions) {
			w.Damage(0, w.Keys(0, "/registry-")[0], backuptest.Flip)
		}, repository.ErrDamaged},
		"a content check": {func(w *backuptest.World, o *restore.InPlaceOptions) {
			o.Manifest.Component("db").Facts.SQLite.Rows["gone"] = 1
		}, restore.ErrContent},
		"no safety": {func(w *backuptest.World, o *restore.InPlaceOptions) { o.Safety.Targets = nil }, restore.ErrNoSafety},
		"a target that denies": {func(w *backuptest.World, o *restore.InPlaceOptions) {
			at(o, "restore:staged", func() error {
				deny := func(_ context.Context, op memtarget.Op, _ string) memtarget.Fault {
					return memtarget.Fault{Err: &target.Error{Op: string(op), Kind: target.KindDenied, Err: errors.New("no")}}
				}
				w.Faults["nas"], w.Faults["usb"] = deny, deny
				return nil
			})
		}, restore.ErrNoSafety},
		"a service that starts meanwhile": {func(w *backuptest.World, o *restore.InPlaceOptions) {
			at(o, "restore:saved", func() error {
				holding(t, w.Path("app.db"))
				return nil
			})
		}, &restore.BusyError{}},
		"stopped": {func(_ *backuptest.World, o *restore.InPlaceOptions) {
			at(o, "restore:looked", func() error {
				cancel()
				return nil
			})
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := inPlace(t)
			c.change(w, &o)
			before := files(t, w)
			var ctx context.Context
			ctx, cancel = context.WithCancel(t.Context())
			defer cancel()
			_, err := restore.InPlace(ctx, o)
			busy := new(restore.BusyError)
			if _, ok := c.want.(*restore.BusyError); ok != errors.As(err, &busy) || !ok && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			after := files(t, w)
			if !slices.Equal(before, after) {
				t.Errorf("%d files before, %d after: %v", len(before), len(after), tree(t, w.Dir))
			}
			if j, err := swap.Look(o.Journal); err != nil || j.Phase != swap.None {
				t.Errorf("journal: %+v, %v", j, err)
			}
		})
	}
}

// What there is too little room for is refused before anything is staged.
func TestInPlaceSpace(t *testing.T) {
	w, o := inPlace(t)
	o.Manifest.Component("db").Size = 1 << 60
	_, err := restore.InPlace(t.Context(), o)
	var space *restore.SpaceError
	if !errors.As(err, &space) || space.Need < 1<<60 || !strings.Contains(err.Error(), "EiB are needed") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, "journal")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a journal was made: %v", err)
	}
}
