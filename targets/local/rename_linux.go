package local

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames within d unless the new name is taken (fs.ErrExist).
func renameNoReplace(d *os.Root, from, to string) error {
	return withFD(d, func(fd int) error {
		return os.NewSyscallError("renameat2", unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE))
	})
}
