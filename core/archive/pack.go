package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/source"
)

// PackOptions are what Pack needs beside the stream. All are required but Progress.
type PackOptions struct {
	Scratch  string                               // a directory for scratch files
	Workers  int                                  // goroutines that hash, and goroutines that compress
	Rand     io.Reader                            // for volume ids
	Emit     func(context.Context, *Volume) error // takes over each finished volume, in order
	Progress func(bytes int64)                    // the stream's bytes that were dealt with since the last call
}

// Packed is a stream that was taken apart.
type Packed struct {
	Size    int64
	SHA256  [sha256.Size]byte
	Raw     int64 // bytes of the chunks that were stored
	Volumes int   // volumes that were emitted
	Members []Member
}

// Close gives the scratch space of all recipes back.
func (p *Packed) Close() {
	for _, m := range p.Members {
		m.Recipe.Close()
	}
}

// Member is what one parent's successor needs.
type Member struct {
	Recipe *Recipe
	Live   map[VolumeID]int64 // bytes in use per volume, each stored chunk counted once
	Same   bool               // the stream is the parent's, chunk for chunk: its index serves again
}

// Pack cuts the stream of parts into chunks and stores those that not all parents have, in frames of
// consecutive chunks, in volumes that go to Emit. A nil parent has no chunks. Chunks are looked up in
// the parents only, never in the stream itself: without a parent the volumes hold the whole stream in
// order. The caller closes the result.
//
// The stages are goroutines that hand on a bounded number of buffers, and both ends keep their order:
//
//	read -> hash (workers) -> plan -> compress (workers) -> write
func Pack(ctx context.Context, parts []source.Part, chunkSize int, parents []*Parent, o PackOptions) (_ *Packed, err error) {
	chunks, err := newChunker(parts, chunkSize)
	if err != nil {
		return nil, err
	}
	var stream int64
	for _, p := range parts {
		stream += p.StreamSize()
	}
	if o.Workers < 1 || len(parents) == 0 {
		return nil, errors.New("pack: at least one worker and one member are needed")
	}
	p := &packer{
		o:        o,
		chunks:   chunks,
		free:     make(chan *batch, 2*o.Workers+2),
		toHash:   make(chan *batch, 2*o.Workers+2),
		hashed:   make(chan *batch, 2*o.Workers+2),
		frames:   make(chan *rawFrame, o.Workers+2),
		compress: make(chan *rawFrame, o.Workers+2),
		ordered:  make(chan *rawFrame, o.Workers+2),
		volumes:  volumeWriter{scratch: o.Scratch, rand: o.Rand, most: VolumeSize(stream)},
	}
	for range cap(p.free) {
		p.free <- &batch{data: make([]byte, 0, FrameRaw), hashed: make(chan struct{}, 1)}
	}
	for range cap(p.frames) {
		p.frames <- &rawFrame{raw: make([]byte, 0, FrameRaw), stored: make([]byte, 0, frameStored), done: make(chan struct{}, 1)}
	}
	for _, parent := range parents {
		if parent != nil && parent.recipe.ChunkSize != chunkSize {
			parent = nil // another page size: nothing matches, and a patch has the chunk size of its base
		}
		r, err := newRecipe(o.Scratch, chunkSize)
		if err != nil {
			p.close()
			return nil, err
		}
		p.members = append(p.members, newMemberPlan(parent, r))
	}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.read(ctx) })
	for range o.Workers {
		g.Go(func() error { return p.hash(ctx) })
		g.Go(func() error { return p.encode(ctx) })
	}
	g.Go(func() error { return p.plan(ctx, parts) })
	g.Go(func() error { return p.write(ctx) })
	if err := g.Wait(); err != nil {
		p.close()
		return nil, err
	}

	packed := &Packed{Size: stream, Raw: p.stored, Volumes: p.volumes.count}
	copy(packed.SHA256[:], p.sum)
	for _, m := range p.members {
		packed.Members = append(packed.Members, m.finish(p.places, packed))
	}
	for _, m := range packed.Members {
		if err := m.Recipe.flush(); err != nil {
			packed.Close()
			return nil, err
		}
	}
	return packed, nil
}

// packer holds the stages' queues. Buffers circulate: free -> toHash and hashed -> free, and
// frames -> compress and ordered -> frames.
type packer struct {
	o        PackOptions
	chunks   *chunker
	free     chan *batch
	toHash   chan *batch
	hashed   chan *batch
	frames   chan *rawFrame
	compress chan *rawFrame
	ordered  chan *rawFrame
	members  []*memberPlan
	volumes  volumeWriter
	places   []placedFrame
	count    int   // frames begun
	stored   int64 // bytes of chunks in frames
	sum      []byte
}

