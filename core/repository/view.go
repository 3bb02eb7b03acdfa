package repository

import (
	"context"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// View is what the listings of a set showed, in the order in which a create must look.
type View struct {
	Set      string
	IDs      []manifest.ID    // of all ballots that are taken, tombstones included; ascending
	Archives map[string]int64 // volumes and indexes: key -> stored size
	Damaged  map[string]bool  // archive keys that carry a damage mark
	Foreign  []string         // keys that are not a repository's; never touched

	*Marks
	manifests []target.Object // in the order of IDs
}

// View lists a set: expiry marks, verdicts, manifests, damage marks, archives. An error anywhere is an
// error: a listing is never taken for shorter than it is.
func (r *Repository) View(ctx context.Context, set string) (*View, error) {
	v := &View{Set: set, Archives: map[string]int64{}, Damaged: map[string]bool{}}
	var err error
	if v.Marks, err = r.Marks(ctx, set); err != nil {
		return nil, err
	}
	v.Foreign = v.foreign
	for _, folder := range []manifest.Folder{manifest.Manifests, manifest.Damaged, manifest.Archives} {
		for o, err := range r.Store.List(ctx, manifest.Prefix(set, folder), "") {
			if err != nil {
				return nil, err
			}
			v.add(o)
		}
	}
	return v, nil
}

// add is called in the order of the keys, and so of the ids.
func (v *View) add(o target.Object) {
	k, err := manifest.ParseKey(o.Key)
	if err != nil {
		v.Foreign = append(v.Foreign, o.Key)
		return
	}
	switch k.Folder {
	case manifest.Manifests:
		v.IDs, v.manifests = append(v.IDs, k.ID), append(v.manifests, o)
	case manifest.Archives:
		v.Archives[o.Key] = o.Size
	case manifest.Damaged:
		v.Damaged[manifest.ArchivePrefix(v.Set, k.ID)+k.File] = true
	}
}

// Manifests are the objects at the ballots, in the order of IDs.
func (v *View) Manifests() []target.Object { return v.manifests }

// Whole reports whether the listing shows an object with that size and no damage mark names it.
func (v *View) Whole(key string, size int64) bool {
	listed, ok := v.Archives[key]
	return ok && listed == size && !v.Damaged[key]
}

// Newest yields the ids in the listing from the newest to the oldest.
func (v *View) Newest(yield func(manifest.ID) bool) {
	for _, id := range slices.Backward(v.IDs) {
		if !yield(id) {
			return
		}
	}
}

// match returns the ids that begin with prefix.
func (v *View) match(prefix string) (ids []manifest.ID) {
	for _, id := range v.IDs {
		if strings.HasPrefix(string(id), prefix) {
			ids = append(ids, id)
		}
	}
	return ids
}
