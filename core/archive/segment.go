package archive

// check verifies what holds within one segment: columns of equal length, runs that are joined, frames
// and volumes that are listed in the order of their first use, chunks and frames within their bounds.
func (s *segment) check(chunkSize int) error {
	if err := s.checkColumns(); err != nil {
		return err
	}
	if err := s.checkRuns(); err != nil {
		return err
	}
	if err := s.checkFrames(); err != nil {
		return err
	}
	frames, next := uint64(len(s.frameVolume)), uint64(0)
	for i, f := range s.frame {
		if f > next || f >= frames {
			return bad(BadPlace, "chunk %d: frame %d of %d, and the first %d were used before", i, f, frames, next)
		}
		if f == next {
			next++
		}
		if n, at := s.length[i], s.offset[i]; n == 0 || n > uint64(chunkSize) || at%align != 0 || at > FrameRaw || at+n > s.frameRaw[f] {
			return bad(BadPlace, "chunk %d: %d bytes at %d of a frame of %d", i, n, at, s.frameRaw[f])
		}
	}
	if next != frames {
		return bad(BadPlace, "%d frames, of which %d are used", frames, next)
	}
	return nil
}

func (s *segment) checkColumns() error {
	n, runs, frames := s.newChunks(), len(s.copyFrom), len(s.frameVolume)
	switch {
	case len(s.ids)%len(ID{}) != 0 || len(s.volumes)%len(VolumeID{}) != 0:
		return bad(BadColumns, "ids of %d bytes, volumes of %d", len(s.ids), len(s.volumes))
	case len(s.length) != n || len(s.frame) != n || len(s.offset) != n:
		return bad(BadColumns, "%d ids, %d lengths, %d frames and %d offsets of chunks", n, len(s.length), len(s.frame), len(s.offset))
	case runs == 0 || len(s.copyCount) != runs || len(s.newCount) != runs:
		return bad(BadColumns, "%d starts, %d copies and %d counts of runs", runs, len(s.copyCount), len(s.newCount))
	case len(s.frameOffset) != frames || len(s.frameSt) != frames || len(s.frameRaw) != frames:
		return bad(BadColumns, "%d volumes, %d offsets, %d and %d sizes of frames", frames, len(s.frameOffset), len(s.frameSt), len(s.frameRaw))
	}
	return nil
}

// checkRuns verifies that runs hold all new chunks, and that none could be joined with the one before.
func (s *segment) checkRuns() error {
	left := uint64(s.newChunks())
	for i, c := range s.newCount {
		from, n := s.copyFrom[i], s.copyCount[i]
		switch {
		case c > left:
			return bad(BadRun, "run %d has %d new chunks; %d are left", i, c, left)
		case n == 0 && (i > 0 || c == 0 || from != 0):
			return bad(BadRun, "run %d copies nothing", i)
		case i > 0 && s.newCount[i-1] == 0 && from == s.copyFrom[i-1]+s.copyCount[i-1]:
			return bad(BadRun, "run %d goes on where the one before ends", i)
		}
		left -= c
	}
	if left != 0 {
		return bad(BadRun, "%d new chunks are in no run", left)
	}
	return nil
}

func (s *segment) checkFrames() error {
	volumes, next := uint64(len(s.volumes)/len(VolumeID{})), uint64(0)
	for i, v := range s.frameVolume {
		if v > next || v >= volumes {
			return bad(BadPlace, "frame %d: volume %d of %d, and the first %d were used before", i, v, volumes, next)
		}
		if v == next {
			next++
		}
		if s.frameOffset[i] > maxOffset || s.frameSt[i] < frameLeast || s.frameSt[i] > frameStored || s.frameRaw[i] == 0 || s.frameRaw[i] > FrameRaw {
			return bad(BadPlace, "frame %d: offset %d, %d bytes stored, %d raw", i, s.frameOffset[i], s.frameSt[i], s.frameRaw[i])
		}
	}
	if next != volumes {
		return bad(BadPlace, "%d volumes, of which %d are used", volumes, next)
	}
	return nil
}
