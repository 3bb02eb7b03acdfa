package swap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
)

// plain refuses what is staged unless it is a regular file, or for Chroma a directory of nothing but files
// and directories, and complete: a database whose log stands beside it is not.
func plain(p Planned) error {
	want := file
	if p.Kind == manifest.Chroma {
		want = directory
	}
	n, err := glance(p.From)
	if err != nil {
		return err
	}
	if n == nil || n.Type != want {
		return fmt.Errorf("%s is staged at %s as a %s: %w", p.Name, p.From, want, ErrNotWhole)
	}
	database := p.From
	if want == directory {
		database = filepath.Join(p.From, chromaFile)
		err = filepath.WalkDir(p.From, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !d.Type().IsRegular() {
				err = fmt.Errorf("%s is staged, and %w: it is a %s", path, ErrUnsuitable, typeOf(d.Type()))
			}
			return err
		})
	}
	if err != nil || p.Kind == manifest.File {
		return err
	}
	for _, suffix := range sidecars {
		if n, err := glance(database + suffix); err != nil || n != nil && n.Size > 0 && suffix != "-shm" {
			return errors.Join(fmt.Errorf("%s%s is staged: %w: the database beside it needs it", database, suffix, ErrNotWhole), err)
		}
	}
	return nil
}

// own gives what is staged the owner and mode of what it replaces; see the package comment.
func own(p Planned) error {
	live, err := stat(p.Live)
	if live == nil || err != nil {
		return err
	}
	if p.Kind != manifest.Chroma {
		return dress(p.From, live)
	}
	inFile, err := stat(filepath.Join(p.Live, chromaFile))
	if err != nil {
		return err
	}
	if inFile == nil {
		like := *live
		like.Mode &= 0o666
		inFile = &like
	}
	return filepath.WalkDir(p.From, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.From, path)
		if err != nil {
			return err
		}
		like, err := stat(filepath.Join(p.Live, rel))
		if err != nil {
			return err
		}
		switch {
		case like != nil && d.IsDir() == (like.Mode&unix.S_IFMT == unix.S_IFDIR) && like.Mode&unix.S_IFMT != unix.S_IFLNK:
		case d.IsDir():
			like = live
		default:
			like = inFile
		}
		return dress(path, like)
	})
}

// stat returns nil for what is not there.
func stat(path string) (*unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return &st, nil
}

// dress gives path, which is private, the owner and mode of another.
func dress(path string, like *unix.Stat_t) error {
	now, err := stat(path)
	if err != nil {
		return err
	}
	if now == nil {
		return &fs.PathError{Op: "lstat", Path: path, Err: fs.ErrNotExist}
	}
	if now.Uid != like.Uid || now.Gid != like.Gid {
		if err := os.Lchown(path, int(like.Uid), int(like.Gid)); err != nil {
			return fmt.Errorf("the live store %w: it belongs to user %d and group %d: %w; nothing is touched; run as that user or as root", ErrUnsuitable, like.Uid, like.Gid, err)
		}
	}
	const bits = 0o7777
	if now.Mode&bits == like.Mode&bits {
		return nil
	}
	if err := unix.Chmod(path, like.Mode&bits); err != nil {
		return &fs.PathError{Op: "chmod", Path: path, Err: err}
	}
	return nil
}
