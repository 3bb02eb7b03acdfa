package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/state"
)

// ErrNotEmpty: the directory to restore to holds something.
var ErrNotEmpty = errors.New("not a new or empty directory")

// partial is the staging directory inside the directory that is restored to. While it is there, the
// restore is not complete.
const partial = ".holdfast-partial"

// destination is a directory that one restore has claimed.
type destination struct {
	path   string
	lock   *os.File // the directory itself; ends with the process
	made   bool     // it was not there before
	placed []string // what was moved to its place
}

// claim makes the directory, or sees that it is empty, and makes the staging directory in it. What a
// killed restore left is cleared away; another restore that lives Is state.ErrLocked.
func claim(path string) (_ *destination, err error) {
	d := &destination{path: path}
	if err := os.Mkdir(path, 0o700); err == nil {
		d.made = true
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the directory to restore to: %w", err)
	}
	if d.lock, err = lockDir(path); err != nil {
		return nil, err // what is made stays: whoever holds the lock uses it
	}
	if err := d.clear(); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	if err := os.Mkdir(d.staging(), 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("make staging: %w", err), d.unmake(), d.lock.Close())
	}
	return d, nil
}

// lockDir keeps a second restore from taking the first one's staging for that of a killed one.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s is %w: %w", path, ErrNotEmpty, err)
	}
	// A file system without locks is no reason to refuse a restore.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("%s is %w, which restores to it", path, state.ErrLocked), f.Close())
	}
	return f, nil
}

// clear sees that the directory is empty, but for what a restore left that was killed before it had put
// anything in its place.
func (d *destination) clear() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("%s is %w: %w", d.path, ErrNotEmpty, err)
	}
	var other fs.DirEntry
	killed := false
	for _, e := range entries {
		if e.Name() == partial && e.IsDir() {
			killed = true
		} else {
			other = e
		}
	}
	switch {
	case other != nil && killed:
		return fmt.Errorf("%s is %w: a restore was killed when it had moved %s and perhaps more to its place; remove the directory, or name another",
			d.path, ErrNotEmpty, other.Name())
	case other != nil:
		return fmt.Errorf("%s is %w: it holds %s; name another directory", d.path, ErrNotEmpty, other.Name())
	case killed:
		if err := os.RemoveAll(d.staging()); err != nil {
			return fmt.Errorf("clear what a killed restore left: %w", err)
		}
	}
	return nil
}

func (d *destination) staging() string { return filepath.Join(d.path, partial) }

// place moves staged components to their places, durably.
func (d *destination) place(names []string) error {
	for _, name := range names {
		path := filepath.Join(d.path, name)
		if err := os.Rename(filepath.Join(d.staging(), name), path); err != nil {
			return fmt.Errorf("move %s to its place: %w", name, err)
		}
		d.placed = append(d.placed, path)
	}
	if err := syncPath(d.path); err != nil {
		return err
	}
	if err := os.Remove(d.staging()); err != nil {
		return fmt.Errorf("remove staging: %w", err)
	}
	if err := syncPath(d.path); err != nil || !d.made {
		return err
	}
	return syncPath(filepath.Dir(filepath.Clean(d.path)))
}

// release ends the claim; after a failure the directory is again as it was found.
func (d *destination) release(failure error) (err error) {
	if failure != nil {
		for _, path := range append(d.placed, d.staging()) {
			err = errors.Join(err, os.RemoveAll(path))
		}
		err = errors.Join(err, d.unmake())
	}
	return errors.Join(err, d.lock.Close())
}

func (d *destination) unmake() error {
	if !d.made {
		return nil
	}
	return os.Remove(d.path)
}

// syncTree makes a file, or a directory and all in it, durable.
func syncTree(path string) error {
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(p)
	})
}

// syncPath makes a file, or the names in a directory, durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
