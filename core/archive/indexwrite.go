package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/atocore/holdfast/core/manifest"
)

// Fields of the Index message.
const (
	fieldHeader protowire.Number = iota + 1
	fieldSegment
	fieldPart
	fieldFacts
	fieldTrailer
)

// Base names the full index that a patch is made on.
type Base struct {
	SHA256 [sha256.Size]byte // of its plain bytes
	Chunks int64
	Size   int64 // of the stream that it describes, bytes
}

// Index is a finished index in scratch space.
type Index struct {
	Size   int64
	SHA256 [sha256.Size]byte
	file   *os.File
}

// ReadAt implements io.ReaderAt over the plain bytes: zstd, not sealed.
func (x *Index) ReadAt(p []byte, off int64) (int, error) { return x.file.ReadAt(p, off) }

// Close gives the index's scratch space back.
func (x *Index) Close() error {
	if x == nil {
		return nil
	}
	return x.file.Close()
}

// WriteIndex writes the recipe's index into scratch space: a patch on base, or a full index when base
// is nil. Entries whose Base is not negative are copied from that position of the base, which must be
// the recipe's own (see Recipe.Base).
func WriteIndex(scratch string, r *Recipe, base *Base) (*Index, error) {
	if base != nil && (r.full == nil || *base != *r.full) {
		return nil, errors.New("write an index: the base is not the one that the recipe rests on")
	}
	f, err := scratchFile(scratch, "index")
	if err != nil {
		return nil, err
	}
	w, err := newIndexWriter(f)
	if err == nil {
		err = w.write(r, base)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write an index: %w", err)
	}
	x := &Index{Size: w.size, file: f}
	w.hash.Sum(x.SHA256[:0])
	return x, nil
}

// recordEncoder is a *zstd.Encoder.
type recordEncoder interface {
	EncodeAll(src, dst []byte) []byte
	Close() error
}

type indexWriter struct {
	w    io.Writer
	hash hash.Hash
	size int64
	enc  recordEncoder
	dec  *zstd.Decoder
	raw  []byte
	out  []byte
	back []byte // what out decodes to

	seg     segment
	volumes map[uint32]uint64 // recipe's volume -> segment's
	frames  map[uint32]uint64 // recipe's frame -> segment's
}

func newIndexWriter(w io.Writer) (*indexWriter, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(2*maxRecord), zstd.WithDecoderMaxMemory(2*maxRecord))
	if err != nil {
		return nil, err
	}
	return &indexWriter{w: w, hash: sha256.New(), enc: enc, dec: dec, volumes: map[uint32]uint64{}, frames: map[uint32]uint64{}}, nil
}

func (w *indexWriter) write(r *Recipe, base *Base) error {
	defer w.enc.Close()
	defer w.dec.Close()
	names := 0
	for _, p := range r.Parts {
		names += len(p.Name)
	}
	if len(r.Parts) > manifest.MaxParts || names > manifest.MaxPartNames {
		return fmt.Errorf("%d parts with names of %d bytes; at most %d and %d", len(r.Parts), names, manifest.MaxParts, manifest.MaxPartNames)
	}
	if err := r.flush(); err != nil {
		return err
	}
	h := indexHeader{format: 1, chunkSize: uint64(r.ChunkSize)}
	if base != nil {
		h.baseSHA256, h.baseChunks = base.SHA256[:], uint64(base.Chunks)
	}
	if err := w.field(fieldHeader, &h); err != nil {
		return err
	}
	err := r.each(func(_ int64, e Entry) error {
		if base != nil && e.Base >= 0 {
			return w.copied(e)
		}
		return w.fresh(r, e)
	})
	if err == nil {
		err = w.endSegment()
	}
	if err != nil {
		return err
	}
	for _, p := range r.Parts {
		if err := w.field(fieldPart, &wirePart{[]byte(p.Name), uint64(p.First), uint64(p.Count), uint64(p.Skip), uint64(p.Size)}); err != nil {
			return err
		}
	}
	if len(r.Facts) > 0 {
		if err := w.record(fieldFacts, r.Facts); err != nil {
			return err
		}
	}
	return w.field(fieldTrailer, &trailer{uint64(r.count), uint64(len(r.Parts)), uint64(r.Size), r.SHA256[:]})
}

