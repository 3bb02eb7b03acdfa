package archive

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/atocore/holdfast/core/manifest"
)

// Limits bound what an index may claim. They come from the manifest that names it.
type Limits struct {
	ChunkSize int
	Size      int64 // bytes of the stream that the index describes, at most; the caller compares Recipe.Size
	Sealed    bool  // the index was sealed: only then it may hold facts
}

// BaseLimit is how many bytes the stream of a full index may have for a stream of that size to be
// described by a patch on it. A reader can so bound the base by what the manifest says of the stream.
func BaseLimit(size int64) int64 { return max(1<<30, 16*min(size, 1<<48)) }

// maxChunks bounds a stream.
const maxChunks = 1 << 32

// ReadIndex reads an index from r, plain zstd, into a recipe in scratch space. A patch needs the recipe
// of the full index that it names and the SHA-256 of that index's plain bytes; for a full index both
// are nil. r should be verified by its hash, but nothing here relies on it: every count and length is
// checked before anything is allocated. The frames that the index uses, about 100 bytes each, and its
// parts, whose names have 16 MiB together, are held in memory; its chunks, of which a stream of
// limits.Size bytes has at most one for each 512, take 64 bytes each of scratch space.
//
// What is wrong with the bytes is a *FormatError; errors of r are wrapped.
func ReadIndex(scratch string, r io.Reader, base *Recipe, baseSHA256 *[sha256.Size]byte, limits Limits) (*Recipe, error) {
	in := &hashingReader{r: r, sum: sha256.New()}
	dec, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(2*maxRecord), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("read an index: %w", err)
	}
	defer dec.Close()
	recipe, err := newRecipe(scratch, limits.ChunkSize)
	if err != nil {
		return nil, err
	}
	x := indexReader{
		in: bufio.NewReaderSize(dec, 64<<10), recipe: recipe, base: base, baseSHA256: baseSHA256, limits: limits,
		volumes: map[VolumeID]uint32{}, frames: map[frameKey]uint32{},
	}
	if err := x.read(); err != nil {
		recipe.Close()
		if in.err != nil {
			err = in.err
		}
		return nil, fmt.Errorf("read an index: %w", err)
	}
	if recipe.full == nil {
		recipe.full = &Base{Chunks: recipe.count, Size: recipe.Size}
		in.sum.Sum(recipe.full.SHA256[:0])
	}
	return recipe, nil
}

// hashingReader hashes what is read and keeps the reader's own error, which a decompressor would reword.
type hashingReader struct {
	r   io.Reader
	sum hash.Hash
	err error
}

func (h *hashingReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}

type frameKey struct {
	volume uint32
	offset int64
}

type indexReader struct {
	in         *bufio.Reader
	buf        []byte
	recipe     *Recipe
	base       *Recipe
	baseCursor *cursor
	baseSHA256 *[sha256.Size]byte
	limits     Limits
	volumes    map[VolumeID]uint32
	frames     map[frameKey]uint32
	baseFrames []uint32 // the base's frame -> ours, plus one
	seg        segment
	segFrames  []uint32
	partNames  int // bytes
}

func (x *indexReader) read() error {
	num, b, err := x.record()
	if err != nil {
		return err
	}
	if num != fieldHeader {
		return bad(BadField, "it begins with field %d, not with a header", num)
	}
	if err := x.header(b); err != nil {
		return err
	}
	for last := fieldHeader; ; last = num {
		if num, b, err = x.record(); err != nil {
			return err
		}
		repeats := num == last && (num == fieldSegment || num == fieldPart)
		if num <= last && !repeats || num > fieldTrailer {
			return bad(BadField, "field %d behind field %d", num, last)
		}
		switch num {
		case fieldSegment:
			err = x.segment(b)
		case fieldPart:
			err = x.part(b)
		case fieldFacts:
			if !x.limits.Sealed || len(b) == 0 {
				return bad(BadFacts, "%d bytes of facts in an index that is not sealed, or none", len(b))
			}
			x.recipe.Facts = append([]byte(nil), b...)
		case fieldTrailer:
			return x.trailer(b)
		}
		if err != nil {
			return err
		}
	}
}

// record reads the next field of the Index message. Its bytes are valid until the next call.
func (x *indexReader) record() (protowire.Number, []byte, error) {
	tag, err := x.uvarint()
	if err != nil {
		return 0, nil, err
	}
	num, typ := protowire.DecodeTag(tag)
	size, err := x.uvarint()
	if err != nil {
		return 0, nil, err
	}
	if typ != protowire.BytesType {
		return 0, nil, bad(BadField, "field %d of wire type %d", num, typ)
	}
	if size > maxRecord {
		return 0, nil, bad(TooLong, "field %d of %d bytes; at most %d", num, size, maxRecord)
	}
	if uint64(cap(x.buf)) < size {
		x.buf = make([]byte, size)
	}
	x.buf = x.buf[:size]
	if _, err := io.ReadFull(x.in, x.buf); err != nil {
		return 0, nil, decoding(unexpectedEOF(err))
	}
	return num, x.buf, nil
}

