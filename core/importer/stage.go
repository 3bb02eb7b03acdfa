package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/chroma"
)

// copies stages the parts of a folder in dir and checks them there. The error is for staging that failed; what is
// wrong with the folder is in its problems, and then there are no components.
func (im *importing) copies(ctx context.Context, f *folder, dir string) (components []backup.Component, err error) {
	files, need := f.files()
	if len(f.problems) > 0 {
		return nil, nil
	}
	free, err := source.FreeSpace(im.Staging)
	if err != nil {
		return nil, fmt.Errorf("free space of the staging directory: %w", err)
	}
	if free < need {
		return nil, &source.SpaceError{Dir: im.Staging, Need: need, Free: free}
	}
	for _, c := range files {
		if err := im.copy(ctx, f, c, filepath.Join(dir, filepath.FromSlash(c.to))); err != nil {
			return nil, source.Scratch(err, im.Staging, need)
		}
	}
	if len(f.problems) > 0 {
		return nil, nil
	}
	for _, p := range f.parts {
		c, err := f.check(ctx, p, filepath.Join(dir, p.Name))
		if err != nil {
			return nil, err
		}
		components = append(components, c)
	}
	if len(f.problems) > 0 {
		return nil, nil
	}
	return components, nil
}

// stagedFile is a file to copy. Both paths have slashes.
type stagedFile struct {
	from string      // in the tree
	to   string      // in staging
	info fs.FileInfo // of from
}

// files lists what is to be copied, and how many bytes that is. Links are followed as far as the tree goes.
func (f *folder) files() (files []stagedFile, size int64) {
	for _, p := range f.parts {
		err := fs.WalkDir(f.tree.root.FS(), p.from, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := f.tree.root.Stat(name)
			if err != nil {
				return err
			}
			below := strings.TrimPrefix(name, p.from)
			switch {
			case !info.Mode().IsRegular():
				f.problem(chroma.IDSpecial, "%s is no plain file but %s", name, source.FileType(info.Mode()))
			case p.Kind == manifest.Chroma && strings.HasPrefix(below, "/chroma.sqlite3-"):
				f.journal(name)
			default:
				files = append(files, stagedFile{from: name, to: p.Name + below, info: info})
				size += info.Size()
			}
			return nil
		})
		if err != nil {
			f.problem(IDUnreadable, "%v", err)
		}
		if p.Kind == manifest.SQLite {
			f.journal(p.from + "-wal")
			f.journal(p.from + "-journal")
		}
	}
	return files, size
}

// journal looks at what may stand beside a database. Empty ones, and a -shm, say nothing.
func (f *folder) journal(name string) {
	if fi, err := f.tree.root.Stat(name); err == nil && fi.Size() > 0 && !strings.HasSuffix(name, "-shm") {
		f.problem(IDJournal, "%s holds %d bytes: the database was opened since the backup. "+
			"Move that file away to import what the original would restore, or let SQLite apply it", name, fi.Size())
	}
}

// copy copies a file that is what its info says, before and after. Its error is staging's.
func (im *importing) copy(ctx context.Context, f *folder, c stagedFile, to string) (err error) {
	from, err := f.openFile(c.from)
	if err != nil {
		f.problem(IDUnreadable, "%v", err)
		return nil
	}
	defer from.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	var unread error // tells an error of reading from one of writing
	n, err := io.Copy(dst, readFunc(func(b []byte) (n int, err error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if n, err = from.Read(b); err != nil && !errors.Is(err, io.EOF) {
			unread = err
		}
		return n, err
	}))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case unread != nil:
		f.problem(IDUnreadable, "%v", unread)
		return nil
	case err != nil:
		return err
	}
	after, err := from.Stat()
	if err != nil || n != c.info.Size() || !os.SameFile(after, c.info) || after.Size() != c.info.Size() || !after.ModTime().Equal(c.info.ModTime()) {
		f.problem(IDChanged, "%s changed while it was copied", c.from)
		return nil
	}
	im.Progress.Add("import", n, 0)
	return os.Chtimes(to, c.info.ModTime(), c.info.ModTime()) // a Chroma directory keeps its times
}

// openFile opens a file of the tree. A FIFO does not make it wait.
func (f *folder) openFile(name string) (*os.File, error) {
	return f.tree.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// readFunc implements io.Reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }
