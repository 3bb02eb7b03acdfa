package local

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/atocore/holdfast/core/target"
)

var (
	errNotDirectory = errors.New("not a directory")
	errNotRegular   = errors.New("not a regular file: something other than holdfast put it there; move it away")
	errFolder       = errors.New("the key is the folder of other keys")
)

// fail makes an *target.Error for op and key of what a system call answered. A
// kind that was decided already stays.
func fail(op, key string, err error) error {
	if e, ok := err.(*target.Error); ok {
		named := *e
		named.Op, named.Key = op, key
		return &named
	}
	kind := target.KindOf(err)
	if kind == target.KindUnknown {
		kind = kindOf(err)
	}
	return &target.Error{Op: op, Key: key, Kind: kind, Err: err}
}

// kindOf maps the errors of a file system. ENOENT is not in it: only the caller
// knows whether the missing thing is the object.
func kindOf(err error) target.Kind {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return target.KindFull
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return target.KindDenied
	case errors.Is(err, errNotRegular):
		return target.KindCorrupt
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EFBIG),
		errors.Is(err, errFolder), errors.Is(err, errNotDirectory):
		return target.KindInvalid
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT),
		errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.EHOSTDOWN),
		errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM),
		errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EAGAIN):
		return target.KindUnavailable
	}
	return target.KindUnknown
}

// openError explains why the root cannot be used, and what to do.
func openError(path string, err error) error {
	e := &target.Error{Op: "open", Kind: kindOf(err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind = target.KindUnavailable
		e.Err = fmt.Errorf("directory %s does not exist: mount the disk that holds it, or run `holdfast init` to create it (%w)", path, err)
	case e.Kind == target.KindDenied:
		e.Err = fmt.Errorf("directory %s may not be used by this user: change its owner or mode (%w)", path, err)
	default:
		if e.Kind == target.KindUnknown { // os.OpenRoot's untyped "not a directory"
			e.Kind = target.KindInvalid
		}
		e.Err = fmt.Errorf("directory %s cannot be used: %w", path, err)
	}
	return e
}
