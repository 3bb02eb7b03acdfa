package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/config"
)

// scratchPrefix is what the name of every scratch directory begins with. What
// else lies in a staging directory is left alone.
const scratchPrefix = "run-"

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
	for {
		dir, err := os.MkdirTemp(staging, scratchPrefix)
		if err != nil {
			return "", nil, fmt.Errorf("staging directory: %w", err)
		}
		lock, err := lockDir(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EWOULDBLOCK):
			continue // another run's sweep was faster than our lock
		case err != nil:
			return "", nil, errors.Join(fmt.Errorf("staging directory: %w", err), os.Remove(dir))
		}
		return dir, func() error { return errors.Join(os.RemoveAll(dir), lock.Close()) }, nil
	}
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

// lockDir locks a directory without waiting; a directory that was removed
// meanwhile is fs.ErrNotExist.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		_, err = os.Lstat(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes the scratch directories of runs that are dead.
func sweep(staging string) error {
	entries, err := os.ReadDir(staging)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), scratchPrefix) {
			continue
		}
		dir := filepath.Join(staging, e.Name())
		lock, err := lockDir(dir)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, fs.ErrNotExist):
			continue // its run lives, or ended just now
		case err != nil:
			return err
		}
		if err := errors.Join(os.RemoveAll(dir), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}
