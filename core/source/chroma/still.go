package chroma

import (
	"path/filepath"
	"time"

	"github.com/atocore/holdfast/core/source"
)

// FrozenAt is the stream of a copy that was not captured here: the persistence directory dir, which nobody may
// write to. It keeps every file, those of directories that belong to no collection included, but no journal or
// log of the database. The error is a Fault for a link, a device, or a name that could not be restored.
func FrozenAt(dir string) (*source.Frozen, error) {
	all, err := scan(dir, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	names := newNameSet()
	var members []member
	for _, name := range files(all) {
		if err := names.add(name); err != nil {
			return nil, special(filepath.Join(dir, name), "cannot be kept: "+err.Error())
		}
		st := all[name]
		members = append(members, member{name: name, size: st.Size, mtime: time.Unix(0, st.Mtime)})
	}
	ps, err := parts(dir, members)
	if err != nil {
		return nil, err
	}
	return &source.Frozen{ChunkSize: chunkSize, Path: dir, Parts: ps}, nil
}
