package archive

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of index.proto, in a form that can be checked before anything is allocated and that
// has one encoding only: each field exactly once, in order, zero values included, shortest varints.

type indexHeader struct {
	format, chunkSize uint64
	baseSHA256        []byte
	baseChunks        uint64
}

// segment holds columns. Slices that decode returns are reused by its next call.
type segment struct {
	copyFrom, copyCount, newCount               []uint64
	ids                                         []byte
	length, frame, offset                       []uint64
	volumes                                     []byte
	frameVolume, frameOffset, frameSt, frameRaw []uint64
}

type trailer struct {
	chunks, parts, size uint64
	sha256              []byte
}

// Bounds of the messages.
const (
	segmentChunks = 16384
	maxRecord     = 4 << 20 // bytes of one field of Index
	maxName       = 1024    // bytes of a part's name
	maxOffset     = 1<<53 - 1
)

// coder walks the fields of a message in order; it either appends them or takes them off.
type coder struct {
	b      []byte
	encode bool
	num    protowire.Number
	err    error
}

func (c *coder) fail(id, format string, args ...any) {
	if c.err == nil {
		c.err = bad(id, "field %d: "+format, append([]any{c.num}, args...)...)
	}
}

// tag begins the next field.
func (c *coder) tag(t protowire.Type) bool {
	c.num++
	if c.err != nil {
		return false
	}
	if c.encode {
		c.b = protowire.AppendTag(c.b, c.num, t)
		return true
	}
	v, ok := c.varint()
	if ok && v != protowire.EncodeTag(c.num, t) {
		c.fail(BadField, "there is tag %d", v)
	}
	return c.err == nil
}

// varint takes a shortest-form varint off.
func (c *coder) varint() (uint64, bool) {
	v, n := protowire.ConsumeVarint(c.b)
	switch {
	case protowire.ParseError(n) == io.ErrUnexpectedEOF:
		c.fail(Truncated, "it ends within an integer")
		return 0, false
	case n < 0 || n != protowire.SizeVarint(v):
		c.fail(BadVarint, "an integer is not in its shortest form")
		return 0, false
	}
	c.b = c.b[n:]
	return v, true
}

func (c *coder) uint(v *uint64) {
	if !c.tag(protowire.VarintType) {
		return
	}
	if c.encode {
		c.b = protowire.AppendVarint(c.b, *v)
	} else {
		*v, _ = c.varint()
	}
}

// bytes codes a field of at most most bytes; decoding aliases the input.
func (c *coder) bytes(v *[]byte, most int) {
	if !c.tag(protowire.BytesType) {
		return
	}
	if c.encode {
		c.b = protowire.AppendBytes(c.b, *v)
		return
	}
	n, ok := c.varint()
	if !ok {
		return
	}
	if n > uint64(most) {
		c.fail(TooLong, "%d bytes where at most %d can be", n, most)
		return
	}
	if n > uint64(len(c.b)) {
		c.fail(Truncated, "%d bytes where %d are left", n, len(c.b))
		return
	}
	*v, c.b = c.b[:n:n], c.b[n:]
}

// packed codes a column of at most most integers.
func (c *coder) packed(v *[]uint64, most int) {
	if c.encode {
		var b []byte
		for _, x := range *v {
			b = protowire.AppendVarint(b, x)
		}
		c.bytes(&b, len(b))
		return
	}
	var b []byte
	c.bytes(&b, maxRecord)
	if c.err != nil {
		return
	}
	*v = (*v)[:0]
	in := coder{b: b, num: c.num}
	for len(in.b) > 0 {
		x, ok := in.varint()
		if !ok {
			c.err = in.err
			return
		}
		if len(*v) == most {
			c.fail(TooLong, "more than %d numbers", most)
			return
		}
		*v = append(*v, x)
	}
}

func (c *coder) end() error {
	if c.err == nil && !c.encode && len(c.b) > 0 {
		c.err = bad(BadField, "%d bytes behind the last field", len(c.b))
	}
	return c.err
}

func (h *indexHeader) fields(c *coder) {
	c.uint(&h.format)
	c.uint(&h.chunkSize)
	c.bytes(&h.baseSHA256, 32)
	c.uint(&h.baseChunks)
}

func (s *segment) fields(c *coder) {
	c.packed(&s.copyFrom, segmentChunks)
	c.packed(&s.copyCount, segmentChunks)
	c.packed(&s.newCount, segmentChunks)
	c.bytes(&s.ids, segmentChunks*len(ID{}))
	c.packed(&s.length, segmentChunks)
	c.packed(&s.frame, segmentChunks)
	c.packed(&s.offset, segmentChunks)
	c.bytes(&s.volumes, segmentChunks*len(VolumeID{}))
	c.packed(&s.frameVolume, segmentChunks)
	c.packed(&s.frameOffset, segmentChunks)
	c.packed(&s.frameSt, segmentChunks)
	c.packed(&s.frameRaw, segmentChunks)
}

func (p *wirePart) fields(c *coder) {
	c.bytes(&p.name, maxName)
	c.uint(&p.first)
	c.uint(&p.count)
	c.uint(&p.skip)
	c.uint(&p.size)
}

type wirePart struct {
	name                     []byte
	first, count, skip, size uint64
}

func (t *trailer) fields(c *coder) {
	c.uint(&t.chunks)
	c.uint(&t.parts)
	c.uint(&t.size)
	c.bytes(&t.sha256, 32)
}

type message interface{ fields(*coder) }

// encodeMessage appends m to dst.
func encodeMessage(dst []byte, m message) []byte {
	c := coder{b: dst, encode: true}
	m.fields(&c)
	return c.b
}

// decodeMessage reads all of b into m.
func decodeMessage(b []byte, m message) error {
	c := coder{b: b}
	m.fields(&c)
	return c.end()
}

// newChunks is the number of chunks that the segment describes itself.
func (s *segment) newChunks() int { return len(s.ids) / len(ID{}) }

func (s *segment) reset() {
	*s = segment{
		s.copyFrom[:0], s.copyCount[:0], s.newCount[:0], s.ids[:0], s.length[:0], s.frame[:0], s.offset[:0],
		s.volumes[:0], s.frameVolume[:0], s.frameOffset[:0], s.frameSt[:0], s.frameRaw[:0],
	}
}
