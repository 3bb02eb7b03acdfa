package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// ErrNoTree: the directory is not there, or holds no snapshot of the original tool.
var ErrNoTree = errors.New("no snapshots of the original tool")

// Tree is the original's folder of snapshots.
type Tree struct {
	Dir         string   // absolute
	Stamps      []string // what is named by a stamp, oldest first
	Unparseable []string // all other names in it, sorted

	root *os.Root
}

// Find opens the folder of snapshots at dir: dir itself when anything in it is named by a stamp, else the
// folder snapshots in it. The error Is ErrNoTree when there is no stamp in either. The caller closes the tree.
func Find(dir string) (*Tree, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{abs, filepath.Join(abs, "snapshots")} {
		t, err := read(d)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", d, err)
		case len(t.Stamps) > 0:
			return t, nil
		default:
			if err := t.Close(); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("%w in %s, nor in a folder snapshots there: want folders with names such as 20260411T094646Z", ErrNoTree, abs)
}

// Close lets the folder go.
func (t *Tree) Close() error { return t.root.Close() }

func read(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	t := &Tree{Dir: dir, root: root}
	for _, e := range entries { // sorted by name
		if _, ok := parseStamp(e.Name()); ok {
			t.Stamps = append(t.Stamps, e.Name())
		} else {
			t.Unparseable = append(t.Unparseable, e.Name())
		}
	}
	slices.Sort(t.Stamps)
	return t, nil
}

// parseStamp reads a folder's name: %Y%m%dT%H%M%SZ, a moment that exists.
func parseStamp(name string) (time.Time, bool) {
	id, err := manifest.ParseID(name + "-00000000")
	return id.Time(), err == nil
}
