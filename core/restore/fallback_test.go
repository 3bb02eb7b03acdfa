package restore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// fallback makes the nth target's neighbours the ones to fall back to, and counts how often each is opened.
func fallback(w *backuptest.World, n int, opened *int) *restore.Fallback {
	f := &restore.Fallback{}
	for i, s := range w.Stores {
		if i == n {
			continue
		}
		f.Others = append(f.Others, restore.Other{Name: s.Name(), Open: func(ctx context.Context) (*repository.Repository, error) {
			*opened++
			return repository.Open(ctx, s)
		}})
	}
	return f
}

// both is a world of two targets that hold the same two snapshots, whose database lies in two volumes.
func both(t *testing.T) (w *backuptest.World, a, b *manifest.Manifest) {
	t.Helper()
	w = backuptest.New(t, "a", "b")
	w.Chroma()
	w.Good()
	w.Touch("40")
	r := w.Good()
	a, b = r.Targets[0].Manifest, r.Targets[1].Manifest
	if len(a.Component("db").Volumes) != 2 || a.ID == b.ID {
		t.Fatalf("volumes %+v", a.Component("db").Volumes)
	}
	return w, a, b
}

// fallen restores the snapshot from target a, with b to fall back to.
func fallen(t *testing.T, w *backuptest.World, m *manifest.Manifest) (dir string, r *restore.Report, opened int, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	r, err = restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir, Fallback: fallback(w, 0, &opened)})
	return dir, r, opened, err
}

func sameTree(t *testing.T, want, got string) {
	t.Helper()
	err := filepath.WalkDir(want, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(want, path)
		if err != nil {
			return err
		}
		x, xerr := os.ReadFile(path)
		y, yerr := os.ReadFile(filepath.Join(got, rel))
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs", rel)
		}
		return errors.Join(xerr, yerr)
	})
	if err != nil {
		t.Error(err)
	}
}

func rescue(t *testing.T, r *restore.Report, component string) *restore.Rescue {
	t.Helper()
	for _, c := range r.Components {
		if c.Name == component {
			return c.Rescue
		}
	}
	t.Fatalf("no component %s", component)
	return nil
}

// Neither target alone can be restored from, both together can: what one has lost of a snapshot is read from
// the other by chunk id.
func TestFallback(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"flipped": backuptest.Flip, "missing": func([]byte) []byte { return nil }, "cut": func(b []byte) []byte { return b[:len(b)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			w, a, b := both(t)
			whole := w.Restore(0, a)
			w.Damage(0, a.Component("db").Volumes[0].Key, change)
			w.Damage(1, b.Component("db").Volumes[1].Key, change)
			w.Damage(0, a.Component("chroma").Volumes[0].Key, change)
			for n, m := range []*manifest.Manifest{a, b} {
				_, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(n), Manifest: m, Dir: filepath.Join(t.TempDir(), "out")})
				if !errors.Is(err, repository.ErrDamaged) {
					t.Fatalf("target %d alone: %v", n, err)
				}
			}
			dir, r, opened, err := fallen(t, w, a)
			if err != nil || opened != 1 {
				t.Fatalf("opened %d times, %v", opened, err)
			}
			sameTree(t, whole, dir)
			if x := rescue(t, r, "registry"); x != nil {
				t.Errorf("of the registry: %s", x)
			}
			for _, c := range []string{"db", "chroma"} {
				x := rescue(t, r, c)
				if x == nil || !x.Whole() || len(x.Damaged) != 1 || x.Damaged[0].Key != a.Component(c).Volumes[0].Key {
					t.Fatalf("of %s: %+v", c, x)
				}
				last := x.Found[len(x.Found)-1]
				if last.Target != "b" || last.ID != b.ID || last.Chunks.Chunks == 0 || last.Bytes == 0 || last.Index {
					t.Errorf("%s was found: %+v", c, x.Found)
				}
				if text := x.String(); !strings.Contains(text, "in target b, snapshot "+string(b.ID)) || !strings.Contains(text, x.Damaged[0].Key) {
					t.Errorf("it says %q", text)
				}
			}
		})
	}
}

// A healthy restore asks no other target.
func TestFallbackUnused(t *testing.T) {
	w, a, _ := both(t)
	_, r, opened, err := fallen(t, w, a)
	if err != nil || opened != 0 || rescue(t, r, "db") != nil {
		t.Errorf("opened %d times, %+v, %v", opened, r, err)
	}
}

// An index that is lost is the other target's; what its volumes have lost is read from those of the snapshot.
func TestFallbackIndex(t *testing.T) {
	w, a, b := both(t)
	whole := w.Restore(0, a)
	w.Damage(0, a.Component("db").Index[0].Key, backuptest.Flip)
	dir, r, _, err := fallen(t, w, a)
	if err != nil {
		t.Fatal(err)
	}
	sameTree(t, whole, dir)
	if x := rescue(t, r, "db"); x == nil || !x.Whole() || len(x.Found) != 1 || !x.Found[0].Index || x.Found[0].ID != b.ID {
		t.Errorf("%+v", x)
	}
	w.Damage(1, b.Component("db").Volumes[1].Key, backuptest.Flip)
	if dir, r, _, err = fallen(t, w, a); err != nil {
		t.Fatal(err)
	}
	sameTree(t, whole, dir)
	x := rescue(t, r, "db")
	if last := x.Found[len(x.Found)-1]; !x.Whole() || last.Target != "a" || last.ID != a.ID || last.Chunks.Chunks == 0 {
		t.Errorf("%+v", x)
	}
	w.Damage(0, a.Component("db").Volumes[1].Key, backuptest.Flip)
	_, _, _, err = fallen(t, w, a)
	if !errors.Is(err, repository.ErrDamaged) || !strings.Contains(err.Error(), "; 0 of ") {
		t.Errorf("with both volumes damaged: %v", err)
	}
}

