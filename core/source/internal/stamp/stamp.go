// Package stamp tells whether a file is still what it was.
package stamp

import (
	"os"

	"golang.org/x/sys/unix"
)

// Stamp is what changes when a file does. A write that restores the size and the modification time
// still sets a new Ctime, and a file renamed into place has another inode.
type Stamp struct {
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime int64 // nanoseconds since 1970
}

// Of makes a Stamp of the result of a stat.
func Of(st *unix.Stat_t) Stamp {
	return Stamp{Dev: uint64(st.Dev), Ino: st.Ino, Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}
}

// OfFile stats an open file.
func OfFile(f *os.File) (Stamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Stamp{}, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return Of(&st), nil
}

// OfPath stats what is at path, following symbolic links.
func OfPath(path string) (Stamp, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Stamp{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return Of(&st), nil
}
