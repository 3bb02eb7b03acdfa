package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Notebook is a file that one kind of work keeps between its runs: a cleanup.Notebook.
type Notebook struct{ path string }

// Cleanup is what cleanups remember of a set in a target.
func (d *Dir) Cleanup(set, target string) *Notebook {
	return &Notebook{filepath.Join(d.path, "cleanup", set+"."+target+".json")}
}

// Read returns what was written last; nil when nothing was.
func (n *Notebook) Read() ([]byte, error) {
	b, err := os.ReadFile(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Write replaces it, all or nothing.
func (n *Notebook) Write(b []byte) error {
	if err := replace(n.path, b); err != nil {
		return fmt.Errorf("write %s: %w", n.path, err)
	}
	return nil
}

// replace writes a file anew, all or nothing, and makes its directory.
func replace(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