// No other snapshot's index stands in for a lost one, however near it lies.
func TestFallbackOtherIndex(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	w.Good()
	w.Touch("40")
	r, err := w.Create(func(o *backup.Options) { o.Targets = w.Stores[:1] })
	if err != nil {
		t.Fatal(err)
	}
	m := r.Targets[0].Manifest
	w.Damage(0, m.Component("db").Index[0].Key, backuptest.Flip)
	if _, _, opened, err := fallen(t, w, m); !errors.Is(err, repository.ErrDamaged) || opened != 1 {
		t.Errorf("opened %d times, %v", opened, err)
	}
}

// Other snapshots are looked at, too: of the snapshot's own target, when there is no other.
func TestFallbackOwn(t *testing.T) {
	w := backuptest.New(t, "a")
	w.Good()
	m := w.Good().Targets[0].Manifest
	whole := w.Restore(0, m)
	key := m.Component("registry").Volumes[0].Key
	w.Damage(0, key, backuptest.Flip)
	if _, _, _, err := fallen(t, w, m); !errors.Is(err, repository.ErrDamaged) || !strings.Contains(err.Error(), "nothing of it was found elsewhere") {
		t.Fatalf("%v", err)
	}
	next := w.Good().Targets[0].Manifest // stores it again: the damage was not marked, so mark it
	if next.Component("registry").Volumes[0].Key == key {
		k, err := manifest.ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		w.Mem["a"].Set(manifest.DamagedKey(backuptest.Set, k.ID, k.File), []byte("{}"))
		next = w.Good().Targets[0].Manifest
	}
	dir, r, _, err := fallen(t, w, m)
	if err != nil {
		t.Fatal(err)
	}
	sameTree(t, whole, dir)
	if x := rescue(t, r, "registry"); x == nil || !x.Whole() || x.Found[0].ID != next.ID || x.Found[0].Target != "a" {
		t.Errorf("%+v", x)
	}
}

// A frame that is damaged costs its own chunks alone: both targets may have lost parts of the same volume.
func TestFallbackSameVolume(t *testing.T) {
	w, a, b := both(t)
	whole := w.Restore(0, a)
	w.Damage(0, a.Component("db").Volumes[0].Key, func(x []byte) []byte { x[20] ^= 1; return x })
	w.Damage(1, b.Component("db").Volumes[0].Key, func(x []byte) []byte { x[len(x)-20] ^= 1; return x })
	dir, r, _, err := fallen(t, w, a)
	if err != nil {
		t.Fatal(err)
	}
	sameTree(t, whole, dir)
	if x := rescue(t, r, "db"); !x.Whole() || len(x.Found) != 2 || x.Found[0].Target != "a" || x.Found[1].Target != "b" {
		t.Errorf("%+v", x)
	}
}

// A target that cannot be asked is told of.
func TestFallbackSilent(t *testing.T) {
	w, a, _ := both(t)
	w.Damage(0, a.Component("db").Volumes[0].Key, backuptest.Flip)
	w.Faults["b"] = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		return memtarget.Fault{Err: &target.Error{Op: string(op), Key: key, Kind: target.KindUnavailable}}
	}
	_, _, _, err := fallen(t, w, a)
	if !errors.Is(err, repository.ErrDamaged) || !strings.Contains(err.Error(), "not asked: target b") {
		t.Errorf("%v", err)
	}
}

// Dump writes nothing or what is right, and tells where it was found: a stream, and one member.
func TestFallbackDump(t *testing.T) {
	w, a, b := both(t)
	dump := func(component, member string, f *restore.Fallback) (string, *restore.Rescue, error) {
		var out bytes.Buffer
		var x *restore.Rescue
		_, err := restore.Dump(t.Context(), restore.DumpOptions{
			Repository: w.Repo(0), Manifest: a, Component: component, Member: member, Scratch: w.Path("staging"),
			Fallback: f, Rescued: func(r *restore.Rescue) { x = r },
		}, &out)
		return out.String(), x, err
	}
	for _, c := range [][2]string{{"db", ""}, {"chroma", ""}, {"chroma", "chroma.sqlite3"}} {
		whole, x, err := dump(c[0], c[1], nil)
		if err != nil || x != nil {
			t.Fatalf("%+v, %v", x, err)
		}
		key := a.Component(c[0]).Volumes[0].Key
		w.Damage(0, key, backuptest.Flip)
		if _, _, err := dump(c[0], c[1], nil); c[1] == "" && !errors.Is(err, repository.ErrDamaged) {
			t.Errorf("%v without a fallback: %v", c, err)
		}
		opened := 0
		got, x, err := dump(c[0], c[1], fallback(w, 0, &opened))
		if err != nil || got != whole {
			t.Errorf("%v: %d bytes, want %d; %v", c, len(got), len(whole), err)
		}
		if c[1] == "" && (x == nil || !x.Whole() || x.Found[len(x.Found)-1].ID != b.ID) {
			t.Errorf("%v: %+v", c, x)
		}
		w.Damage(0, key, backuptest.Flip) // back
	}
}
