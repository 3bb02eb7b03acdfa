package archive

import (
	"cmp"
	"math"
	"slices"
)

// Constants of the refresh rules; the simulation in the tests holds them to what they promise.
const (
	refreshLive    = 0.5      // a volume with less than this share of its bytes live is refreshed
	refreshMost    = 64       // volumes beyond those of a full archive that a component may lean on
	refreshDown    = 32       // and how many are left when it leaned on more
	refreshShare   = 20       // a snapshot refreshes at most 1/20 of the stream,
	refreshAtLeast = 16 << 20 // or this many bytes, whichever is more
	refreshAll     = math.MaxInt64
)

// ParentVolume is what is known of a volume that a parent's chunks lie in.
type ParentVolume struct {
	ID   VolumeID
	Size int64 // bytes as stored
	Raw  int64 // bytes of its chunks
	Live int64 // bytes of those that the parent uses
	Lost bool  // marked damaged, missing from the listing, or listed with another size
}

// Refresh says how many bytes of which volumes' chunks count as unknown and so are stored again:
//
//   - all of a lost volume;
//   - of volumes that are less than half live; and, when there are more than 64 volumes beyond what
//     a full archive of the stream would have, of the smallest until 32 are left. Together at most
//     1/20 of the stream, or 16 MiB, the volumes with the least live bytes first; of the last one so
//     much as the budget allows.
//
// So an old volume dies without ever being downloaded, damage heals, and no night is a spike.
func Refresh(volumes []ParentVolume, stream int64) map[VolumeID]int64 {
	plan := map[VolumeID]int64{}
	var kept []ParentVolume
	var stored float64 // what a full archive would take
	for _, v := range volumes {
		if v.Lost {
			plan[v.ID] = refreshAll
			continue
		}
		kept = append(kept, v)
		stored += float64(v.Size) * float64(v.Live) / float64(max(v.Raw, 1))
	}
	slices.SortStableFunc(kept, func(a, b ParentVolume) int { return cmp.Compare(a.Live, b.Live) })

	full := int(math.Ceil(stored / float64(VolumeSize(stream))))
	tooMany := 0
	if len(kept) > full+refreshMost {
		tooMany = len(kept) - full - refreshDown
	}
	budget := max(stream/refreshShare, refreshAtLeast)
	for i, v := range kept {
		if budget == 0 {
			break
		}
		if i < tooMany || float64(v.Live) < refreshLive*float64(v.Raw) {
			plan[v.ID] = min(v.Live, budget)
			budget -= plan[v.ID]
		}
	}
	return plan
}
