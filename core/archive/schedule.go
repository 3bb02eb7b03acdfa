package archive

import (
	"cmp"
	"slices"
)

// plan is the order of reading.
type plan struct {
	frames  []uint32   // recipe's frames that are needed, by volume and offset
	uses    [][]uint64 // per needed frame: slice of keys; the low 32 bits are positions
	volumes [][]int    // per volume: its needed frames, in order of their offsets
	keys    []uint64
}

// schedule sorts the chunks from, to end by frame, but for those of volumes to skip.
func schedule(r *Recipe, from, end int64, leave func(VolumeID) bool) (*plan, error) {
	s := &plan{keys: make([]uint64, 0, end-from)}
	skip := make([]bool, len(r.Volumes))
	for i, v := range r.Volumes {
		skip[i] = leave != nil && leave(v)
	}
	c := r.cursor()
	for i := from; i < end; i++ {
		e, err := c.at(i)
		if err != nil {
			return nil, err
		}
		if skip[r.Frames[e.Frame].Volume] {
			continue
		}
		s.keys = append(s.keys, uint64(e.Frame)<<32|uint64(i))
	}
	slices.Sort(s.keys)
	for at := 0; at < len(s.keys); {
		f := uint32(s.keys[at] >> 32)
		n := at
		for n < len(s.keys) && uint32(s.keys[n]>>32) == f {
			n++
		}
		s.frames = append(s.frames, f)
		s.uses = append(s.uses, s.keys[at:n])
		at = n
	}
	order := make([]int, len(s.frames))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := r.Frames[s.frames[a]], r.Frames[s.frames[b]]
		return cmp.Or(cmp.Compare(x.Volume, y.Volume), cmp.Compare(x.Offset, y.Offset))
	})
	for i, n := range order {
		if i == 0 || r.Frames[s.frames[n]].Volume != r.Frames[s.frames[order[i-1]]].Volume {
			s.volumes = append(s.volumes, nil)
		}
		last := len(s.volumes) - 1
		s.volumes[last] = append(s.volumes[last], n)
	}
	return s, nil
}
