package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/atocore/holdfast/core/target"
)

// publish gives a finished temporary file its name, which must be free
// (fs.ErrExist), and leaves no temporary name behind.
func (t *Target) publish(d *os.Root, temp, name string) error {
	err := t.at(stepLink, name)
	if err == nil {
		err = d.Link(temp, name)
	}
	switch {
	case err == nil:
		if t.at(stepUnlink, temp) == nil {
			_ = d.Remove(temp) // if it stays, it is one more link to the same bytes, and stale
		}
		return nil
	case !noLinks(err):
		return err
	}
	rerr := t.at(stepRename, name)
	if rerr == nil {
		rerr = renameNoReplace(d, temp, name)
	}
	if rerr == nil || errors.Is(rerr, fs.ErrExist) || errors.Is(rerr, fs.ErrNotExist) {
		return rerr
	}
	if noRename(rerr) {
		return &target.Error{Op: "put", Kind: target.KindInvalid, Err: fmt.Errorf("the file system knows neither hard links nor renaming without replacing, so two writers could not be kept apart: use another one (%w)", errors.Join(err, rerr))}
	}
	return rerr
}

// noLinks tells whether a file system refused a hard link as such.
func noLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || unsupported(err)
}

// noRename tells whether a file system refused the flag of renameat2 as such.
func noRename(err error) bool {
	return errors.Is(err, syscall.EINVAL) || unsupported(err)
}

func unsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOSYS) ||
		errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP)
}
