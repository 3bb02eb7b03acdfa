package local

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// errHeld says that another process holds the lock of a temporary file.
var errHeld = errors.New("locked by another process")

// lock marks a new temporary file as its writer's for as long as the writer
// lives. If RemoveStale was faster, the file is as good as removed, and the
// error is fs.ErrNotExist: write another one. A file system without locks is
// fine: RemoveStale cannot lock there either, and leaves every file alone. The
// lock ends when the finished file is closed, just before it gets its name; a
// put whose temporary file is taken away in this moment begins anew.
func lock(f *os.File) error {
	err := tryLock(f)
	if errors.Is(err, errHeld) {
		return fs.ErrNotExist
	}
	return nil
}

// tryLock takes the lock of f without waiting, or fails with errHeld.
func tryLock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lerr error
	if err := conn.Control(func(fd uintptr) { lerr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) }); err != nil {
		return err
	}
	if errors.Is(lerr, unix.EWOULDBLOCK) {
		return errHeld
	}
	return lerr
}
