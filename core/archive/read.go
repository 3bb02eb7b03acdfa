package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// ErrDamaged marks errors of an Opener, or of its readers, that speak of the volume itself: it is missing
// or ends early. Others, such as a target out of reach, end a Read.
var ErrDamaged = errors.New("volume is damaged")

// Opener opens a range of a volume for reading.
type Opener func(ctx context.Context, v VolumeID, offset, length int64) (io.ReadCloser, error)

// ReadOptions are what Read needs beside the recipe.
type ReadOptions struct {
	Open Opener // required
	// To receives the chunks at their offsets in the stream, less From's; nil: they are only verified.
	To io.WriterAt
	// From and End bound the chunks that are read, by their positions; End 0 means all.
	From, End int64
	Workers   int // goroutines that decode; 0: one per CPU, at most 16
	// Whole, when set, gives the stored size and SHA-256 of a volume. A volume of which nearly all is
	// needed is then read whole and verified by its hash too.
	Whole func(VolumeID) (size int64, sha256 [sha256.Size]byte)
	// All, with Whole, reads every volume whole of which anything is needed.
	All bool
	// Skip, when set, names volumes that are passed over, and with them their chunks.
	Skip func(VolumeID) bool
	// Damaged, when set, is told of each damaged volume, and reading goes on; else the first damage ends
	// it. It is called by many goroutines, at most once a volume.
	Damaged  func(VolumeID, error)
	Progress func(bytes int64) // bytes of the stream verified since the last call; called by many goroutines
}

// DamageError says that a volume's bytes are not what the index or the manifest say.
type DamageError struct {
	Volume VolumeID
	Err    error
}

func (e *DamageError) Error() string { return fmt.Sprintf("volume %s is damaged: %v", e.Volume, e.Err) }

func (e *DamageError) Unwrap() error { return e.Err }

// gap is how many unneeded bytes are read over rather than asking for another range.
const gap = 256 << 10

