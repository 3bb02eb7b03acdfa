package sqlite

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/source"
)

// Claim is the exclusive lock of a live database, held without a connection to it.
type Claim struct{ f *os.File } // nil where there is no database

// NewClaim takes the locks that a connection has after `PRAGMA locking_mode=EXCLUSIVE; BEGIN
// EXCLUSIVE`, without waiting. Any other connection in WAL mode, idle ones included, and any
// transaction in rollback mode are in the way: the error then Is source.ErrBusy. Until Release no
// connection gets further than SQLITE_BUSY. In rollback mode a connection that is idle holds no lock:
// only an open descriptor tells of it.
//
// SQLite is not asked, because opening a database to write to it changes it: that rolls a hot journal
// back, and the last connection to close moves the -wal into the database and deletes it. So a claim
// leaves every byte as it is, and can be had of a file that is no database, or damaged. Where no file
// is, there is nothing to claim, and no error.
//
// The path must not be a symbolic link, and this process must have no connection to the database: to
// close the claim's descriptor is to drop the connection's locks.
func NewClaim(path string) (*Claim, error) {
	fault := func(id string, kind error, problem, next string, cause error) error {
		return &source.Fault{Path: path, ID: id, Kind: kind, Problem: problem, Next: next, Cause: cause}
	}
	f, err := os.OpenFile(path, os.O_RDWR|nonblock|unix.O_NOFOLLOW, 0)
	lock := unix.F_OFD_SETLK
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.ETXTBSY) {
		// Whoever may not write may still ask who holds a lock.
		f, err = os.OpenFile(path, os.O_RDONLY|nonblock|unix.O_NOFOLLOW, 0)
		lock = unix.F_OFD_GETLK
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return &Claim{}, nil
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, fault(IDNotADatabase, source.ErrInvalid, "is no regular file", "", err)
	case err != nil:
		return nil, fault(IDOpen, nil, "cannot be opened", "run as the application's user", err)
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(fault(IDNotADatabase, source.ErrInvalid, "is no regular file", "", err), f.Close())
	}
	// Pending, reserved and shared are 512 bytes in a row: https://www.sqlite.org/src/file/src/os.h
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: pendingByte, Len: sharedFirst + sharedSize - pendingByte}
	err = unix.FcntlFlock(f.Fd(), lock, &lk)
	taken := err == nil && (lock == unix.F_OFD_SETLK || lk.Type == unix.F_UNLCK)
	switch {
	case taken:
		return &Claim{f}, nil
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		err = fault(IDLocked, source.ErrBusy, "is in use by "+holder(f), "stop the service that uses it", nil)
	default:
		err = fault(IDLocked, nil, "cannot be locked", "does its file system have locks?", err)
	}
	return nil, errors.Join(err, f.Close())
}

// Release lets the lock go.
func (c *Claim) Release() error {
	if c == nil || c.f == nil {
		return nil
	}
	return c.f.Close()
}
