package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/config"
)

// A scratch directory is known by its name and by the marker in it. Whatever else
// lies in a staging directory is left alone, for staging_dir may be a directory
// that others use too.
const (
	scratchPrefix = ".holdfast-run-"
	scratchMarker = ".holdfast-scratch"
	scratchText   = "holdfast's scratch space; removed once its run has ended\n"
)

// scratchForm is scratchPrefix and what os.MkdirTemp puts behind it.
var scratchForm = regexp.MustCompile(`^` + regexp.QuoteMeta(scratchPrefix) + `[0-9]+$`)

// scratch makes a private directory in staging for this run alone, and returns
// what removes it. The directory is locked while its run lives, which also a
// kill ends: so directories without a living run are known, and removed here.
func scratch(staging string) (dir string, remove func() error, err error) {
	if err := os.MkdirAll(staging, 0o700); err != nil {
		return "", nil, fmt.Errorf("staging directory: %w", err)
	}
	if err := sweep(staging); err != nil {
		return "", nil, fmt.Errorf("staging directory: remove what a killed run left: %w", err)
	}
	if dir, err = os.MkdirTemp(staging, scratchPrefix); err != nil {
		return "", nil, fmt.Errorf("staging directory: %w", err)
	}
	// The lock comes before the marker: no sweep ever sees one without the other.
	lock, err := lockDir(dir)
	if err == nil {
		if err = markScratch(dir); err == nil {
			return dir, func() error { return errors.Join(discard(dir), lock.Close()) }, nil
		}
		err = errors.Join(err, lock.Close())
	}
	return "", nil, errors.Join(fmt.Errorf("staging directory: %w", err), os.RemoveAll(dir))
}

// markScratch makes dir, which is empty, known as scratch for good.
func markScratch(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, scratchMarker), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(scratchText)
	return errors.Join(err, f.Sync(), f.Close())
}

// discard removes a scratch directory, the marker last: what a kill leaves of it is
// still known.
func discard(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != scratchMarker {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(dir)
}

// scratchFor is scratch in the staging directory of c, or, without a
// configuration, a directory among the system's temporary ones.
func scratchFor(c *config.Config) (dir string, remove func() error, err error) {
	if c != nil {
		return scratch(c.StagingDir)
	}
	if dir, err = os.MkdirTemp("", "holdfast-"); err != nil {
		return "", nil, fmt.Errorf("temporary directory: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// lockDir locks a directory without waiting. A symbolic link is not followed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ours reports whether this user made dir as scratch.
func ours(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, scratchMarker), unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !own(info) {
		return false
	}
	if info, err = os.Lstat(dir); err != nil || !own(info) {
		return false
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(len(scratchText))+1))
	return err == nil && string(text) == scratchText
}

func own(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// sweep removes the scratch directories of runs that are dead.
func sweep(staging string) error {
	entries, err := os.ReadDir(staging)
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(staging, e.Name())
		if !e.IsDir() || !scratchForm.MatchString(e.Name()) || !ours(dir) {
			continue
		}
		lock, err := lockDir(dir)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, fs.ErrNotExist):
			continue // its run lives, or ended just now
		case err != nil:
			return err
		}
		err = discard(dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // another run's sweep was faster than our lock
		}
		if err := errors.Join(err, lock.Close()); err != nil {
			return err
		}
	}
	return nil
}
