package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Search looks, by their ids, for chunks of a stream that could not be read where they should lie: in the
// volumes of other recipes. A chunk is what its id says, so whatever a recipe claims, nothing wrong is found.
//
// It works through the stream in windows of at most 256 Ki lost chunks, of which it holds ids and places:
// about 32 MiB. [Search.Next] takes up a window, [Search.In] looks for what is left of it. It is for one
// goroutine.
type Search struct {
	r         *Recipe
	at, end   int64 // what is still to be taken up
	window    int   // lost chunks
	start     int64 // of the stretch, in the stream
	to        io.WriterAt
	lost      []bool // by the recipe's volumes
	want      map[ID]*wanted
	mu        sync.Mutex // guards want while In works
	Lost      Tally      // of all windows so far
	leftovers Tally      // of the windows before this one
}

// Tally counts chunks of a stream.
type Tally struct {
	Chunks int64
	Bytes  int64
}

func (t *Tally) add(u Tally) { t.Chunks, t.Bytes = t.Chunks+u.Chunks, t.Bytes+u.Bytes }

// wanted is a chunk: all of its places in the window.
type wanted struct {
	length int
	at     []int64 // in what is written to
}

func (w *wanted) tally() Tally {
	return Tally{int64(len(w.at)), int64(len(w.at)) * int64(w.length)}
}

// searchWindow is how many lost chunks are searched for at a time.
const searchWindow = 1 << 18

// searchRounds bounds how many of the places of a chunk in one recipe are tried.
const searchRounds = 3

// NewSearch begins a search for those chunks from, up to end (0 means all), that lie in lost volumes. What is found
// is written to its place in the stream less that of from; with a nil to it is only verified.
func NewSearch(r *Recipe, from, end int64, to io.WriterAt, lost func(VolumeID) bool) (*Search, error) {
	if end == 0 {
		end = r.count
	}
	s := &Search{r: r, at: from, end: end, to: to, window: searchWindow}
	for _, v := range r.Volumes {
		s.lost = append(s.lost, lost(v))
	}
	if from < end {
		first, err := r.cursor().one(from)
		if err != nil {
			return nil, err
		}
		s.start = first.At
	}
	return s, nil
}

// Next takes up the next window and reports whether there is one. What was left of the one before is given up.
func (s *Search) Next() (bool, error) {
	s.leftovers.add(s.left())
	s.want = map[ID]*wanted{}
	c := s.r.cursor()
	for n := 0; s.at < s.end && n < s.window; s.at++ {
		e, err := c.at(s.at)
		if err != nil {
			return false, err
		}
		if !s.lost[s.r.Frames[e.Frame].Volume] {
			continue
		}
		w := s.want[e.ID]
		if w == nil {
			w = &wanted{length: int(e.Length)}
			s.want[e.ID] = w
		}
		w.at = append(w.at, e.At-s.start)
		s.Lost.add(Tally{1, int64(e.Length)})
		n++
	}
	return len(s.want) > 0, nil
}

// Done reports whether nothing of the window is left.
func (s *Search) Done() bool { return len(s.want) == 0 }

// Left is what was not found: of this window and of all before it.
func (s *Search) Left() Tally {
	t := s.leftovers
	t.add(s.left())
	return t
}

func (s *Search) left() (t Tally) {
	for _, w := range s.want {
		t.add(w.tally())
	}
	return t
}

// In looks for what is left of the window where a recipe says that chunks lie, frame by frame. Frames that
// are damaged or missing are passed over; the error is for a target that could not be asked, or a place that could
// not be written to. What was found before it counts all the same.
func (s *Search) In(ctx context.Context, r *Recipe, open Opener) (found Tally, err error) {
	failed := map[uint32]bool{}
	for round := 0; round < searchRounds && !s.Done(); round++ {
		frames, err := s.frames(r, failed)
		if err != nil || len(frames) == 0 {
			return found, err
		}
		before := s.left()
		if err = s.read(ctx, r, open, frames, failed); err != nil {
			err = fmt.Errorf("look for chunks: %w", err)
		}
		after := s.left()
		found.add(Tally{before.Chunks - after.Chunks, before.Bytes - after.Bytes})
		if err != nil || len(failed) == 0 {
			return found, err
		}
	}
	return found, nil
}

