package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress"
	"github.com/klauspost/compress/zstd"
)

// Bounds of a frame.
const (
	// FrameRaw is how many bytes of chunks a frame holds at most.
	FrameRaw = 1 << 20
	// frameStored bounds a stored frame: what does not shrink is stored raw, with a header, a checksum
	// and three bytes for each 128 KiB block.
	frameStored = FrameRaw + 64
	// frameLeast is a magic number, a descriptor, a size of one byte, a block's header and a checksum.
	frameLeast = 4 + 1 + 1 + 3 + 4
)

// frameEncoder makes frames. It is for one goroutine.
type frameEncoder struct {
	enc   *zstd.Encoder
	dec   *frameDecoder
	check []byte
}

func newFrameEncoder() (*frameEncoder, error) {
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(FrameRaw),
		zstd.WithSingleSegment(true),
		zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("start zstd encoder: %w", err)
	}
	dec, err := newFrameDecoder()
	if err != nil {
		return nil, err
	}
	return &frameEncoder{enc: enc, dec: dec}, nil
}

func (e *frameEncoder) close() {
	e.enc.Close()
	e.dec.close()
}

// encode appends to dst one zstd frame that holds raw, with content size and checksum, and proves
// that it decodes to raw again: a compressor with a flaw must not decide what can be restored.
func (e *frameEncoder) encode(dst, raw []byte) ([]byte, error) {
	at := len(dst)
	if incompressible(raw) {
		return storeFrame(dst, raw), nil
	}
	dst = e.enc.EncodeAll(raw, dst)
	if len(dst)-at >= len(raw) {
		return storeFrame(dst[:at], raw), nil
	}
	var err error
	if e.check, err = e.dec.decode(e.check, dst[at:], len(raw)); err != nil {
		return nil, fmt.Errorf("verify a compressed frame: %w", err)
	}
	if !bytes.Equal(e.check, raw) {
		return nil, errors.New("verify a compressed frame: it does not decode to what went in")
	}
	return dst, nil
}

// incompressible looks at samples spread over b and reports whether none of them would shrink
// worth the time: encrypted and compressed blobs are stored as they are.
func incompressible(b []byte) bool {
	const sample, samples, hopeless = 4 << 10, 16, 0.02
	step := max(len(b)/samples, sample)
	for at := 0; at < len(b); at += step {
		if compress.Estimate(b[at:min(at+sample, len(b))]) > hopeless {
			return false
		}
	}
	return len(b) >= sample
}

// storeFrame appends a zstd frame of raw blocks (RFC 8878, 3.1.1): a header with single segment,
// checksum and a content size of four bytes; blocks of at most 128 KiB; the low four bytes of XXH64.
func storeFrame(dst, raw []byte) []byte {
	const descriptor = 2<<6 | 1<<5 | 1<<2
	const block = 128 << 10
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, descriptor)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(raw)))
	for rest := raw; ; {
		n := min(len(rest), block)
		header := uint32(n) << 3 // type 0: raw
		if n == len(rest) {
			header |= 1 // the last block
		}
		dst = append(dst, byte(header), byte(header>>8), byte(header>>16))
		dst = append(dst, rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			break
		}
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(xxhash.Sum64(raw)))
}

// frameDecoder opens frames. It is for one goroutine.
type frameDecoder struct{ dec *zstd.Decoder }

func newFrameDecoder() (*frameDecoder, error) {
	dec, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxWindow(FrameRaw),
		zstd.WithDecoderMaxMemory(FrameRaw),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("start zstd decoder: %w", err)
	}
	return &frameDecoder{dec}, nil
}

func (d *frameDecoder) close() { d.dec.Close() }

// decode returns the content of stored, which must be one zstd frame that declares a checksum and
// exactly size bytes; buf is used for it when it is large enough. Nothing beyond size is allocated.
func (d *frameDecoder) decode(buf, stored []byte, size int) ([]byte, error) {
	if size < 0 || size > FrameRaw {
		return nil, bad(BadFrame, "%d bytes; at most %d", size, FrameRaw)
	}
	var h zstd.Header
	if err := h.Decode(stored); err != nil {
		return nil, decoding(err)
	}
	if h.Skippable || !h.HasFCS || !h.HasCheckSum || h.DictionaryID != 0 || h.FrameContentSize != uint64(size) {
		return nil, bad(BadFrame, "the header does not declare a checksum and %d bytes", size)
	}
	if stored[4]&0x10 != 0 {
		return nil, bad(BadFrame, "the unused bit of its descriptor is set")
	}
	if err := endsFrame(stored, h); err != nil {
		return nil, err
	}
	if cap(buf) < size {
		buf = make([]byte, 0, FrameRaw)
	}
	out, err := d.dec.DecodeAll(stored, buf[:0:size])
	if err != nil {
		return nil, decoding(err)
	}
	if len(out) != size {
		return nil, bad(BadCompression, "it holds %d bytes and declares %d", len(out), size)
	}
	return out, nil
}

// endsFrame walks the headers of the blocks and verifies that the frame with header h ends where stored
// does: a decoder would go on with a frame that follows.
func endsFrame(stored []byte, h zstd.Header) error {
	at := h.HeaderSize
	for last := false; !last; {
		if len(stored)-at < 3 {
			return bad(Truncated, "the frame ends within its blocks")
		}
		b := uint32(stored[at]) | uint32(stored[at+1])<<8 | uint32(stored[at+2])<<16
		size := int(b >> 3)
		if b>>1&3 == 1 {
			size = 1 // a run of one byte
		}
		at += 3 + size
		last = b&1 == 1
	}
	switch at += 4; {
	case len(stored) < at:
		return bad(Truncated, "the frame ends before its checksum")
	case len(stored) > at:
		return bad(TrailingData, "%d bytes behind the frame", len(stored)-at)
	}
	return nil
}