// Read goes through the recipe's volumes in the order of their frames: each frame that is needed is
// fetched and decoded once, its chunks are verified by their ids and written to all their places. The
// order of the stream would decode a frame once for each run of its chunks.
//
// It holds the recipe's frames, 8 bytes for each of at most 4 Mi chunks at a time, and a few MiB for
// each worker. What is wrong with a volume is a *DamageError; frames that overlap are the index's fault,
// a *FormatError, which ends reading whether Damaged is set or not.
func Read(ctx context.Context, r *Recipe, o ReadOptions) error {
	if o.End == 0 {
		o.End = r.count
	}
	if o.Workers == 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), 16)
	}
	if o.From == o.End {
		return ctx.Err()
	}
	if o.End > r.count || o.From < 0 || o.From > o.End || r.count > maxChunks {
		return fmt.Errorf("chunks %d to %d of a recipe of %d", o.From, o.End, r.count)
	}
	first, err := r.cursor().one(o.From)
	if err != nil {
		return err
	}
	d := &reader{r: r, o: o, start: first.At, bad: map[uint32]bool{}}
	for from := o.From; from < o.End; from += window {
		if d.s, err = schedule(r, from, min(o.End, from+window), o.Skip); err != nil {
			return err
		}
		if err := d.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// window is how many chunks are sorted at a time, at 8 bytes each: a frame that a stream of more than
// 16 GiB uses in several windows is decoded in each.
const window = 1 << 22

func (d *reader) read(ctx context.Context) error {
	o, s := d.o, d.s
	free := make(chan []byte, 2*o.Workers+2)
	for range cap(free) {
		free <- make([]byte, frameStored)
	}

	g, ctx := errgroup.WithContext(ctx)
	frames := make(chan storedFrame, o.Workers)
	volumes := make(chan []int)
	g.Go(func() error {
		defer close(volumes)
		for _, v := range s.volumes {
			if err := send(ctx, volumes, v); err != nil {
				return err
			}
		}
		return nil
	})
	fetchers, fetchCtx := errgroup.WithContext(ctx)
	for range min(len(s.volumes), max(2, o.Workers/2)) {
		fetchers.Go(func() error {
			for v := range volumes {
				if err := d.fetch(fetchCtx, v, free, frames); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(frames)
		return fetchers.Wait()
	})
	for range o.Workers {
		g.Go(func() error { return d.decode(ctx, free, frames) })
	}
	return g.Wait()
}

type storedFrame struct {
	n    int // in plan.frames
	data []byte
}

type reader struct {
	r     *Recipe
	o     ReadOptions
	s     *plan
	start int64

	mu  sync.Mutex
	bad map[uint32]bool // volumes that Damaged was told of
}

// fail deals with a damaged volume: nil means that reading goes on.
func (d *reader) fail(volume uint32, err error) error {
	id := d.r.Volumes[volume]
	if d.o.Damaged == nil {
		return &DamageError{id, err}
	}
	d.mu.Lock()
	told := d.bad[volume]
	d.bad[volume] = true
	d.mu.Unlock()
	if !told {
		d.o.Damaged(id, err)
	}
	return nil
}

// span is a range of a volume that holds needed frames.
type span struct {
	offset, end int64
	frames      []int
	sum         hash.Hash // of the whole volume, or nil
	want        [sha256.Size]byte
}

// fetch reads the needed frames of one volume in order and hands them on.
func (d *reader) fetch(ctx context.Context, needed []int, free chan []byte, out chan<- storedFrame) error {
	volume := d.r.Frames[d.s.frames[needed[0]]].Volume
	for _, sp := range d.spans(volume, needed) {
		if err := d.fetchSpan(ctx, volume, sp, free, out); err != nil {
			var bad damage
			if errors.As(err, &bad) {
				err = d.fail(volume, bad.error)
			}
			if err != nil {
				return err
			}
			return nil // the rest of a damaged volume is not worth a request
		}
	}
	return nil
}

func (d *reader) spans(volume uint32, needed []int) (spans []span) {
	for _, n := range needed {
		f := d.r.Frames[d.s.frames[n]]
		end := f.Offset + int64(f.Stored)
		if k := len(spans) - 1; k >= 0 && f.Offset-spans[k].end <= gap {
			spans[k].end = max(spans[k].end, end)
			spans[k].frames = append(spans[k].frames, n)
			continue
		}
		spans = append(spans, span{offset: f.Offset, end: end, frames: []int{n}})
	}
	if d.o.Whole == nil {
		return spans
	}
	size, sum := d.o.Whole(d.r.Volumes[volume])
	first, last := spans[0], spans[len(spans)-1]
	if d.o.All && last.end <= size || len(spans) == 1 && first.offset <= gap && size-last.end <= gap && last.end <= size {
		spans = []span{{offset: 0, end: size, frames: needed, sum: sha256.New(), want: sum}}
	}
	return spans
}

// damage is an error that speaks of the volume.
type damage struct{ error }

func (e damage) Unwrap() error { return e.error }

func (d *reader) fetchSpan(ctx context.Context, volume uint32, sp span, free chan []byte, out chan<- storedFrame) (err error) {
	body, err := d.o.Open(ctx, d.r.Volumes[volume], sp.offset, sp.end-sp.offset)
	if err != nil {
		return short(err)
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	var in io.Reader = body
	if sp.sum != nil {
		in = io.TeeReader(body, sp.sum)
	}
	at := sp.offset
	for _, n := range sp.frames {
		f := d.r.Frames[d.s.frames[n]]
		if f.Offset < at {
			return bad(BadPlace, "the index lets frames overlap at %d of volume %s", f.Offset, d.r.Volumes[volume])
		}
		if _, err := io.CopyN(io.Discard, in, f.Offset-at); err != nil {
			return short(err)
		}
		buf, err := receive(ctx, free)
		if err != nil {
			return err
		}
		buf = buf[:f.Stored]
		if _, err := io.ReadFull(in, buf); err != nil {
			free <- buf
			return short(err)
		}
		at = f.Offset + int64(f.Stored)
		if err := send(ctx, out, storedFrame{n, buf}); err != nil {
			return err
		}
	}
	if sp.sum == nil {
		return nil
	}
	if _, err := io.CopyN(io.Discard, in, sp.end-at); err != nil {
		return short(err)
	}
	if got := sp.sum.Sum(nil); string(got) != string(sp.want[:]) {
		return damage{fmt.Errorf("SHA-256 is %x; the manifest says %x", got, sp.want)}
	}
	return nil
}

// short turns an early end into damage; other errors are the target's.
func short(err error) error {
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return damage{errors.New("it is shorter than its index says")}
	case errors.Is(err, ErrDamaged):
		return damage{err}
	}
	return err
}

func (d *reader) decode(ctx context.Context, free chan []byte, in <-chan storedFrame) error {
	dec, err := newFrameDecoder()
	if err != nil {
		return err
	}
	defer dec.close()
	c := d.r.cursor()
	var raw []byte
	for {
		sf, ok := <-in
		if !ok {
			return ctx.Err()
		}
		f := d.r.Frames[d.s.frames[sf.n]]
		out, err := dec.decode(raw, sf.data, int(f.Raw))
		free <- sf.data[:cap(sf.data)]
		if err != nil {
			if err := d.fail(f.Volume, fmt.Errorf("frame at %d: %w", f.Offset, err)); err != nil {
				return err
			}
			continue
		}
		raw = out
		if err := d.place(c, f, out, d.s.uses[sf.n]); err != nil {
			return err
		}
	}
}

// place verifies the chunks of a frame and writes them to their places; chunks that follow each other
// both in the frame and in the stream are written together.
func (d *reader) place(c *cursor, f Frame, raw []byte, uses []uint64) error {
	first, last := int64(uint32(uses[0])), int64(uint32(uses[len(uses)-1]))
	entry := c.at
	if last-first > 8*int64(len(uses)) {
		entry = c.one // scattered: a page of neighbours for each would be read in vain
	}
	var run, done Entry // what is verified and not yet written; what was verified last
	var bytes int64
	write := func() error {
		if d.o.To == nil || run.Length == 0 {
			return nil
		}
		if _, err := d.o.To.WriteAt(raw[run.Offset:run.Offset+run.Length], run.At-d.start); err != nil {
			return fmt.Errorf("write the stream: %w", err)
		}
		return nil
	}
	for _, key := range uses {
		e, err := entry(int64(uint32(key)))
		if err != nil {
			return err
		}
		if done.Length != e.Length || done.Offset != e.Offset || done.ID != e.ID {
			if sha256.Sum256(raw[e.Offset:e.Offset+e.Length]) != e.ID {
				return d.fail(f.Volume, fmt.Errorf("frame at %d: the chunk at %d does not have the id %s", f.Offset, e.Offset, e.ID))
			}
			done = e
		}
		if run.Offset+run.Length == e.Offset && run.At+int64(run.Length) == e.At {
			run.Length += e.Length
		} else {
			if err := write(); err != nil {
				return err
			}
			run = e
		}
		bytes += int64(e.Length)
	}
	if err := write(); err != nil {
		return err
	}
	if d.o.Progress != nil {
		d.o.Progress(bytes)
	}
	return nil
}
