package local

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// withFD calls f with a descriptor of the directory d, for what os.Root lacks.
// f must use plain names only, which cannot lead out of d.
func withFD(d *os.Root, f func(fd int) error) error {
	dir, err := d.Open(".")
	if err != nil {
		return err
	}
	conn, err := dir.SyscallConn()
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	var ferr error
	err = conn.Control(func(fd uintptr) { ferr = f(int(fd)) })
	return errors.Join(ferr, err, dir.Close())
}

// removeDir removes the empty directory name in d. os.Root.Remove would also
// remove a file that has taken its place.
func removeDir(d *os.Root, name string) error {
	return withFD(d, func(fd int) error {
		return os.NewSyscallError("unlinkat", unix.Unlinkat(fd, name, unix.AT_REMOVEDIR))
	})
}
