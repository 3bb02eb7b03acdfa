package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

// writeVectors writes all vectors. They hold no randomness, so they change only with the format or
// with the compressor.
func writeVectors(t *testing.T) {
	if err := os.RemoveAll(vectorDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := vectorWriter{t, newTestEncoder(t)}
	w.frames()
	w.indexes()
	w.segments()
	w.patches()
	w.parts()
}

type vectorWriter struct {
	t   *testing.T
	enc *zstd.Encoder
}

// vec is a vector to be written; header holds "name: value" lines beside expect and comment.
type vec struct {
	name, expect, comment string
	header                []string
	data                  []byte
}

func (w vectorWriter) write(v vec) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "expect: %s\n", v.expect)
	for _, h := range v.header {
		b.WriteString(h + "\n")
	}
	fmt.Fprintf(&b, "comment: %s\n\n", v.comment)
	b.Write(v.data)
	path := filepath.Join(vectorDir, strings.ReplaceAll(v.name, " ", "-"))
	if _, err := os.Stat(path); err == nil {
		w.t.Fatalf("two vectors are named %s", v.name)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func newTestEncoder(t testing.TB, o ...zstd.EOption) *zstd.Encoder {
	t.Helper()
	enc, err := zstd.NewWriter(nil, append([]zstd.EOption{
		zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(true),
	}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

// page is a chunk's bytes that compress: n times the same text.
func page(n int, text string) []byte {
	return []byte(strings.Repeat(text, n/len(text)+1))[:n]
}

// noise is bytes that do not compress: a chain of hashes.
func noise(n int, seed string) []byte {
	var b []byte
	sum := sha256.Sum256([]byte(seed))
	for len(b) < n {
		b = append(b, sum[:]...)
		sum = sha256.Sum256(sum[:])
	}
	return b[:n]
}

func (w vectorWriter) frames() {
	text := page(4096, "one page of text\n")
	good := w.enc.EncodeAll(text, nil)
	frame := func(name, expect, comment string, raw []byte, size int, data []byte) {
		w.write(vec{"frame-" + name, expect, comment, []string{
			"kind: frame", fmt.Sprintf("raw: %d", size), fmt.Sprintf("sha256: %x", sha256.Sum256(raw)),
		}, data})
	}
	frame("good", "ok", "4096 bytes that compress", text, 4096, good)
	frame("good-raw", "ok", "bytes that do not compress: one raw block", noise(512, "raw"), 512, storeFrame(nil, noise(512, "raw")))
	frame("good-two-blocks", "ok", "more than 128 KiB: two raw blocks", bytes.Repeat(noise(4096, "two"), 33), 33*4096, storeFrame(nil, bytes.Repeat(noise(4096, "two"), 33)))
	frame("good-window", "ok", "a window descriptor in place of a single segment", text, 4096,
		newTestEncoder(w.t, zstd.WithSingleSegment(false), zstd.WithWindowSize(FrameRaw)).EncodeAll(page(4096, "one page of text\n"), nil))
	frame("other-size", BadFrame, "the frame declares 4096 bytes and the index says 8192", text, 8192, good)
	frame("too-large", BadFrame, "1 MiB and 512 bytes in a frame", page(FrameRaw+512, "x"), FrameRaw+512, w.enc.EncodeAll(page(FrameRaw+512, "x"), nil))
	frame("no-checksum", BadFrame, "the frame has no checksum", text, 4096, newTestEncoder(w.t, zstd.WithEncoderCRC(false)).EncodeAll(text, nil))
	var stream bytes.Buffer
	enc := newTestEncoder(w.t, zstd.WithSingleSegment(false))
	enc.Reset(&stream)
	enc.Write(text[:2000])
	enc.Flush()
	enc.Write(text[2000:])
	enc.Close()
	frame("no-size", BadFrame, "the frame does not declare its content's size", text, 4096, stream.Bytes())
	frame("dictionary", BadFrame, "the frame wants dictionary 7", text, 4096, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x65, 7, 0, 15}, good[7:]...))
	frame("skippable", BadFrame, "a skippable frame", nil, 0, []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4})
	frame("skippable-behind", TrailingData, "a skippable frame behind a good one", text, 4096, append(clone(good), 0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4))
	frame("second-behind", TrailingData, "an empty frame behind a good one", text, 4096, append(clone(good), w.enc.EncodeAll([]byte{}, nil)...))
	frame("byte-behind", TrailingData, "a byte behind the frame", text, 4096, append(clone(good), 0))
	set := func(bit byte) []byte { b := clone(good); b[4] |= bit; return b }
	frame("bit-unused", BadFrame, "the unused bit of the descriptor is set", text, 4096, set(0x10))
	frame("bit-reserved", BadCompression, "the reserved bit of the descriptor is set", text, 4096, set(0x08))
	frame("magic", BadCompression, "another magic number", text, 4096, append([]byte{0x28, 0xb5, 0x2f, 0xfc}, good[4:]...))
	frame("checksum", BadCompression, "a bit of the checksum flipped", text, 4096, flip(good, len(good)-1))
	frame("content", BadCompression, "a bit of a raw block flipped", noise(512, "raw"), 512, flip(storeFrame(nil, noise(512, "raw")), 20))
	frame("short-block", BadCompression, "the blocks hold 512 bytes and the header declares 513", noise(513, "raw"), 513, setFCS(storeFrame(nil, noise(512, "raw")), 513))
	frame("long-block", BadCompression, "the blocks hold 512 bytes and the header declares 511", noise(511, "raw"), 511, setFCS(storeFrame(nil, noise(512, "raw")), 511))
	frame("reserved-block", BadCompression, "a block of the reserved type 3", noise(512, "raw"), 512, func() []byte {
		b := storeFrame(nil, noise(512, "raw"))
		b[9] |= 3 << 1
		return b
	}())
	frame("bomb", BadCompression, "eight runs of 128 KiB in a frame that declares 4096 bytes", page(4096, "x"), 4096, bomb(4096))
	frame("window-too-large", BadCompression, "a window of 2 MiB", text, 4096, windowed(good, text))
	for _, n := range []int{0, 3, 4, 5, 8, len(good) / 2, len(good) - 4, len(good) - 1} {
		frame(fmt.Sprintf("truncated-%03d", n), Truncated, fmt.Sprintf("the first %d bytes of a good frame", n), text, 4096, good[:n])
	}
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func flip(b []byte, at int) []byte {
	b = clone(b)
	b[at] ^= 1
	return b
}

// setFCS changes the content size that a frame of storeFrame declares.
func setFCS(b []byte, n uint32) []byte {
	binary.LittleEndian.PutUint32(b[5:], n)
	return b
}

// bomb is a frame of runs that makes 1 MiB of 40 bytes and declares less.
func bomb(declared uint32) []byte {
	b := setFCS([]byte{0x28, 0xb5, 0x2f, 0xfd, 2<<6 | 1<<5 | 1<<2, 0, 0, 0, 0}, declared)
	for i := range 8 {
		h := uint32(128<<10)<<3 | 1<<1
		if i == 7 {
			h |= 1
		}
		b = append(b, byte(h), byte(h>>8), byte(h>>16), 'x')
	}
	return append(b, 0, 0, 0, 0)
}

// windowed is a frame of one raw block with a window descriptor of 2 MiB and the checksum of good.
func windowed(good, raw []byte) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 1<<6 | 1<<2, 11 << 3}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(raw)-256))
	h := uint32(len(raw))<<3 | 1
	b = append(append(b, byte(h), byte(h>>8), byte(h>>16)), raw...)
	return append(b, good[len(good)-4:]...)
}

// record is a field of the Index message.
type record struct {
	num     protowire.Number
	content []byte
}

func rec(num protowire.Number, m message) record { return record{num, encodeMessage(nil, m)} }

// compress makes an index of records, a zstd frame each.
func (w vectorWriter) compress(records ...record) []byte {
	var b []byte
	for _, r := range records {
		raw := protowire.AppendTag(nil, r.num, protowire.BytesType)
		b = w.enc.EncodeAll(protowire.AppendBytes(raw, r.content), b)
	}
	return b
}

// whole compresses the bytes of an Index message as one frame.
func (w vectorWriter) whole(plain []byte) []byte { return w.enc.EncodeAll(plain, nil) }

func plainOf(records ...record) []byte {
	var b []byte
	for _, r := range records {
		b = protowire.AppendTag(b, r.num, protowire.BytesType)
		b = protowire.AppendBytes(b, r.content)
	}
	return b
}
