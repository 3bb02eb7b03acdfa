// Package local is the built-in target for a directory: a disk, a mounted
// share, a USB stick. An object is a file at its key's path below the root, so
// that a repository can be read with cp and cat.
//
// [Open] opens an existing directory and creates nothing; [Create] makes the
// directory and proves that its file system can do what the target needs.
//
// What it promises, and how:
//
//   - Put returns when the object is on the disk. The bytes go into a temporary
//     file in the object's own directory, are checked against length and SHA-256
//     and fsynced; the file is then linked to its name, which fails if the name
//     is taken, and the directories up to the root are fsynced. A crash at any
//     moment leaves the object whole or absent.
//   - One of several racing writers wins, in one process or in many. Without
//     hard links (FAT, some network shares) the file gets its name by
//     renameat2(RENAME_NOREPLACE); a file system with neither is refused.
//   - A written object is never replaced: a put of other bytes over it is
//     ErrExists, with and without IfAbsent.
//   - Nothing outside of the root is touched, and no symbolic link is followed
//     below it.
//   - List is complete or fails. A directory that cannot be read, or a link or
//     device under an object's name, is an error.
//
// Names outside of the key grammar are not objects: List leaves them out and
// nothing here reads or deletes them. Temporary files are such names, for they
// begin with "~". One whose writer was killed stays behind, harmless but for its
// space, until [Target.RemoveStale], which every create calls at its end, finds
// that no process holds its lock.
//
// Directories get mode 0700 and files 0600, whatever the umask. Directories
// that a deletion or a failed put leaves empty are removed. A deletion is not
// forced to the disk: after a power failure a deleted object may be back.
//
// The package needs Linux or another Unix.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/atocore/holdfast/core/target"
)

// Config says where the target lies.
type Config struct {
	Path string // absolute path of the root directory
}

// Target implements target.Target on a directory. It holds a descriptor until
// Close.
type Target struct {
	path string
	root *os.Root
	id   os.FileInfo // of the root when it was opened

	// failAt, in tests, may fail or stop the step that comes next.
	failAt func(s step, name string) error
}

var _ target.Target = (*Target)(nil)

// Open opens the directory at c.Path and creates nothing. It must exist
// (ErrUnavailable, which wraps fs.ErrNotExist: perhaps a disk is not mounted)
// and be a directory that this user may read (else ErrInvalid, ErrDenied).
func Open(c Config) (*Target, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(c.Path)
	if err != nil {
		return nil, openError(c.Path, err)
	}
	id, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(openError(c.Path, err), root.Close())
	}
	return &Target{path: c.Path, root: root, id: id}, nil
}

// Create makes the directory at c.Path, with its parents, where they are
// missing, opens it and runs Probe. An existing directory is left as it is.
func Create(ctx context.Context, c Config) (*Target, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := makeRoot(c.Path); err != nil {
		return nil, openError(c.Path, err)
	}
	t, err := Open(c)
	if err != nil {
		return nil, err
	}
	if err := t.Probe(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Close releases the directory.
func (t *Target) Close() error { return t.root.Close() }

// Info implements target.Target.
func (t *Target) Info(ctx context.Context) (target.Info, error) {
	if err := t.ready(ctx, "info", ""); err != nil {
		return target.Info{}, err
	}
	return target.Info{Name: "local", IfAbsent: true, ConsistentList: true}, nil
}

func (c Config) check() error {
	switch {
	case c.Path == "":
		return &target.Error{Op: "open", Kind: target.KindInvalid, Err: errors.New("local target: no path is configured")}
	case !filepath.IsAbs(c.Path):
		return &target.Error{Op: "open", Kind: target.KindInvalid, Err: fmt.Errorf("local target: path %q is not absolute", c.Path)}
	}
	return nil
}

// ready refuses work when ctx has ended, or when the root's path leads
// elsewhere by now: a disk that was unmounted under us would otherwise look
// like an empty repository.
func (t *Target) ready(ctx context.Context, op, key string) error {
	if err := ctx.Err(); err != nil {
		return fail(op, key, err)
	}
	now, err := os.Stat(t.path)
	if err == nil && !os.SameFile(now, t.id) {
		err = errors.New("it is another directory now")
	}
	if err != nil {
		return &target.Error{Op: op, Key: key, Kind: target.KindUnavailable, Err: fmt.Errorf("the target's directory %s went away while it was in use: is the disk still mounted? (%w)", t.path, err)}
	}
	return nil
}

// readyFor is ready for an operation on one object.
func (t *Target) readyFor(ctx context.Context, op, key string) error {
	if err := target.CheckKey(key); err != nil {
		return &target.Error{Op: op, Key: key, Kind: target.KindInvalid, Err: err}
	}
	return t.ready(ctx, op, key)
}

// makeRoot makes p and its missing parents, each durably.
func makeRoot(p string) error {
	if info, err := os.Stat(p); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: p, Err: errNotDirectory}
		}
		return nil
	}
	parent := filepath.Dir(p)
	if parent != p {
		if err := makeRoot(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(p, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Chmod(p, dirMode); err != nil { // whatever the umask took away
		return err
	}
	if err := syncPath(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err // a parent that may be crossed but not read cannot be synced
	}
	return nil
}

func syncPath(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func describe(key string, info os.FileInfo) target.Object {
	return target.Object{Key: key, Size: info.Size(), ModTime: info.ModTime()}
}

// split cuts a key into its directory, "." at the top, and its name there.
func split(key string) (dir, name string) { return path.Dir(key), path.Base(key) }
