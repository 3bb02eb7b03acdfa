package local

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/target"
)

// asNobody runs f with the file permissions of an ordinary user, also when the
// tests run as root: the user id for file access belongs to the thread.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread ends with its id
		if os.Geteuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				t.Errorf("setfsuid: %v", err)
				return
			}
		}
		f()
	}()
	<-done
}

// share makes path usable for anybody, as asNobody needs.
func share(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(path, 0o700) }) // so that it can be removed
}

func TestDenied(t *testing.T) {
	ctx := t.Context()
	path := t.TempDir()
	share(t, filepath.Dir(path), 0o755)
	x := create(t, path)
	mustPut(t, x, "open/1", "x")
	mustPut(t, x, "shut/1", "x")
	share(t, path, 0o555)
	share(t, filepath.Join(path, "open"), 0o555)
	share(t, filepath.Join(path, "shut"), 0o000)

	asNobody(t, func() {
		if got, err := keys(ctx, x); !errors.Is(err, target.ErrDenied) {
			t.Errorf("List with an unreadable directory: %q, %v; want ErrDenied", got, err)
		}
		if _, err := x.Stat(ctx, "shut/1"); !errors.Is(err, target.ErrDenied) {
			t.Errorf("Stat: %v", err)
		}
		if _, err := x.Get(ctx, "shut/1", 0, -1); !errors.Is(err, target.ErrDenied) {
			t.Errorf("Get: %v", err)
		}
		for _, key := range []string{"open/2", "shut/2", "new/1"} {
			if err := put(ctx, x, key, "x"); !errors.Is(err, target.ErrDenied) {
				t.Errorf("Put %s: %v", key, err)
			}
		}
		for _, key := range []string{"open/1", "shut/1"} {
			if err := x.Delete(ctx, key); !errors.Is(err, target.ErrDenied) {
				t.Errorf("Delete %s: %v", key, err)
			}
		}
		if err := x.Probe(ctx); !errors.Is(err, target.ErrDenied) {
			t.Errorf("Probe: %v", err)
		}
		if _, err := Open(Config{Path: filepath.Join(path, "shut")}); !errors.Is(err, target.ErrDenied) {
			t.Errorf("Open: %v", err)
		}
		if _, err := Create(ctx, Config{Path: filepath.Join(path, "new")}); !errors.Is(err, target.ErrDenied) {
			t.Errorf("Create: %v", err)
		}
	})
}
