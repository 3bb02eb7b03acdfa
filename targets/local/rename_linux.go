package local

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames within d unless the new name is taken (fs.ErrExist).
func renameNoReplace(d *os.Root, from, to string) error {
	f, err := d.Open(".")
	if err != nil {
		return err
	}
	fd, err := f.SyscallConn()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	var rerr error
	err = fd.Control(func(fd uintptr) {
		rerr = unix.Renameat2(int(fd), from, int(fd), to, unix.RENAME_NOREPLACE)
	})
	if rerr != nil {
		rerr = os.NewSyscallError("renameat2", rerr)
	}
	return errors.Join(rerr, err, f.Close())
}
