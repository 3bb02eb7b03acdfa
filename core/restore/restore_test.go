package restore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree lists what is in a directory, with modes.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		fi, err := d.Info()
		rel, _ := filepath.Rel(dir, path)
		names = append(names, fi.Mode().String()+" "+rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestToDir(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	registry, err := os.ReadFile(w.Path("registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(string) error{
		"new":   func(string) error { return nil },
		"empty": func(dir string) error { return os.Mkdir(dir, 0o755) },
		"a symlink to an empty one": func(dir string) error {
			return errors.Join(os.Mkdir(dir+".real", 0o700), os.Symlink(dir+".real", dir))
		},
		"left by a kill": func(dir string) error {
			return errors.Join(os.MkdirAll(filepath.Join(dir, ".holdfast-partial", "chroma"), 0o700),
				os.WriteFile(filepath.Join(dir, ".holdfast-partial", "db"), []byte("half of it"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			if err := make(dir); err != nil {
				t.Fatal(err)
			}
			r, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if r.Damage || r.ID != m.ID || len(r.Components) != 2 || r.Components[0].Path != filepath.Join(dir, "db") || len(r.Components[0].Checks) == 0 {
				t.Errorf("%+v", r)
			}
			if got, want := tree(t, dir+"/"), []string{"-rw------- db", "-rw------- registry"}; !slices.Equal(got, want) {
				t.Errorf("restored %v, want %v", got, want)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "registry")); err != nil || string(b) != string(registry) {
				t.Errorf("registry %q, %v", b, err)
			}
		})
	}
}

// What is in the way is left as it is, and the error says what it is.
func TestInTheWay(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	file := func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) }
	for name, c := range map[string]struct {
		make func(dir string) error
		want error
		says string
	}{
		"not empty":           {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), file(dir+"/notes")) }, restore.ErrNotEmpty, "notes"},
		"a file":              {file, restore.ErrNotEmpty, "out"},
		"a dangling symlink":  {func(dir string) error { return os.Symlink(dir+".nowhere", dir) }, restore.ErrNotEmpty, "out"},
		"a symlink to a file": {func(dir string) error { return errors.Join(file(dir+".file"), os.Symlink(dir+".file", dir)) }, restore.ErrNotEmpty, "out"},
		"killed while it moved": {func(dir string) error {
			return errors.Join(os.MkdirAll(dir+"/.holdfast-partial", 0o700), file(dir+"/db"))
		}, restore.ErrNotEmpty, "had moved db"},
		"a file by our name": {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), file(dir+"/.holdfast-partial")) }, restore.ErrNotEmpty, ".holdfast-partial"},
		"a link by our name": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(dir+".real", 0o700), file(dir+".real/notes"), os.Symlink(dir+".real", dir+"/.holdfast-partial"))
		}, restore.ErrNotEmpty, ".holdfast-partial"},
		"no parent": {func(dir string) error { return os.Remove(filepath.Dir(dir)) }, fs.ErrNotExist, "out"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := filepath.Join(t.TempDir(), "parent")
			dir := filepath.Join(parent, "out")
			if err := errors.Join(os.Mkdir(parent, 0o700), c.make(dir)); err != nil {
				t.Fatal(err)
			}
			var before []string
			if name != "no parent" {
				before = tree(t, parent)
			}
			_, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if before != nil && !slices.Equal(tree(t, parent), before) {
				t.Errorf("before %v, after %v", before, tree(t, parent))
			}
		})
	}
}

func TestUnwritableParent(t *testing.T) {
	if os.Geteuid() == 0 { // whom no mode stops: a directory that nobody can write in is one of /proc
		w := backuptest.New(t, "nas")
		m := w.Good().Targets[0].Manifest
		if _, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: "/proc/self/out"}); err == nil || !strings.Contains(err.Error(), "/proc/self/out") {
			t.Errorf("%v", err)
		}
		return
	}
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: filepath.Join(parent, "out")}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

