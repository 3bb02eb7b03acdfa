package state

import (
	"os"
	"path/filepath"

	"github.com/atocore/holdfast/core/manifest"
)

// Manifests are the bodies of manifests that were read before: a repository.Cache, and a memory of which
// snapshots there were. What cannot be read or written is not there, as in any cache; whoever reads an
// entry checks it.
type Manifests struct{ root string }

// Manifests returns those of all repositories. Nothing is made until one is put, and nothing is put where there is
// no state directory.
func (d *Dir) Manifests() *Manifests { return &Manifests{d.path} }

func (m *Manifests) folder(repository, set string) string {
	return filepath.Join(m.root, "manifests", repository, set)
}

func (m *Manifests) path(repository, set string, id manifest.ID) string {
	return filepath.Join(m.folder(repository, set), string(id)+".json")
}

// Get implements repository.Cache.
func (m *Manifests) Get(repository, set string, id manifest.ID) []byte {
	b, err := os.ReadFile(m.path(repository, set, id))
	if err != nil {
		return nil
	}
	return b
}

// Put implements repository.Cache. A write that fails, or is cut short, leaves what no reader believes.
func (m *Manifests) Put(repository, set string, id manifest.ID, body []byte) {
	if _, err := os.Stat(m.root); err != nil {
		return
	}
	if err := os.MkdirAll(m.folder(repository, set), 0o700); err != nil {
		return
	}
	_ = os.WriteFile(m.path(repository, set, id), body, 0o600)
}

// IDs returns the snapshots of which there are entries, in order.
func (m *Manifests) IDs(repository, set string) (ids []manifest.ID) {
	entries, err := os.ReadDir(m.folder(repository, set))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name, ok := cutJSON(e.Name())
		if id, err := manifest.ParseID(name); ok && err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Drop removes the entry of a snapshot that is gone.
func (m *Manifests) Drop(repository, set string, id manifest.ID) {
	_ = os.Remove(m.path(repository, set, id))
}

func cutJSON(name string) (string, bool) {
	base := name[:len(name)-len(filepath.Ext(name))]
	return base, base+".json" == name
}
