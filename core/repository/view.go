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

	repo     *Repository
	marks    map[manifest.ID][]int
	verdicts map[manifest.ID]map[int]bool
	usable   map[manifest.ID]bool
}

// View lists a set: expiry marks, verdicts, manifests, damage marks, archives. An error anywhere is an
// error: a listing is never taken for shorter than it is.
func (r *Repository) View(ctx context.Context, set string) (*View, error) {
	v := &View{
		Set: set, Archives: map[string]int64{}, Damaged: map[string]bool{}, repo: r,
		marks: map[manifest.ID][]int{}, verdicts: map[manifest.ID]map[int]bool{}, usable: map[manifest.ID]bool{},
	}
	for _, folder := range []manifest.Folder{manifest.Expired, manifest.Verdicts, manifest.Manifests, manifest.Damaged, manifest.Archives} {
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
		v.IDs = append(v.IDs, k.ID)
	case manifest.Archives:
		v.Archives[o.Key] = o.Size
	case manifest.Damaged:
		v.Damaged[manifest.ArchivePrefix(v.Set, k.ID)+k.File] = true
	case manifest.Expired:
		v.marks[k.ID] = append(v.marks[k.ID], k.N)
	case manifest.Verdicts:
		if v.verdicts[k.ID] == nil {
			v.verdicts[k.ID] = map[int]bool{}
		}
		v.verdicts[k.ID][k.N] = true
	}
}

// Usable reports whether a snapshot may be a parent: every expiry mark on it was answered with keep. A
// verdict that cannot be made out, or is gone since the listing, is no keep. It is for one goroutine.
func (v *View) Usable(ctx context.Context, id manifest.ID) (bool, error) {
	if usable, known := v.usable[id]; known {
		return usable, nil
	}
	usable := true
	for _, n := range v.marks[id] {
		if !v.verdicts[id][n] {
			usable = false
			break
		}
		b, err := v.repo.Store.GetBytes(ctx, manifest.VerdictKey(v.Set, id, n), 64)
		if err != nil && !lost(err) {
			return false, err
		}
		if verdict, err := manifest.DecodeVerdict(b); err != nil || verdict != manifest.Keep {
			usable = false
			break
		}
	}
	v.usable[id] = usable
	return usable, nil
}

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
