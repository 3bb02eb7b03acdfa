package swap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Node is the identity of a file, or of a directory with everything in it.
type Node struct {
	Type   nodeType `json:"type"`
	Dev    uint64   `json:"dev"` // for people: it changes when a file system is mounted again
	Inode  uint64   `json:"inode"`
	Size   int64    `json:"size"`   // bytes; of a directory, those of all files in it
	SHA256 string   `json:"sha256"` // of a directory: over the names, types and hashes of everything in it
}

type nodeType string

const (
	file      nodeType = "file"
	directory nodeType = "directory"
	link      nodeType = "link"
	other     nodeType = "other"
)

func typeOf(m fs.FileMode) nodeType {
	switch {
	case m.IsRegular():
		return file
	case m.IsDir():
		return directory
	case m&fs.ModeSymlink != 0:
		return link
	}
	return other
}

// sameInode compares what a rename does not change and a write does not either.
func sameInode(a, b *Node) bool {
	return a != nil && b != nil && a.Inode == b.Inode && a.Type == b.Type
}

func sameContent(a, b *Node) bool {
	return a != nil && b != nil && a.Type == b.Type && a.Size == b.Size && a.SHA256 == b.SHA256
}

// glance is measure without the content. Nil: there is nothing.
func glance(path string) (*Node, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	n := &Node{Dev: st.Dev, Inode: st.Ino, Type: other}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		n.Type, n.Size = file, st.Size
	case unix.S_IFDIR:
		n.Type = directory
	case unix.S_IFLNK:
		n.Type = link
	}
	return n, nil
}

// measure reads what stands at path, to the last byte. Nil: there is nothing.
func measure(ctx context.Context, path string) (*Node, error) {
	n, err := glance(path)
	if n == nil || err != nil {
		return nil, err
	}
	if n.Type == directory {
		err = n.tree(ctx, path)
	} else {
		n.Size, n.SHA256, err = digest(ctx, path, n.Type)
	}
	return n, err
}

func (n *Node) tree(ctx context.Context, root string) error {
	h := sha256.New()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		t := typeOf(d.Type())
		size, sum, err := digest(ctx, path, t)
		n.Size += size
		fmt.Fprintf(h, "%q %s %d %s\n", rel, t, size, sum)
		return err
	})
	n.SHA256 = hex.EncodeToString(h.Sum(nil))
	return err
}

// digest returns the size and SHA-256 of a file or of where a link leads; of all else nothing.
func digest(ctx context.Context, path string, t nodeType) (int64, string, error) {
	h := sha256.New()
	switch t {
	case file:
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return 0, "", err
		}
		size, err := io.Copy(h, &contextReader{ctx, f})
		return size, hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
	case link:
		to, err := os.Readlink(path)
		h.Write([]byte(to))
		return 0, hex.EncodeToString(h.Sum(nil)), err
	}
	return 0, "", ctx.Err()
}

// stamp tells cheaply whether anything at path is written to: it is equal as long as nothing is.
func stamp(ctx context.Context, path string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if p == path && errors.Is(err, fs.ErrNotExist) {
			return fs.SkipAll
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return &fs.PathError{Op: "lstat", Path: p, Err: err}
		}
		fmt.Fprintf(h, "%q %d %d %d %v %v\n", p, st.Ino, st.Mode, st.Size, st.Mtim, st.Ctim)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
