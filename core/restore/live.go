package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
)

// Live is a live store that can be replaced: a configured component.
type Live struct {
	Name   string
	Kind   manifest.Kind
	Path   string // absolute
	Format string // for kind file: "json" or ""
}

// sidecars are what SQLite keeps beside a database. A -wal and a -journal are part of its data.
var sidecars = []string{"-wal", "-shm", "-journal"}

// resolved is the store with the symbolic links of its path followed: a link stays, and what it leads
// to is replaced. The store, and directories on the way to it, need not exist; but a link that leads
// nowhere is an error, for what it should lead to may not be mounted.
func (l Live) resolved() (Live, error) {
	for at, rest := filepath.Clean(l.Path), ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			l.Path = filepath.Join(real, rest)
			return l, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return l, fmt.Errorf("component %s: %w", l.Name, err)
		}
		if fi, lerr := os.Lstat(at); lerr == nil && fi.Mode()&fs.ModeSymlink != 0 {
			to, _ := os.Readlink(at)
			return l, fmt.Errorf("component %s: %s is a symbolic link to %s, which does not exist: is it mounted? else remove the link", l.Name, at, to)
		}
	}
}

// files calls f with each file and directory that the store consists of, sidecars included; with none
// when there is no store. The path must be resolved.
func (l Live) files(f func(path string, fi fs.FileInfo) error) error {
	if l.Kind != manifest.Chroma {
		paths := []string{l.Path}
		if l.Kind == manifest.SQLite {
			for _, s := range sidecars {
				paths = append(paths, l.Path+s)
			}
		}
		for _, path := range paths {
			fi, err := os.Lstat(path)
			if err == nil {
				err = f(path, fi)
			}
			if err != nil && !absent(err) {
				return err
			}
		}
		return nil
	}
	return filepath.WalkDir(l.Path, func(path string, d fs.DirEntry, err error) error {
		if absent(err) {
			return nil
		}
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			err = f(path, fi)
		}
		if absent(err) {
			return nil
		}
		return err
	})
}

// there reports whether anything stands at the path.
func (l Live) there() (bool, error) {
	_, err := os.Lstat(l.Path)
	if absent(err) {
		return false, nil
	}
	return err == nil, err
}

// staging is where package swap makes the staging directory: beside the store, or in a directory that
// is a mount point itself.
func (l Live) staging() string {
	parent := filepath.Dir(l.Path)
	if l.Kind == manifest.Chroma && mount(l.Path) != mount(parent) && exists(l.Path) {
		return l.Path
	}
	return parent
}

// mount is the id of the mount that a path lies on; 0 when the kernel does not tell.
func mount(path string) uint64 {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st) != nil {
		return 0
	}
	return st.Mnt_id
}

// size is the number of bytes of all its files.
func (l Live) size() (n int64, err error) {
	err = l.files(func(_ string, fi fs.FileInfo) error {
		if fi.Mode().IsRegular() {
			n += fi.Size()
		}
		return nil
	})
	return n, err
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) }
