package archive

import "fmt"

// segment adds the chunks of a segment to the recipe.
func (x *indexReader) segment(b []byte) error {
	s := &x.seg
	if err := decodeMessage(b, s); err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	if err := s.check(x.limits.ChunkSize); err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	x.segFrames = x.segFrames[:0]
	for i := range s.frameVolume {
		var v VolumeID
		copy(v[:], s.volumes[int(s.frameVolume[i])*len(v):])
		f, err := x.frame(v, Frame{Offset: int64(s.frameOffset[i]), Stored: uint32(s.frameSt[i]), Raw: uint32(s.frameRaw[i])})
		if err != nil {
			return err
		}
		x.segFrames = append(x.segFrames, f)
	}
	next := 0
	for run := range s.copyFrom {
		if err := x.copy(s.copyFrom[run], s.copyCount[run]); err != nil {
			return err
		}
		for range s.newCount[run] {
			e := Entry{Base: -1, Frame: x.segFrames[s.frame[next]], Offset: uint32(s.offset[next]), Length: uint32(s.length[next])}
			if x.base == nil {
				e.Base = x.recipe.count
			}
			copy(e.ID[:], s.ids[next*len(e.ID):])
			if err := x.add(e); err != nil {
				return err
			}
			next++
		}
	}
	return nil
}

// copy takes count chunks of the base from position from on.
func (x *indexReader) copy(from, count uint64) error {
	if count == 0 {
		return nil
	}
	if x.base == nil || from >= uint64(x.base.count) || count > uint64(x.base.count)-from {
		return bad(BadRun, "%d chunks from %d on are copied from a base that has not as many", count, from)
	}
	for i := int64(from); i < int64(from+count); i++ {
		e, err := x.baseCursor.at(i)
		if err != nil {
			return err
		}
		if x.baseFrames[e.Frame] == 0 {
			f := x.base.Frames[e.Frame]
			n, err := x.frame(x.base.Volumes[f.Volume], f)
			if err != nil {
				return err
			}
			x.baseFrames[e.Frame] = n + 1
		}
		e.Frame, e.Base = x.baseFrames[e.Frame]-1, i
		if err := x.add(e); err != nil {
			return err
		}
	}
	return nil
}

// frame returns the recipe's number of a frame of volume v.
func (x *indexReader) frame(v VolumeID, f Frame) (uint32, error) {
	r := x.recipe
	n, ok := x.volumes[v]
	if !ok {
		n = uint32(len(r.Volumes))
		x.volumes[v] = n
		r.Volumes = append(r.Volumes, v)
	}
	f.Volume = n
	key := frameKey{n, f.Offset}
	if was, ok := x.frames[key]; ok {
		if r.Frames[was] != f {
			return 0, bad(BadPlace, "two frames at %d of volume %s", f.Offset, v)
		}
		return was, nil
	}
	was := uint32(len(r.Frames))
	x.frames[key] = was
	r.Frames = append(r.Frames, f)
	return was, nil
}

func (x *indexReader) add(e Entry) error {
	r := x.recipe
	if r.Size%align != 0 {
		return bad(BadSize, "a chunk behind one that ends at %d", r.Size)
	}
	if r.count == maxChunks {
		return bad(BadSize, "more than 2^32 chunks")
	}
	if int64(e.Length) > x.limits.Size-r.Size {
		return bad(BadSize, "chunks of more than the stream's %d bytes", x.limits.Size)
	}
	return r.add(e)
}
