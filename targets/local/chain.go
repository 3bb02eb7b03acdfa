package local

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// chain is the open directories from the root (index 0) down to the one that
// holds an object. The root is the target's own and stays open.
type chain []*os.Root

func (c chain) last() *os.Root { return c[len(c)-1] }

func (c chain) close() {
	for _, d := range c[1:] {
		_ = d.Close() // opened for reading: nothing can be lost
	}
}

// openChain opens dir, "." or a slash-separated path below the root, and makes
// what is missing of it. fs.ErrNotExist means that a deletion came in between.
func (t *Target) openChain(dir string) (chain, error) {
	c := chain{t.root}
	if dir == "." {
		return c, nil
	}
	for name := range strings.SplitSeq(dir, "/") {
		d, err := t.enter(c.last(), name)
		if err != nil {
			c.close()
			return nil, err
		}
		c = append(c, d)
	}
	return c, nil
}

// enter opens the directory name in d; it makes it if it is missing.
func (t *Target) enter(d *os.Root, name string) (*os.Root, error) {
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := t.makeDir(d, name); err != nil {
			return nil, err
		}
		info, err = d.Lstat(name)
	}
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "mkdir", Path: name, Err: errors.Join(errNotDirectory, errors.New("a component of the key is an object itself"))}
	case !info.IsDir():
		return nil, &fs.PathError{Op: "mkdir", Path: name, Err: errNotRegular}
	}
	return d.OpenRoot(name)
}

func (t *Target) makeDir(d *os.Root, name string) error {
	if err := t.at(stepMkdir, name); err != nil {
		return err
	}
	err := d.Mkdir(name, dirMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.Chmod(name, dirMode) // whatever the umask took away
}

// settle makes the names in all directories of the chain durable. Those above
// the last may have been made by a writer that died before it did so; a
// directory without changes costs next to nothing.
func (t *Target) settle(c chain) error {
	for i := len(c) - 1; i >= 0; i-- {
		if err := t.at(stepSyncDir, c[i].Name()); err != nil {
			return err
		}
		f, err := c[i].Open(".")
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// prune removes the directories above key that hold nothing.
func (t *Target) prune(key string) {
	dir, _ := split(key)
	for dir != "." {
		parent, name := split(dir)
		d, err := t.root.OpenRoot(parent)
		if err == nil {
			err = errors.Join(removeDir(d, name), d.Close())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // other objects are in it, or a writer's temporary file
		}
		dir = parent
	}
}