func TestComponents(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	to := func(components ...string) ([]string, error) {
		dir := filepath.Join(t.TempDir(), "out")
		_, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir, Components: components})
		if err != nil {
			if _, serr := os.Stat(dir); !errors.Is(serr, fs.ErrNotExist) {
				t.Errorf("%v was left", dir)
			}
			return nil, err
		}
		return tree(t, dir), nil
	}
	if got, err := to("registry", "registry"); err != nil || !slices.Equal(got, []string{"-rw------- registry"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := to("db", "vectors"); !errors.Is(err, repository.ErrNoSnapshot) || !strings.Contains(err.Error(), "vectors") {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := to([]string{}...); err != nil || len(got) != 2 {
		t.Errorf("none is all: %v, %v", got, err)
	}
}

// After damage nothing is left, and the error names the object.
func TestDamage(t *testing.T) {
	for _, object := range []string{"db-00000.zst", "db.index.zst", "registry-00000.zst", "chroma-00000.zst"} {
		for name, change := range map[string]func([]byte) []byte{
			"flipped": backuptest.Flip, "truncated": func(b []byte) []byte { return b[:len(b)/2] }, "missing": func([]byte) []byte { return nil },
		} {
			w := backuptest.New(t, "nas")
			w.Chroma()
			m := w.Good().Targets[0].Manifest
			key := manifest.ArchivePrefix(backuptest.Set, m.ID) + object
			w.Damage(0, key, change)
			made, found := filepath.Join(w.Dir, "new"), filepath.Join(w.Dir, "old")
			if err := os.Mkdir(found, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{made, found} {
				_, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir})
				if !errors.Is(err, repository.ErrDamaged) || !strings.Contains(err.Error(), key) {
					t.Errorf("%s %s: %v", object, name, err)
				}
			}
			if _, err := os.Stat(made); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s %s: %s was left", object, name, made)
			}
			if left := tree(t, found); len(left) > 0 {
				t.Errorf("%s %s: %v was left", object, name, left)
			}
		}
	}
}

// A snapshot of a store that was damaged already is restored as it is, and the report says so.
func TestSuspect(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Registry("{")
	m := w.Made().Targets[0].Manifest
	dir := filepath.Join(w.Dir, "out")
	r, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir})
	if err != nil || !r.Damage || len(tree(t, dir)) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestNoSpace(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	m.Component("db").Size = manifest.MaxInt
	dir := filepath.Join(w.Dir, "out")
	_, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir})
	var space *restore.SpaceError
	if !errors.As(err, &space) || space.Need < manifest.MaxInt || space.Free <= 0 {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the directory was left")
	}
	if _, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir, Components: []string{"registry"}}); err != nil {
		t.Errorf("there is room for the registry: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	for _, object := range []string{"db.index.zst", "db-00000.zst", "registry-00000.zst"} {
		ctx, cancel := context.WithCancel(t.Context())
		w.Faults["nas"] = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
			if op == memtarget.Get && strings.HasSuffix(key, object) {
				cancel()
			}
			return memtarget.Fault{}
		}
		dir := filepath.Join(w.Dir, "out")
		if _, err := restore.ToDir(ctx, restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir}); !errors.Is(err, context.Canceled) || errors.Is(err, repository.ErrDamaged) {
			t.Errorf("cancelled at %s: %v", object, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("cancelled at %s: the directory was left", object)
		}
	}
}

// Modes are private whatever the umask says. It belongs to the process, so no test beside this one runs.
func TestUmask(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	m := w.Good().Targets[0].Manifest
	for _, mask := range []int{0o000, 0o077} {
		dir := filepath.Join(t.TempDir(), "out")
		old := unix.Umask(mask)
		_, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir})
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Stat(dir); err != nil || fi.Mode() != fs.ModeDir|0o700 {
			t.Errorf("umask %03o: %v, %v", mask, fi.Mode(), err)
		}
		for _, line := range tree(t, dir) {
			if !strings.HasPrefix(line, "-rw------- ") && !strings.HasPrefix(line, "drwx------ ") {
				t.Errorf("umask %03o: %s", mask, line)
			}
		}
	}
}

// Two restores to one directory: the second is turned away, and the first is not disturbed.
func TestOneAtATime(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	o := restore.Options{Repository: w.Repo(0), Manifest: m, Dir: filepath.Join(w.Dir, "out")}
	second, asked := error(nil), false
	w.Faults["nas"] = func(ctx context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Get && strings.HasSuffix(key, "registry-00000.zst") && !asked {
			asked = true
			_, second = restore.ToDir(ctx, o)
		}
		return memtarget.Fault{}
	}
	if _, err := restore.ToDir(t.Context(), o); err != nil {
		t.Errorf("the first: %v", err)
	}
	if !errors.Is(second, state.ErrLocked) {
		t.Errorf("the second: %v", second)
	}
	if got := tree(t, o.Dir); len(got) != 2 {
		t.Errorf("restored %v", got)
	}
}