// rawFrame is a frame on its way.
type rawFrame struct {
	n      int
	raw    []byte
	stored []byte
	done   chan struct{}
}

type placedFrame struct {
	place
	raw int
}

func (p *packer) close() {
	for _, m := range p.members {
		m.recipe.Close()
	}
	if v := p.volumes.finish(); v != nil {
		v.Close()
	}
}

func (p *packer) read(ctx context.Context) (err error) {
	defer close(p.toHash)
	defer close(p.hashed)
	defer func() { err = errors.Join(err, p.chunks.Close()) }()
	for {
		b, err := receive(ctx, p.free)
		if err != nil {
			return err
		}
		if err := p.chunks.next(b); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := send(ctx, p.toHash, b); err != nil {
			return err
		}
		if err := send(ctx, p.hashed, b); err != nil {
			return err
		}
	}
}

func (p *packer) hash(ctx context.Context) error {
	for b := range p.toHash {
		b.ids = b.ids[:0]
		at := 0
		for _, n := range b.lengths {
			b.ids = append(b.ids, sha256.Sum256(b.data[at:at+n]))
			at += n
		}
		b.hashed <- struct{}{}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// plan decides for each chunk, in order, whether it is stored, and notes it in every recipe.
func (p *packer) plan(ctx context.Context, parts []source.Part) error {
	defer close(p.compress)
	defer close(p.ordered)
	stream := sha256.New()
	var open *rawFrame
	known := make([]knownChunk, len(p.members))
	for b := range p.hashed {
		if _, err := receive(ctx, b.hashed); err != nil {
			return err
		}
		stream.Write(b.data)
		part := parts[b.part]
		at := 0
		for i, n := range b.lengths {
			all := true
			for j, m := range p.members {
				var err error
				if known[j], err = m.find(part.Name, b.first+int64(i), b.ids[i], n); err != nil {
					return err
				}
				all = all && known[j].ok
			}
			if !all && (open == nil || len(open.raw)+n > FrameRaw) {
				if err := p.seal(ctx, open); err != nil {
					return err
				}
				var err error
				if open, err = receive(ctx, p.frames); err != nil {
					return err
				}
				open.n, open.raw = p.count, open.raw[:0]
				p.count++
			}
			for j, m := range p.members {
				var err error
				if all {
					err = m.reuse(b.ids[i], n, known[j])
				} else {
					err = m.store(b.ids[i], n, open.n, len(open.raw))
				}
				if err != nil {
					return err
				}
			}
			if !all {
				open.raw = append(open.raw, b.data[at:at+n]...)
				p.stored += int64(n)
			}
			at += n
		}
		for _, m := range p.members {
			m.part(part, b.first, len(b.lengths))
		}
		if p.o.Progress != nil {
			p.o.Progress(int64(len(b.data)))
		}
		if err := send(ctx, p.free, b); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err // the queue was closed because reading failed
	}
	p.sum = stream.Sum(nil)
	return p.seal(ctx, open)
}

func (p *packer) seal(ctx context.Context, f *rawFrame) error {
	if f == nil {
		return nil
	}
	if err := send(ctx, p.compress, f); err != nil {
		return err
	}
	return send(ctx, p.ordered, f)
}

func (p *packer) encode(ctx context.Context) error {
	enc, err := newFrameEncoder()
	if err != nil {
		return err
	}
	defer enc.close()
	for f := range p.compress {
		if f.stored, err = enc.encode(f.stored[:0], f.raw); err != nil {
			return err
		}
		f.done <- struct{}{}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) write(ctx context.Context) error {
	for f := range p.ordered {
		if _, err := receive(ctx, f.done); err != nil {
			return err
		}
		at, full, err := p.volumes.append(f.stored, len(f.raw))
		if full != nil {
			err = errors.Join(err, p.o.Emit(ctx, full))
		}
		if err != nil {
			return err
		}
		p.places = append(p.places, placedFrame{at, len(f.raw)})
		if err := send(ctx, p.frames, f); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if v := p.volumes.finish(); v != nil {
		return p.o.Emit(ctx, v)
	}
	return nil
}

func send[T any](ctx context.Context, c chan<- T, v T) error {
	select {
	case c <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func receive[T any](ctx context.Context, c <-chan T) (v T, err error) {
	select {
	case v = <-c:
		return v, nil
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}
