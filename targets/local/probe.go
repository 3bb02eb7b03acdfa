package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/atocore/holdfast/core/target"
)

// Probe finds out whether files can get their names safely on this file system,
// by making and removing temporary files in the root. A file system that has
// neither hard links nor renaming without replacing, or that lets a second
// writer take a name that is taken, is ErrInvalid.
func (t *Target) Probe(ctx context.Context) error {
	if err := t.ready(ctx, "probe", ""); err != nil {
		return err
	}
	if err := t.probe(); err != nil {
		return fail("probe", "", fmt.Errorf("directory %s: %w", t.path, err))
	}
	return nil
}

func (t *Target) probe() error {
	var final string
	for i := range 2 {
		temp, f, err := t.createTemp(t.root)
		if err != nil {
			return err
		}
		defer func() { _, _ = t.root.Remove(temp), f.Close() }() // gone already, if it was renamed
		if i == 0 {
			final = temp + "-final"
			defer func() { _ = t.root.Remove(final) }()
		}
		err = t.publish(t.root, temp, final)
		switch {
		case i == 0 && err != nil:
			return err
		case i == 1 && err == nil:
			return &target.Error{Op: "probe", Kind: target.KindInvalid, Err: errors.New("the file system let a second file take a name that was taken")}
		case i == 1 && !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	return nil
}

// RemoveStale removes the temporary files of writers that are dead, with the
// directories that this leaves empty, and returns how many files there were. A file whose lock is held belongs to a living writer, on
// any host if the file system shares its locks, and is left alone.
func (t *Target) RemoveStale(ctx context.Context) (int, error) {
	const op = "sweep"
	if err := t.ready(ctx, op, ""); err != nil {
		return 0, err
	}
	n, err := t.removeStale(ctx, t.root)
	if err != nil {
		return n, fail(op, "", err)
	}
	return n, nil
}

func (t *Target) removeStale(ctx context.Context, d *os.Root) (int, error) {
	f, err := d.Open(".")
	if err != nil {
		return 0, err
	}
	entries, err := f.ReadDir(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	removed := 0
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		n := 0
		switch {
		case e.IsDir() && target.CheckKey(e.Name()) == nil:
			sub, serr := d.OpenRoot(e.Name())
			if err = serr; err == nil {
				n, err = t.removeStale(ctx, sub)
				err = errors.Join(err, sub.Close())
			}
			if n > 0 {
				_ = removeDir(d, e.Name()) // if nothing else is in it
			}
		case e.Type().IsRegular() && strings.HasPrefix(e.Name(), tempPrefix):
			n, err = removeIfStale(d, e.Name())
		}
		removed += n
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
	}
	return removed, nil
}

func removeIfStale(d *os.Root, name string) (int, error) {
	f, err := d.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	if err := tryLock(f); err != nil {
		return 0, nil // a living writer's, or a file system without locks
	}
	if err := d.Remove(name); err != nil {
		return 0, err
	}
	return 1, nil
}
