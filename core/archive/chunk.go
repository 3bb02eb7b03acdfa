package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// ID names a chunk: the SHA-256 of its plain bytes.
type ID [sha256.Size]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// align divides the length of every chunk but a stream's last, and so every chunk's offset in its
// frame: database pages, tar blocks and the default chunk size are all multiples of it.
const align = 512

// batch is a run of whole chunks, read together.
type batch struct {
	data    []byte
	lengths []int
	part    int   // index of the part that all its chunks belong to
	first   int64 // position of its first chunk, counted from the part's first chunk
	ids     []ID
	hashed  chan struct{}
}

// chunker cuts the stream of parts into chunks: boundaries restart at every part and behind every
// part's header; the last chunk of a part's content holds what is left, padding included.
type chunker struct {
	parts     []source.Part
	chunkSize int
	part      int // the part being read
	first     int64
	header    bool // the part's header has been given out
	content   io.Reader
	closer    io.Closer
	left      int64 // bytes of the part's content and padding still to come
}

func newChunker(parts []source.Part, chunkSize int) (*chunker, error) {
	if chunkSize < manifest.MinChunkSize || chunkSize > manifest.MaxChunkSize || chunkSize&(chunkSize-1) != 0 {
		return nil, fmt.Errorf("chunk size %d is no power of two from %d to %d", chunkSize, manifest.MinChunkSize, manifest.MaxChunkSize)
	}
	before, named, names := "", 0, 0
	for i, p := range parts {
		last := i == len(parts)-1
		if len(p.Header) > chunkSize || len(p.Header)%align != 0 || p.Size < 0 || p.Pad < 0 || p.Pad >= align || (!last && (p.Size+p.Pad)%align != 0) {
			return nil, fmt.Errorf("part %d (%q) of the stream cannot be cut: header %d, size %d, padding %d", i, p.Name, len(p.Header), p.Size, p.Pad)
		}
		if p.Name == "" {
			continue
		}
		if !validPartName(p.Name) || p.Name <= before || p.StreamSize() == 0 {
			return nil, fmt.Errorf("part %d (%q) of the stream: its name is not one, does not come behind %q, or it is empty", i, p.Name, before)
		}
		before = p.Name
		named++
		if names += len(p.Name); named > manifest.MaxParts || names > manifest.MaxPartNames {
			return nil, fmt.Errorf("the stream has more than %d named parts, or more than %d bytes of names: an index has no room for them", manifest.MaxParts, manifest.MaxPartNames)
		}
	}
	return &chunker{parts: parts, chunkSize: chunkSize, part: -1}, nil
}

// next fills b, whose data has room for at least one chunk, with chunks of one part. It returns
// io.EOF behind the last part.
func (c *chunker) next(b *batch) error {
	b.lengths = b.lengths[:0]
	for c.part < 0 || (c.header && c.left == 0) {
		if err := c.Close(); err != nil {
			return err
		}
		c.part++
		if c.part == len(c.parts) {
			return io.EOF
		}
		if err := c.open(); err != nil {
			return err
		}
	}
	p := c.parts[c.part]
	b.part, b.first = c.part, c.first
	room := b.data[:cap(b.data)]
	if !c.header {
		c.header = true
		if len(p.Header) > 0 {
			b.data = room[:copy(room, p.Header)]
			b.lengths = append(b.lengths, len(p.Header))
			c.first++
			return nil
		}
	}
	want := min(int64(len(room)/c.chunkSize*c.chunkSize), c.left)
	b.data = room[:want]
	if _, err := io.ReadFull(c.content, b.data); err != nil {
		return fmt.Errorf("read %s: %w", partName(p), unexpectedEOF(err))
	}
	c.left -= want
	for at := int64(0); at < want; at += int64(c.chunkSize) {
		b.lengths = append(b.lengths, int(min(int64(c.chunkSize), want-at)))
	}
	c.first += int64(len(b.lengths))
	return nil
}

func (c *chunker) open() error {
	p := c.parts[c.part]
	c.first, c.header, c.left = 0, false, p.Size+p.Pad
	readers := []io.Reader{}
	if p.Size > 0 {
		f, err := p.Open()
		if err != nil {
			return fmt.Errorf("open %s: %w", partName(p), err)
		}
		c.closer = f
		readers = append(readers, io.LimitReader(f, p.Size))
	}
	if p.Pad > 0 {
		readers = append(readers, io.LimitReader(zeros{}, p.Pad))
	}
	if len(p.Header) == 0 {
		c.header = true
	}
	c.content = io.MultiReader(readers...) // a content that ends early leaves the whole short, and next says so
	return nil
}

// Close closes the part that is open.
func (c *chunker) Close() error {
	if c.closer == nil {
		return nil
	}
	err := c.closer.Close()
	c.closer = nil
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func partName(p source.Part) string {
	if p.Name == "" {
		return "the staged copy"
	}
	return p.Name
}

func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
