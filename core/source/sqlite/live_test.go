package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// abandoned makes a WAL database whose writer is gone without closing: -wal and -shm stand beside it.
func abandoned(t *testing.T) string {
	t.Helper()
	path, live := dbPath(t), dbPath(t)
	db := rw(t, path, "_journal_mode=WAL")
	run(t, db, "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t(v)", "INSERT INTO t VALUES('only in the log')")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.WriteFile(live+suffix, read(t, path+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return live
}

// We may be the last connection: SQLite would then checkpoint and delete the log, were we not read-only.
func TestSidecarsStay(t *testing.T) {
	path := abandoned(t)
	base, wal := read(t, path), read(t, path+"-wal")
	f := mustCapture(t, path)
	if got := query[string](t, f.Path, "SELECT v FROM t"); got != "only in the log" {
		t.Errorf("the copy holds %q", got)
	}
	if !bytes.Equal(read(t, path), base) {
		t.Error("the database was changed")
	}
	if !bytes.Equal(read(t, path+"-wal"), wal) {
		t.Error("the -wal was changed")
	}
	if _, err := os.Stat(path + "-shm"); err != nil {
		t.Error(err)
	}
}

func TestSidecarsOfLiveDatabaseStay(t *testing.T) {
	path := dbPath(t)
	db := rw(t, path, "_journal_mode=WAL")
	run(t, db, "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t(v)", "INSERT INTO t VALUES('only in the log')")
	var n int
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	// Not opened with plain file calls: this process has connections to them.
	before := stats(t, path)
	f := mustCapture(t, path)
	if got := query[string](t, f.Path, "SELECT v FROM t"); got != "only in the log" {
		t.Errorf("the copy holds %q", got)
	}
	if after := stats(t, path); before != after {
		t.Errorf("files were touched:\n%+v\n%+v", before, after)
	}
	var mode string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %s (%v)", mode, err)
	}
}

func stats(t *testing.T, path string) (s [2]struct {
	ino   uint64
	size  int64
	mtime unix.Timespec
},
) {
	t.Helper()
	for i, suffix := range []string{"", "-wal"} {
		var st unix.Stat_t
		if err := unix.Stat(path+suffix, &st); err != nil {
			t.Fatal(err)
		}
		// Not the ctime: SQLite run by root gives the -wal the owner that it has.
		s[i].ino, s[i].size, s[i].mtime = st.Ino, st.Size, st.Mtim
	}
	return s
}

// The transaction that Freeze pins is what Capture copies, whatever is committed meanwhile.
func TestCaptureIsPinned(t *testing.T) {
	ctx := context.Background()
	path := dbPath(t)
	db := rw(t, path, "_journal_mode=WAL")
	run(t, db, "CREATE TABLE t(v)", "INSERT INTO t VALUES(1)")
	s := sqlite.New("db", path)
	defer s.Close()
	if err := s.Prepare(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := s.Freeze(ctx, second); err != nil {
		t.Fatal(err)
	}
	run(t, db, "INSERT INTO t VALUES(2)", "INSERT INTO t VALUES(3)")
	f, err := s.Capture(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := query[int](t, f.Path, "SELECT count(*) FROM t"); got != 1 {
		t.Errorf("the copy has %d rows, 1 was there at the freeze", got)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := s.Freeze(ctx, second); err != nil {
		t.Fatal(err)
	}
	if f, err = s.Capture(ctx); err != nil {
		t.Fatal(err)
	}
	if got := query[int](t, f.Path, "SELECT count(*) FROM t"); got != 3 {
		t.Errorf("the second copy has %d rows, want 3", got)
	}
}

func TestFrozenRollbackBlocksCommit(t *testing.T) {
	ctx := context.Background()
	path := dbPath(t)
	make1(t, path)
	s := sqlite.New("db", path)
	defer s.Close()
	if err := errors.Join(s.Prepare(ctx, t.TempDir()), s.Freeze(ctx, second)); err != nil {
		t.Fatal(err)
	}
	db := rw(t, path, "_busy_timeout=0")
	if _, err := db.Exec("DELETE FROM t"); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("a commit beside the frozen source gave %v", err)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	run(t, db, "DELETE FROM t")
	if _, err := s.Capture(ctx); err == nil {
		t.Error("captured a thawed source")
	}
}

func TestCaptureCanceled(t *testing.T) {
	path := dbPath(t)
	make1(t, path)
	ctx, cancel := context.WithCancel(context.Background())
	s := sqlite.New("db", path)
	defer s.Close()
	if err := errors.Join(s.Prepare(ctx, t.TempDir()), s.Freeze(ctx, second)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := s.Capture(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Nobody but the database's owner may make the -shm that readers of a WAL database need.
func TestReadOnlyDirectory(t *testing.T) {
	for _, suffixes := range [][]string{{""}, {"", "-wal"}} {
		from := abandoned(t)
		dir := t.TempDir()
		for _, s := range suffixes {
			if err := os.WriteFile(dir+"/app.db"+s, read(t, from+s), 0o444); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Chmod(dir, 0o555), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		s := sqlite.New("db", dir+"/app.db")
		defer s.Close()
		if err := s.Prepare(ctx, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		var err error
		asNobody(t, func() { err = s.Freeze(ctx, second) })
		if source.ErrorID(err) != sqlite.IDSidecars || !strings.Contains(err.Error(), "let this user write") {
			t.Errorf("with %q: got %v (%s)", suffixes, err, source.ErrorID(err))
		}
	}
}

// asNobody runs f with the file permissions of another user when the test runs as root. The thread
// that was changed is thrown away.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Setfsuid(65534)
		if err == nil {
			f()
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
}

// Closing any descriptor of a file drops the process's locks on it. Two sources of one database, of
// which one comes and goes, must not take the other's away.
func TestLocksSurviveASecondSource(t *testing.T) {
	ctx := context.Background()
	path := dbPath(t)
	make1(t, path)
	a, b := sqlite.New("a", path), sqlite.New("b", path)
	defer a.Close()
	defer b.Close()
	if err := errors.Join(a.Prepare(ctx, t.TempDir()), a.Freeze(ctx, second)); err != nil {
		t.Fatal(err)
	}
	held := locks(t, path)
	if held == 0 {
		t.Fatal("a frozen source holds no lock")
	}
	for range 2 {
		if err := errors.Join(b.Prepare(ctx, t.TempDir()), b.Freeze(ctx, second), b.Thaw()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Estimate(ctx); err != nil {
			t.Fatal(err)
		}
		if now := locks(t, path); now != held {
			t.Fatalf("%d locks, and %d before the second source came and went", now, held)
		}
	}
}

// locks counts the POSIX locks that anybody has on the file.
func locks(t *testing.T, path string) (n int) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(read(t, "/proc/locks")), "\n") {
		if strings.Contains(line, "POSIX") && strings.Contains(line, fmt.Sprintf(":%d ", st.Ino)) {
			n++
		}
	}
	return n
}
