package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/atocore/holdfast/core/target"
)

// TestStepFails fails every step of a put in every way that matters: nothing is
// left, the kind is right, and a later put works.
func TestStepFails(t *testing.T) {
	body := strings.Repeat("x", 3*bufferSize)
	for _, at := range []step{stepMkdir, stepCreate, stepWrite, stepFsync, stepClose, stepLink, stepSyncDir} {
		for errno, want := range map[error]error{
			syscall.ENOSPC: target.ErrFull,
			syscall.EDQUOT: target.ErrFull,
			syscall.EACCES: target.ErrDenied,
			syscall.EROFS:  target.ErrDenied,
			syscall.EIO:    target.ErrUnavailable,
		} {
			t.Run(fmt.Sprintf("%s/%v", at, errno), func(t *testing.T) {
				path := t.TempDir()
				x := create(t, path)
				calls := 0
				x.failAt = func(s step, _ string) error {
					if s != at {
						return nil
					}
					if calls++; at == stepWrite && calls < 2 {
						return nil // fail midway
					}
					return errno
				}
				err := put(t.Context(), x, "s/a/b", body)
				if !errors.Is(err, want) || !errors.Is(err, errno) {
					t.Errorf("Put: %v, want %v", err, want)
				}
				if calls == 0 {
					t.Errorf("the step was never reached")
				}
				wantKeys(t, x)
				if names := everything(t, path); len(names) != 0 {
					t.Errorf("left %q", names)
				}
				x.failAt = nil
				mustPut(t, x, "s/a/b", body)
			})
		}
	}
}

// TestFailedFsync shows that a file whose fsync failed is written anew, once, and
// never fsynced again.
func TestFailedFsync(t *testing.T) {
	for _, c := range []struct {
		failures int
		err      error
		want     error
		synced   int
	}{
		{1, syscall.EIO, nil, 2},
		{2, syscall.EIO, target.ErrUnavailable, 2},
		{1, syscall.ENOSPC, target.ErrFull, 1}, // no use in writing it again
	} {
		path := t.TempDir()
		x := create(t, path)
		var synced []string
		x.failAt = func(s step, name string) error {
			if s != stepFsync {
				return nil
			}
			if slices.Contains(synced, name) {
				t.Errorf("%s is fsynced again", name)
			}
			if synced = append(synced, name); len(synced) <= c.failures {
				return c.err
			}
			return nil
		}
		err := put(t.Context(), x, "k", "body")
		if !errors.Is(err, c.want) || len(synced) != c.synced {
			t.Errorf("%v failures: %v after %d files, want %v after %d", c.failures, err, len(synced), c.want, c.synced)
		}
		if b, gerr := get(t.Context(), x, "k"); err == nil && string(b) != "body" {
			t.Errorf("stored %q, %v", b, gerr)
		}
	}
}

// TestDirectoryIsSynced shows that no put returns before the directories up to
// the root are synced, not even one that finds its key taken: the writer of
// that object may have died before it came so far.
func TestDirectoryIsSynced(t *testing.T) {
	path := t.TempDir()
	x := create(t, path)
	var synced []string
	x.failAt = func(s step, name string) error {
		if s == stepSyncDir {
			rel, err := filepath.Rel(path, name)
			if err != nil {
				t.Error(err)
			}
			synced = append(synced, rel)
		}
		return nil
	}
	mustPut(t, x, "s/a/b", "x")
	if want := []string{"s/a", "s", "."}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
	synced = nil
	if err := put(t.Context(), x, "s/a/b", "x"); !errors.Is(err, target.ErrExists) || len(synced) != 3 {
		t.Errorf("a taken key: %v, synced %q", err, synced)
	}
	x.failAt = failing(stepSyncDir, syscall.EIO)
	if err := put(t.Context(), x, "s/a/b", "x"); !errors.Is(err, target.ErrCorrupt) {
		t.Errorf("a taken key that cannot be made durable: %v", err)
	}
	wantKeys(t, x, "s/a/b")
}

// TestUnsettled shows that an object which can neither be made durable nor be
// taken back is not reported as a failure that a look at the target could turn
// into a success.
func TestUnsettled(t *testing.T) {
	path := t.TempDir()
	x := create(t, path)
	x.failAt = func(s step, _ string) error {
		if s != stepSyncDir {
			return nil
		}
		if err := os.Remove(filepath.Join(path, "k")); err != nil { // so that Put cannot
			t.Error(err)
		}
		return syscall.EIO
	}
	if err := put(t.Context(), x, "k", "x"); !errors.Is(err, target.ErrCorrupt) || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
}

