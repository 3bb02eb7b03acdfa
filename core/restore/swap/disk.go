package swap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// step does one effect, with a failpoint before and after it.
func (h Hooks) step(point string, effect func() error) error {
	if h.Fail != nil {
		if err := h.Fail(point + ":before"); err != nil {
			return fmt.Errorf("%s: %w", point, err)
		}
	}
	if err := effect(); err != nil {
		return fmt.Errorf("%s: %w", point, err)
	}
	if h.Fail != nil {
		if err := h.Fail(point + ":after"); err != nil {
			return fmt.Errorf("%s: %w", point, err)
		}
	}
	return nil
}

// mkdir makes a private directory, durably; one that is there is fine.
func (h Hooks) mkdir(point, path string) error {
	err := h.step(point, func() error {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.sync(point, filepath.Dir(path))
}

// sync makes a file, or the names in a directory, durable.
func (h Hooks) sync(point, path string) error {
	return h.step(point+" sync", func() error { return syncPath(path) })
}

func syncPath(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncTree makes a file, or a directory and the files and directories in it, durable.
func (h Hooks) syncTree(point, path string) error {
	return h.step(point+" sync", func() error {
		return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if t := typeOf(d.Type()); t != file && t != directory {
				return nil
			}
			return syncPath(p)
		})
	})
}

// relocate brings a node from one name to another that is free, and makes both directories durable. It
// is fine if it is there already, and if it has both names the first goes.
func (h Hooks) relocate(point string, n *Node, from, to string) error {
	f, err := glance(from)
	if err != nil {
		return err
	}
	t, err := glance(to)
	if err != nil {
		return err
	}
	switch arrived, departed := sameInode(t, n), !sameInode(f, n); {
	case arrived && !departed:
		err = h.step(point, func() error { return os.Remove(from) })
	case arrived:
	case t != nil:
		err = fmt.Errorf("%s: %s appeared meanwhile", point, to)
	case departed:
		err = fmt.Errorf("%s: %s is not what it was", point, from)
	default:
		err = h.step(point, func() error { return renameNew(from, to) })
	}
	if err != nil {
		return err
	}
	return h.syncNames(point, from, to)
}

// syncNames makes the directories of both names durable. One that is gone has no names to lose.
func (h Hooks) syncNames(point, from, to string) error {
	for _, side := range [...][2]string{{" to", to}, {" from", from}} {
		if err := h.sync(point+side[0], filepath.Dir(side[1])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// renameNew is a rename that replaces nothing, where the file system can promise that.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return os.Rename(from, to) // relocate has seen that the name is free
	}
	if errors.Is(err, unix.EXDEV) {
		err = fmt.Errorf("%w: %w: is it a directory of a lower layer of an overlay, as in a container's image? mount a volume there", ErrUnsuitable, err)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// lend gives a node that has the first name the second one too, if that is free and the file system
// has links.
func (h Hooks) lend(point string, n *Node, from, to string) error {
	f, err := glance(from)
	if err != nil || !sameInode(f, n) {
		return err
	}
	if t, err := glance(to); err != nil || t != nil {
		return err
	}
	err = h.step(point, func() error {
		err := os.Link(from, to)
		for _, without := range []error{unix.EPERM, unix.EOPNOTSUPP, unix.ENOSYS, unix.EMLINK, unix.EXDEV} {
			if errors.Is(err, without) {
				return nil
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return h.sync(point, filepath.Dir(to))
}

// remove removes a file, an empty directory, or with all what is in it, durably. What is gone is fine;
// a directory that is not empty and is not to go with all stays.
func (h Hooks) remove(point, path string, all bool) error {
	if n, err := glance(path); n == nil || err != nil {
		return err
	}
	err := h.step(point, func() error {
		if all {
			return os.RemoveAll(path)
		}
		if err := os.Remove(path); !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.sync(point, filepath.Dir(path))
}
