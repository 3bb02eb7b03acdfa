package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/targettest"
)

func TestMain(m *testing.M) {
	if step := os.Getenv(crashStep); step != "" {
		os.Exit(putAndCrash(step))
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	targettest.Run(t, targettest.Options{
		New: func(tt targettest.T) target.Target {
			return create(tt, filepath.Join(t.TempDir(), "root"))
		},
		Reopen: func(tt targettest.T, first target.Target) target.Target {
			return open(tt, first.(*Target).path)
		},
	})
}

// TestConformanceWithoutHardLinks is the same on a file system that refuses
// link, as FAT does.
func TestConformanceWithoutHardLinks(t *testing.T) {
	targettest.Run(t, targettest.Options{
		New: func(tt targettest.T) target.Target {
			made := create(tt, t.TempDir())
			made.failAt = failing(stepLink, syscall.EPERM)
			return made
		},
	})
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for _, c := range []struct {
		path string
		want error
		text string
	}{
		{"", target.ErrInvalid, "no path"},
		{"relative/path", target.ErrInvalid, "not absolute"},
		{missing, target.ErrUnavailable, "holdfast init"},
		{missing, fs.ErrNotExist, "mount"},
		{file, target.ErrInvalid, file},
		{filepath.Join(file, "below"), target.ErrInvalid, file},
	} {
		_, err := Open(Config{Path: c.path})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("Open %q: %v, want %v and %q", c.path, err, c.want, c.text)
		}
	}
	for _, path := range []string{"", "relative", file, filepath.Join(file, "below")} {
		if _, err := Create(t.Context(), Config{Path: path}); !errors.Is(err, target.ErrInvalid) {
			t.Errorf("Create %q: %v", path, err)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open made the directory: %v", err)
	}
}

func TestCreate(t *testing.T) {
	top := t.TempDir()
	path := filepath.Join(top, "a", "b", "root")
	create(t, path)
	for _, dir := range []string{"a", "a/b", "a/b/root"} {
		wantMode(t, filepath.Join(top, dir), 0o700)
	}
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	create(t, path)
	wantMode(t, path, 0o750)
	if names := everything(t, path); len(names) != 0 {
		t.Errorf("Probe left %q", names)
	}
}

// TestUmask shows that neither an open nor a paranoid umask changes the modes.
func TestUmask(t *testing.T) {
	for _, umask := range []int{0, 0o077, 0o277} {
		old := syscall.Umask(umask)
		path := filepath.Join(t.TempDir(), "x", "root")
		made := create(t, path)
		err := put(t.Context(), made, "a/b", "x")
		syscall.Umask(old)
		if err != nil {
			t.Errorf("umask %o: %v", umask, err)
			continue
		}
		for name, mode := range map[string]fs.FileMode{"": 0o700, "a": 0o700, "a/b": 0o600} {
			wantMode(t, filepath.Join(path, name), mode)
		}
	}
}

// TestRootGoesAway shows that a lost or replaced directory is never taken for
// an empty repository.
func TestRootGoesAway(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "root")
		made := create(t, path)
		mustPut(t, made, "a/b", "x")
		if err := os.Rename(path, path+"-away"); err != nil {
			t.Fatal(err)
		}
		if replaced {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		_, infoErr := made.Info(t.Context())
		_, statErr := made.Stat(t.Context(), "a/b")
		_, getErr := made.Get(t.Context(), "a/b", 0, -1)
		var listErr error
		for _, err := range made.List(t.Context(), "", "") {
			listErr = err
		}
		_, sweepErr := made.RemoveStale(t.Context())
		for what, err := range map[string]error{
			"Info": infoErr, "Stat": statErr, "Get": getErr, "List": listErr, "RemoveStale": sweepErr,
			"Put": put(t.Context(), made, "c", "x"), "Delete": made.Delete(t.Context(), "a/b"), "Probe": made.Probe(t.Context()),
		} {
			if !errors.Is(err, target.ErrUnavailable) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if names := everything(t, path+"-away"); len(names) != 2 {
			t.Errorf("the directory that went away has %q", names)
		}
	}
}

// TestForeignNames shows that what is no key is neither listed nor touched.
func TestForeignNames(t *testing.T) {
	path := t.TempDir()
	made := create(t, path)
	mustPut(t, made, "a/b", "x")
	for _, name := range []string{"notes of mine.txt", "~put-OLD", "a/~put-OLD", "a/ü"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(path, "lost+found", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, made, "a/b")
	if err := made.Delete(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
	if names := everything(t, path); len(names) != 7 {
		t.Errorf("left are %q", names)
	}
}

// TestLinksAreNotFollowed puts a link, a pipe and an escape where objects belong.
func TestLinksAreNotFollowed(t *testing.T) {
	ctx := t.Context()
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		make func(path string) error
		key  string
	}{
		{"a link to a file outside", func(p string) error { return os.Symlink(filepath.Join(outside, "secret"), filepath.Join(p, "a", "x")) }, "a/x"},
		{"a link to a file inside", func(p string) error { return os.Symlink("b", filepath.Join(p, "a", "x")) }, "a/x"},
		{"a link to nothing", func(p string) error { return os.Symlink("nothing", filepath.Join(p, "a", "x")) }, "a/x"},
		{"a folder that is a link to outside", func(p string) error { return os.Symlink(outside, filepath.Join(p, "x")) }, "x/secret"},
		{"a folder that is a link to inside", func(p string) error { return os.Symlink("a", filepath.Join(p, "x")) }, "x/new"},
		{"a pipe", func(p string) error { return syscall.Mkfifo(filepath.Join(p, "a", "x"), 0o600) }, "a/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir()
			made := create(t, path)
			mustPut(t, made, "a/b", "x")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			if err := put(ctx, made, c.key, "over"); !errors.Is(err, target.ErrCorrupt) {
				t.Errorf("Put: %v, want ErrCorrupt", err)
			}
			if _, err := made.Get(ctx, c.key, 0, -1); err == nil {
				t.Error("Get succeeds")
			}
			if _, err := keys(ctx, made); !errors.Is(err, target.ErrCorrupt) {
				t.Errorf("List: %v, want ErrCorrupt", err)
			}
			if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(b) != "secret" {
				t.Errorf("outside is now %q, %v", b, err)
			}
			if err := made.Delete(ctx, c.key); err == nil && c.key != "x/new" {
				t.Error("Delete succeeds")
			}
		})
	}
	if names := everything(t, outside); len(names) != 1 {
		t.Errorf("outside there is %q", names)
	}
}

// TestKeyAndFolder shows the one thing that a directory cannot hold and an
// object store can: a key that is the folder of another.
func TestKeyAndFolder(t *testing.T) {
	made := create(t, t.TempDir())
	mustPut(t, made, "a/b", "x")
	for _, key := range []string{"a", "a/b/c", "a/b/c/d"} {
		if err := put(t.Context(), made, key, "y"); !errors.Is(err, target.ErrInvalid) {
			t.Errorf("Put %s: %v, want ErrInvalid", key, err)
		}
	}
	wantKeys(t, made, "a/b")
}

func TestDeletePrunes(t *testing.T) {
	path := t.TempDir()
	made := create(t, path)
	mustPut(t, made, "s/archives/1/a", "x")
	mustPut(t, made, "s/archives/1/b", "x")
	mustPut(t, made, "s/m", "x")
	for _, c := range []struct {
		key  string
		want []string
	}{
		{"s/archives/1", []string{"s", "s/archives", "s/archives/1", "s/archives/1/a", "s/archives/1/b", "s/m"}},
		{"s/archives/1/a", []string{"s", "s/archives", "s/archives/1", "s/archives/1/b", "s/m"}},
		{"s/archives/1/b", []string{"s", "s/m"}},
		{"s/m", nil},
	} {
		if err := made.Delete(t.Context(), c.key); err != nil {
			t.Errorf("Delete %s: %v", c.key, err)
		}
		if got := everything(t, path); !slices.Equal(got, c.want) {
			t.Errorf("after deleting %s: %q, want %q", c.key, got, c.want)
		}
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != want {
		t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
	}
}

func wantKeys(t *testing.T, x *Target, want ...string) {
	t.Helper()
	if got, err := keys(context.WithoutCancel(t.Context()), x); err != nil || !slices.Equal(got, want) {
		t.Errorf("List: %q, %v; want %q", got, err, want)
	}
}