func TestNeitherLinkNorRename(t *testing.T) {
	for _, refusal := range []struct{ link, rename error }{
		{syscall.EPERM, syscall.EINVAL},
		{syscall.EOPNOTSUPP, syscall.ENOSYS},
		{syscall.ENOTSUP, errors.ErrUnsupported},
	} {
		path := t.TempDir()
		x := create(t, path)
		x.failAt = func(s step, _ string) error {
			switch s {
			case stepLink:
				return refusal.link
			case stepRename:
				return refusal.rename
			}
			return nil
		}
		if err := put(t.Context(), x, "k", "x"); !errors.Is(err, target.ErrInvalid) || !strings.Contains(err.Error(), "use another one") {
			t.Errorf("Put: %v", err)
		}
		if err := x.Probe(t.Context()); !errors.Is(err, target.ErrInvalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("Probe: %v", err)
		}
		if names := everything(t, path); len(names) != 0 {
			t.Errorf("left %q", names)
		}
	}
}

func TestProbeWithoutHardLinks(t *testing.T) {
	path := t.TempDir()
	x := create(t, path)
	renames := 0
	x.failAt = func(s step, _ string) error {
		switch s {
		case stepLink:
			return syscall.EPERM
		case stepRename:
			renames++
		}
		return nil
	}
	if err := x.Probe(t.Context()); err != nil || renames != 2 {
		t.Errorf("%v after %d renames", err, renames)
	}
	if names := everything(t, path); len(names) != 0 {
		t.Errorf("left %q", names)
	}
}

// TestProbeSeesReplacing lets a second file take the name of the first.
func TestProbeSeesReplacing(t *testing.T) {
	path := t.TempDir()
	x := create(t, path)
	n := 0
	x.failAt = func(s step, name string) error {
		if n++; s == stepLink && n > 1 {
			_ = os.Remove(filepath.Join(path, name))
		}
		return nil
	}
	if err := x.Probe(t.Context()); !errors.Is(err, target.ErrInvalid) || !strings.Contains(err.Error(), "second file") {
		t.Errorf("got %v", err)
	}
	if names := everything(t, path); len(names) != 0 {
		t.Errorf("left %q", names)
	}
}

func TestListFails(t *testing.T) {
	x := create(t, t.TempDir())
	mustPut(t, x, "a/1", "x")
	mustPut(t, x, "b/1", "x")
	x.failAt = func(s step, name string) error {
		if s == stepReadDir && name == "b/" {
			return syscall.EIO
		}
		return nil
	}
	if got, err := keys(t.Context(), x); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("List: %q, %v", got, err)
	}
}

func TestReadFails(t *testing.T) {
	x := create(t, t.TempDir())
	mustPut(t, x, "k", "x")
	x.failAt = failing(stepRead, syscall.EIO)
	if b, err := get(t.Context(), x, "k"); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("Get: %q, %v", b, err)
	}
}

// TestReaderFails shows that a failure of what is to be put is not blamed on the
// target, even if it looks like one.
func TestReaderFails(t *testing.T) {
	x := create(t, t.TempDir())
	for _, cause := range []error{syscall.ENOSPC, syscall.EACCES, fs.ErrNotExist, errors.New("odd")} {
		reads := 0
		_, err := x.Put(t.Context(), "k", readerFunc(func([]byte, int64) (int, error) { reads++; return 0, cause }), optionsFor([]byte("body")))
		if !errors.Is(err, cause) || target.KindOf(err) != target.KindUnknown || reads != 1 {
			t.Errorf("%v after %d reads, kind %v", err, reads, target.KindOf(err))
		}
	}
}

type readerFunc func([]byte, int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func TestKindOf(t *testing.T) {
	for errno, want := range map[error]target.Kind{
		syscall.ENOSPC: target.KindFull, syscall.EDQUOT: target.KindFull,
		syscall.EACCES: target.KindDenied, syscall.EPERM: target.KindDenied, syscall.EROFS: target.KindDenied,
		syscall.ENAMETOOLONG: target.KindInvalid, syscall.EFBIG: target.KindInvalid, syscall.ENOTDIR: target.KindInvalid,
		syscall.EIO: target.KindUnavailable, syscall.ESTALE: target.KindUnavailable, syscall.EMFILE: target.KindUnavailable,
		syscall.ENOENT: target.KindUnknown, syscall.EEXIST: target.KindUnknown,
	} {
		if got := kindOf(&fs.PathError{Op: "x", Err: errno}); got != want {
			t.Errorf("%v is %v, want %v", errno, got, want)
		}
	}
}