// frames groups the places of wanted chunks by frame, in the order of reading. One that failed is not tried
// again: a stream may have the same chunk in several.
func (s *Search) frames(r *Recipe, failed map[uint32]bool) (all [][]Entry, err error) {
	by := map[uint32][]Entry{}
	seen := map[ID]bool{}
	err = r.each(func(_ int64, e Entry) error {
		if s.want[e.ID] != nil && !seen[e.ID] && !failed[e.Frame] {
			seen[e.ID] = true
			by[e.Frame] = append(by[e.Frame], e)
		}
		return nil
	})
	for _, entries := range by {
		all = append(all, entries)
	}
	slices.SortFunc(all, func(a, b []Entry) int {
		x, y := r.Frames[a[0].Frame], r.Frames[b[0].Frame]
		return cmp.Or(cmp.Compare(x.Volume, y.Volume), cmp.Compare(x.Offset, y.Offset))
	})
	return all, err
}

// read fetches frames and takes wanted chunks from them.
func (s *Search) read(ctx context.Context, r *Recipe, open Opener, frames [][]Entry, failed map[uint32]bool) error {
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan []Entry)
	g.Go(func() error {
		defer close(next)
		for _, f := range frames {
			if err := send(ctx, next, f); err != nil {
				return err
			}
		}
		return nil
	})
	for range min(runtime.GOMAXPROCS(0), 4, len(frames)) {
		g.Go(func() error {
			dec, err := newFrameDecoder()
			if err != nil {
				return err
			}
			defer dec.close()
			stored, raw := make([]byte, frameStored), []byte(nil)
			for entries := range next {
				n := entries[0].Frame
				f := r.Frames[n]
				err := fetchFrame(ctx, open, r.Volumes[f.Volume], f, stored)
				if err == nil {
					var out []byte
					if out, err = dec.decode(raw, stored[:f.Stored], int(f.Raw)); err == nil {
						raw = out
					} else {
						err = damage{err}
					}
				}
				if err == nil {
					err = s.take(raw, entries)
				}
				var bad damage
				switch {
				case errors.As(err, &bad):
					s.mu.Lock()
					failed[n] = true
					s.mu.Unlock()
				case err != nil:
					return err
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// fetchFrame reads one stored frame to the beginning of buf.
func fetchFrame(ctx context.Context, open Opener, v VolumeID, f Frame, buf []byte) (err error) {
	body, err := open(ctx, v, f.Offset, int64(f.Stored))
	if err != nil {
		return short(err)
	}
	_, err = io.ReadFull(body, buf[:f.Stored])
	if err != nil {
		err = short(err)
	}
	return errors.Join(err, body.Close())
}

// take verifies the chunks of a frame and writes them to their places. That one of them is not what its id says
// is damage of the frame; the others count.
func (s *Search) take(raw []byte, entries []Entry) (err error) {
	for _, e := range entries {
		chunk := raw[e.Offset : e.Offset+e.Length]
		if sha256.Sum256(chunk) != e.ID {
			err = damage{fmt.Errorf("the chunk at %d does not have the id %s", e.Offset, e.ID)}
			continue
		}
		s.mu.Lock()
		w := s.want[e.ID]
		delete(s.want, e.ID)
		s.mu.Unlock()
		if s.to == nil || w == nil {
			continue
		}
		for _, at := range w.at {
			if _, err := s.to.WriteAt(chunk, at); err != nil {
				return fmt.Errorf("write the stream: %w", err)
			}
		}
	}
	return err
}