// copied adds a chunk of the base: to the run before when it continues it.
func (w *indexWriter) copied(e Entry) error {
	s := &w.seg
	if n := len(s.copyFrom) - 1; n >= 0 && s.newCount[n] == 0 && s.copyFrom[n]+s.copyCount[n] == uint64(e.Base) {
		s.copyCount[n]++
		return nil
	}
	if err := w.run(uint64(e.Base)); err != nil {
		return err
	}
	s.copyCount[len(s.copyCount)-1] = 1
	return nil
}

// run begins a run, in a new segment when this one has no room.
func (w *indexWriter) run(from uint64) error {
	if len(w.seg.copyFrom) == segmentChunks {
		if err := w.endSegment(); err != nil {
			return err
		}
	}
	s := &w.seg
	s.copyFrom = append(s.copyFrom, from)
	s.copyCount = append(s.copyCount, 0)
	s.newCount = append(s.newCount, 0)
	return nil
}

// fresh adds a chunk that the index describes itself.
func (w *indexWriter) fresh(r *Recipe, e Entry) error {
	if w.seg.newChunks() == segmentChunks {
		if err := w.endSegment(); err != nil {
			return err
		}
	}
	if len(w.seg.newCount) == 0 {
		if err := w.run(0); err != nil {
			return err
		}
	}
	s := &w.seg
	s.newCount[len(s.newCount)-1]++
	s.ids = append(s.ids, e.ID[:]...)
	s.length = append(s.length, uint64(e.Length))
	s.offset = append(s.offset, uint64(e.Offset))
	f, ok := w.frames[e.Frame]
	if !ok {
		f = uint64(len(w.frames))
		w.frames[e.Frame] = f
		frame := r.Frames[e.Frame]
		v, ok := w.volumes[frame.Volume]
		if !ok {
			v = uint64(len(w.volumes))
			w.volumes[frame.Volume] = v
			s.volumes = append(s.volumes, r.Volumes[frame.Volume][:]...)
		}
		s.frameVolume = append(s.frameVolume, v)
		s.frameOffset = append(s.frameOffset, uint64(frame.Offset))
		s.frameSt = append(s.frameSt, uint64(frame.Stored))
		s.frameRaw = append(s.frameRaw, uint64(frame.Raw))
	}
	s.frame = append(s.frame, f)
	return nil
}

func (w *indexWriter) endSegment() error {
	if len(w.seg.copyFrom) == 0 {
		return nil
	}
	if err := w.field(fieldSegment, &w.seg); err != nil {
		return err
	}
	w.seg.reset()
	clear(w.volumes)
	clear(w.frames)
	return nil
}

func (w *indexWriter) field(num protowire.Number, m message) error {
	w.raw = encodeMessage(w.raw[:0], m)
	return w.record(num, w.raw)
}

// record writes one field of the Index message as a zstd frame, when that decodes to the field again: a
// compressor with a flaw must not decide what can be restored.
func (w *indexWriter) record(num protowire.Number, content []byte) error {
	if len(content) > maxRecord {
		return fmt.Errorf("field %d has %d bytes; at most %d", num, len(content), maxRecord)
	}
	raw := protowire.AppendTag(nil, num, protowire.BytesType)
	raw = protowire.AppendBytes(raw, content)
	w.out = w.enc.EncodeAll(raw, w.out[:0])
	var err error
	if w.back, err = w.dec.DecodeAll(w.out, w.back[:0]); err != nil {
		return fmt.Errorf("verify field %d: %w", num, err)
	}
	if !bytes.Equal(w.back, raw) {
		return fmt.Errorf("verify field %d: it does not decode to what went in", num)
	}
	n, err := w.w.Write(w.out)
	w.hash.Write(w.out[:n])
	w.size += int64(n)
	return err
}