// uvarint reads a varint in its shortest form.
func (x *indexReader) uvarint() (uint64, error) {
	var b []byte
	for len(b) < 10 {
		c, err := x.in.ReadByte()
		if err != nil {
			return 0, decoding(unexpectedEOF(err))
		}
		if b = append(b, c); c < 0x80 {
			break
		}
	}
	v, n := protowire.ConsumeVarint(b)
	if n != len(b) || n != protowire.SizeVarint(v) {
		return 0, bad(BadVarint, "an integer is not in its shortest form")
	}
	return v, nil
}

func (x *indexReader) header(b []byte) error {
	var h indexHeader
	if err := decodeMessage(b, &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if h.format != 1 {
		return bad(BadHeader, "index format %d", h.format)
	}
	if h.chunkSize != uint64(x.limits.ChunkSize) {
		return bad(BadHeader, "chunk size %d; the manifest says %d", h.chunkSize, x.limits.ChunkSize)
	}
	if len(h.baseSHA256) == 0 {
		if h.baseChunks != 0 || x.base != nil {
			return bad(BadBase, "a full index where a patch is expected")
		}
		return nil
	}
	if x.base == nil || x.baseSHA256 == nil {
		return bad(BadBase, "a patch where a full index is expected")
	}
	if string(h.baseSHA256) != string(x.baseSHA256[:]) || h.baseChunks != uint64(x.base.count) {
		return bad(BadBase, "a patch on another index than the one at hand")
	}
	x.recipe.full = &Base{*x.baseSHA256, x.base.count, x.base.Size}
	x.baseFrames = make([]uint32, len(x.base.Frames))
	x.baseCursor = x.base.cursor()
	return nil
}

func (x *indexReader) part(b []byte) error {
	var p wirePart
	if err := decodeMessage(b, &p); err != nil {
		return fmt.Errorf("part: %w", err)
	}
	r := x.recipe
	if err := r.flush(); err != nil {
		return err
	}
	name, after, before := string(p.name), int64(0), ""
	if n := len(r.Parts); n > 0 {
		after, before = r.Parts[n-1].First+r.Parts[n-1].Count, r.Parts[n-1].Name
	}
	if !validPartName(name) || name <= before {
		return bad(BadPart, "%q behind %q", name, before)
	}
	count := uint64(r.count)
	if x.partNames += len(name); len(r.Parts) == manifest.MaxParts || x.partNames > manifest.MaxPartNames {
		return bad(TooLong, "more than %d parts, or more than %d bytes of names", manifest.MaxParts, manifest.MaxPartNames)
	}
	if p.count == 0 || p.first < uint64(after) || p.first >= count || p.count > count-p.first {
		return bad(BadPart, "%q: %d chunks from %d on of %d", name, p.count, p.first, count)
	}
	c := r.cursor()
	first, err := c.one(int64(p.first))
	if err != nil {
		return err
	}
	last, err := c.one(int64(p.first + p.count - 1))
	if err != nil {
		return err
	}
	length := uint64(last.At + int64(last.Length) - first.At)
	if p.skip != 0 && p.skip != uint64(first.Length) || p.size > length-p.skip || length-p.skip-p.size >= align {
		return bad(BadPart, "%q: %d bytes behind %d in a part of %d", name, p.size, p.skip, length)
	}
	r.Parts = append(r.Parts, Part{name, int64(p.first), int64(p.count), int64(p.skip), int64(p.size)})
	return nil
}

func (x *indexReader) trailer(b []byte) error {
	var t trailer
	if err := decodeMessage(b, &t); err != nil {
		return fmt.Errorf("trailer: %w", err)
	}
	r := x.recipe
	if t.chunks != uint64(r.count) || t.parts != uint64(len(r.Parts)) || t.size != uint64(r.Size) || len(t.sha256) != sha256.Size {
		return bad(BadTrailer, "%d chunks, %d parts and %d bytes; there are %d, %d and %d",
			t.chunks, t.parts, t.size, r.count, len(r.Parts), r.Size)
	}
	copy(r.SHA256[:], t.sha256)
	if _, err := x.in.ReadByte(); err != io.EOF {
		if err == nil {
			return bad(TrailingData, "there are bytes behind the trailer")
		}
		return decoding(unexpectedEOF(err))
	}
	return r.flush()
}
