package archive

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The good full index of the vectors: a stream of 3 chunks, two of them in one frame, 8192+512 bytes.
const goodSize = 2*4096 + 512

func goodHeader() *indexHeader { return &indexHeader{format: 1, chunkSize: 4096} }

func goodSegment() *segment {
	id := func(i int) []byte { s := sha256.Sum256([]byte{byte(i)}); return s[:] }
	return &segment{
		copyFrom: []uint64{0}, copyCount: []uint64{0}, newCount: []uint64{3},
		ids:         slices.Concat(id(1), id(2), id(3)),
		length:      []uint64{4096, 4096, 512},
		frame:       []uint64{0, 0, 1},
		offset:      []uint64{0, 4096, 0},
		volumes:     []byte("volume-0volume-1"),
		frameVolume: []uint64{0, 1}, frameOffset: []uint64{0, 700}, frameSt: []uint64{600, 100}, frameRaw: []uint64{8192, 512},
	}
}

func streamSum() []byte { s := sha256.Sum256([]byte("the stream")); return s[:] }

func goodTrailer() *trailer { return &trailer{chunks: 3, size: goodSize, sha256: streamSum()} }

func (w vectorWriter) index(name, expect, comment string, data []byte, header ...string) {
	has := func(prefix string) bool {
		return slices.ContainsFunc(header, func(h string) bool { return len(h) > len(prefix) && h[:len(prefix)] == prefix })
	}
	head := []string{"kind: index", "chunk_size: 4096", fmt.Sprintf("sha256: %x", streamSum())}
	if !has("size:") {
		head = append(head, fmt.Sprintf("size: %d", goodSize))
	}
	w.write(vec{"index-" + name, expect, comment, append(head, header...), data})
}

// indexes shows the records of a full index and their order.
func (w vectorWriter) indexes() {
	header, seg, end := rec(fieldHeader, goodHeader()), rec(fieldSegment, goodSegment()), rec(fieldTrailer, goodTrailer())
	good := w.compress(header, seg, end)
	empty := rec(fieldTrailer, &trailer{sha256: streamSum()})
	w.index("good", "ok", "a full index of three chunks in two frames", good)
	w.index("good-empty", "ok", "an empty stream: a header and a trailer", w.compress(header, empty), "size: 0")
	w.index("good-one-frame", "ok", "a reader need not care how the message is cut into zstd frames", w.whole(plainOf(header, seg, end)))
	w.index("good-sealed", "ok", "facts, in an index that was sealed", w.compress(header, seg, record{fieldFacts, []byte("{\"file\": {}}\n")}, end), "sealed: yes")

	w.index("facts-open", BadFacts, "facts in an index that was not sealed", w.compress(header, seg, record{fieldFacts, []byte("{\"file\": {}}\n")}, end))
	w.index("facts-empty", BadFacts, "empty facts: a writer leaves the field out", w.compress(header, seg, record{fieldFacts, nil}, end), "sealed: yes")
	w.index("facts-twice", BadField, "facts twice", w.compress(header, seg, record{fieldFacts, []byte("{}\n")}, record{fieldFacts, []byte("{}\n")}, end), "sealed: yes")
	w.index("no-header", BadField, "it begins with a segment", w.compress(seg, end))
	w.index("two-headers", BadField, "a second header", w.compress(header, header, seg, end))
	w.index("segment-behind-trailer", TrailingData, "a segment behind the trailer", w.compress(header, seg, end, seg))
	w.index("segment-behind-facts", BadField, "a segment behind the facts", w.compress(header, record{fieldFacts, []byte("{}\n")}, seg, end), "sealed: yes")
	w.index("unknown-field", BadField, "a field 6", w.compress(header, seg, record{6, nil}, end))
	w.index("wire-type", BadField, "the header as a fixed64", w.whole(append(protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), 0), plainOf(seg, end)...)))
	w.index("long-tag", BadVarint, "the tag of the header in two bytes", w.whole(append([]byte{0x8a, 0x00}, plainOf(header, seg, end)[1:]...)))
	w.index("huge-record", TooLong, "a segment that claims 4 MiB and a byte", w.whole(append(plainOf(header), protowire.AppendVarint([]byte{0x12}, maxRecord+1)...)))
	w.index("huge-claim", TooLong, "a segment that claims 2^63 bytes", w.whole(append(plainOf(header), protowire.AppendVarint([]byte{0x12}, 1<<63)...)))

	w.index("header-unknown-field", BadField, "a fifth field in the header", w.compress(record{fieldHeader, append(clone(header.content), 0x28, 1)}, seg, end))
	w.index("header-short", Truncated, "the header without its last field", w.compress(record{fieldHeader, header.content[:len(header.content)-2]}, seg, end))
	w.index("header-order", BadField, "the header's first two fields in the other order", w.compress(record{fieldHeader, []byte{0x10, 0x80, 0x20, 0x08, 1, 0x1a, 0, 0x20, 0}}, seg, end))
	w.index("header-varint", BadVarint, "the header's format in two bytes", w.compress(record{fieldHeader, []byte{0x08, 0x81, 0, 0x10, 0x80, 0x20, 0x1a, 0, 0x20, 0}}, seg, end))
	w.index("header-format", BadHeader, "index format 2", w.compress(rec(fieldHeader, &indexHeader{format: 2, chunkSize: 4096}), seg, end))
	w.index("header-chunk-size", BadHeader, "a chunk size of 8192 where the manifest says 4096", w.compress(rec(fieldHeader, &indexHeader{format: 1, chunkSize: 8192}), seg, end))
	w.index("header-base-chunks", BadBase, "chunks of a base, and no base", w.compress(rec(fieldHeader, &indexHeader{format: 1, chunkSize: 4096, baseChunks: 3}), seg, end))
	w.index("header-base-short", BadBase, "a base's hash of 31 bytes", w.compress(rec(fieldHeader, &indexHeader{format: 1, chunkSize: 4096, baseSHA256: streamSum()[:31]}), seg, end))
	w.index("header-base-long", TooLong, "a base's hash of 33 bytes", w.compress(rec(fieldHeader, &indexHeader{format: 1, chunkSize: 4096, baseSHA256: append(streamSum(), 0)}), seg, end))
	w.index("patch-alone", BadBase, "a patch where the manifest names one index object", w.compress(rec(fieldHeader, &indexHeader{format: 1, chunkSize: 4096, baseSHA256: streamSum(), baseChunks: 3}), seg, end))

	for name, t := range map[string]*trailer{
		"chunks": {chunks: 4, size: goodSize, sha256: streamSum()},
		"parts":  {chunks: 3, parts: 1, size: goodSize, sha256: streamSum()},
		"size":   {chunks: 3, size: goodSize - 512, sha256: streamSum()},
		"hash":   {chunks: 3, size: goodSize, sha256: streamSum()[:16]},
	} {
		w.index("trailer-"+name, BadTrailer, "a trailer with another count, size or length of hash", w.compress(header, seg, rec(fieldTrailer, t)))
	}
	w.index("size-less", BadSize, "the manifest speaks of a stream of 8192 bytes", good, "size: 8192")
	w.index("byte-behind", Truncated, "a byte behind the last frame, where a frame could begin", append(clone(good), 1))
	w.index("frame-behind", TrailingData, "another index behind this one", append(clone(good), good...))
	w.index("checksum", BadCompression, "a bit of the last frame's checksum flipped", flip(good, len(good)-1))
	w.index("not-zstd", BadCompression, "the message without compression", plainOf(header, seg, end))
	w.index("window", BadCompression, "a window of 16 MiB", []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 14 << 3, 1, 0, 0})
	for _, n := range []int{0, 4, 10, len(w.compress(header)), len(w.compress(header, seg)) - 2, len(w.compress(header, seg)), len(good) - 3} {
		w.index(fmt.Sprintf("truncated-%03d", n), Truncated, fmt.Sprintf("the first %d bytes of a good index", n), good[:n])
	}
	plain := plainOf(header, seg, end)
	for _, n := range []int{1, 2, 5, len(plainOf(header)) + 1, len(plainOf(header)) + 3, len(plain) - 1} {
		w.index(fmt.Sprintf("plain-truncated-%03d", n), Truncated, fmt.Sprintf("a frame of the first %d bytes of the message", n), w.whole(plain[:n]))
	}
}

// segments shows the rules within a segment.
func (w vectorWriter) segments() {
	show := func(name, expect, comment string, change func(*segment)) {
		s := goodSegment()
		change(s)
		w.index("segment-"+name, expect, comment, w.compress(rec(fieldHeader, goodHeader()), rec(fieldSegment, s), rec(fieldTrailer, goodTrailer())))
	}
	show("ids", BadColumns, "ids of 95 bytes", func(s *segment) { s.ids = s.ids[:95] })
	show("lengths", BadColumns, "two lengths for three chunks", func(s *segment) { s.length = s.length[:2] })
	show("offsets", BadColumns, "four offsets for three chunks", func(s *segment) { s.offset = append(s.offset, 0) })
	show("volumes", BadColumns, "volume ids of 15 bytes", func(s *segment) { s.volumes = s.volumes[:15] })
	show("frame-columns", BadColumns, "one stored size for two frames", func(s *segment) { s.frameSt = s.frameSt[:1] })
	show("no-run", BadColumns, "no run", func(s *segment) { s.copyFrom, s.copyCount, s.newCount = nil, nil, nil })
	show("run-columns", BadColumns, "a run without a start", func(s *segment) { s.copyFrom = nil })
	show("run-more", BadRun, "a run of four chunks where there are three", func(s *segment) { s.newCount = []uint64{4} })
	show("run-less", BadRun, "runs of two chunks where there are three", func(s *segment) { s.newCount = []uint64{2} })
	show("run-huge", BadRun, "runs whose sum overflows 64 bits", func(s *segment) {
		s.copyFrom, s.copyCount, s.newCount = []uint64{0, 0}, []uint64{0, 1}, []uint64{4, 1<<64 - 1}
	})
	show("run-empty", BadRun, "an empty run", func(s *segment) {
		s.copyFrom, s.copyCount, s.newCount = []uint64{0, 0}, []uint64{0, 0}, []uint64{3, 0}
	})
	show("run-split", BadRun, "new chunks in two runs where one would do", func(s *segment) {
		s.copyFrom, s.copyCount, s.newCount = []uint64{0, 0}, []uint64{0, 0}, []uint64{2, 1}
	})
	show("run-from", BadRun, "a copy of nothing, from chunk 1", func(s *segment) { s.copyFrom[0] = 1 })
	show("run-copy", BadRun, "a copy in a full index", func(s *segment) { s.copyCount[0] = 1 })
	show("frame-unknown", BadPlace, "a chunk in frame 2 of two", func(s *segment) { s.frame[2] = 2 })
	show("frame-order", BadPlace, "frames not in the order of their first use", func(s *segment) { s.frame = []uint64{1, 1, 0} })
	show("frame-unused", BadPlace, "a frame that no chunk uses", func(s *segment) { s.frame[2], s.offset[2] = 0, 0 })
	show("volume-unknown", BadPlace, "a frame in volume 2 of two", func(s *segment) { s.frameVolume[1] = 2 })
	show("volume-order", BadPlace, "volumes not in the order of their first use", func(s *segment) { s.frameVolume = []uint64{1, 0} })
	show("volume-early", BadPlace, "a volume that is used before the one below it, and again", func(s *segment) {
		s.frame, s.offset, s.frameVolume = []uint64{0, 1, 2}, []uint64{0, 0, 0}, []uint64{1, 0, 1}
		s.frameOffset, s.frameSt, s.frameRaw = []uint64{0, 700, 900}, []uint64{600, 100, 100}, []uint64{4096, 4096, 512}
	})
	show("volume-unused", BadPlace, "a volume that no frame uses", func(s *segment) { s.frameVolume[1] = 0 })
	show("frame-offset", BadPlace, "a frame at 2^53", func(s *segment) { s.frameOffset[1] = 1 << 53 })
	show("frame-stored-0", BadPlace, "a frame of no bytes", func(s *segment) { s.frameSt[1] = 0 })
	show("frame-stored-12", BadPlace, "a stored frame of 12 bytes: none is so short", func(s *segment) { s.frameSt[1] = frameLeast - 1 })
	show("good-frame-stored-13", "ok", "a stored frame of 13 bytes", func(s *segment) { s.frameSt[1] = frameLeast })
	show("frame-stored", BadPlace, "a stored frame of 1 MiB and 65 bytes", func(s *segment) { s.frameSt[1] = frameStored + 1 })
	show("frame-raw-0", BadPlace, "a frame without content", func(s *segment) { s.frameRaw[1] = 0 })
	show("frame-raw", BadPlace, "a frame with a content of 1 MiB and a byte", func(s *segment) { s.frameRaw[1] = FrameRaw + 1 })
	show("frames-clash", BadPlace, "two frames at one place, of different lengths", func(s *segment) {
		s.frameVolume, s.frameOffset, s.volumes = []uint64{0, 0}, []uint64{0, 0}, s.volumes[:8]
	})
	show("length-0", BadPlace, "an empty chunk", func(s *segment) { s.length[2] = 0 })
	show("length", BadPlace, "a chunk longer than the chunk size", func(s *segment) { s.length[0] = 4608 })
	show("offset-odd", BadPlace, "a chunk that does not begin at a multiple of 512", func(s *segment) { s.offset[1] = 100 })
	show("offset-end", BadPlace, "a chunk that ends behind its frame", func(s *segment) { s.offset[1] = 4608 })
	show("offset-huge", BadPlace, "an offset that overflows", func(s *segment) { s.offset[1] = 1<<64 - 512 })
	show("chunk-behind-odd", BadSize, "a chunk of 511 bytes that is not the stream's last", func(s *segment) { s.length[1] = 511 })
	show("chunk-too-much", BadSize, "chunks of more bytes than the stream has", func(s *segment) { s.length[2], s.frameRaw[1] = 1024, 1024 })

	many := goodSegment()
	many.copyFrom, many.copyCount = make([]uint64, segmentChunks+1), make([]uint64, segmentChunks+1)
	many.newCount = make([]uint64, segmentChunks+1)
	w.index("segment-many-runs", TooLong, "16,385 runs", w.compress(rec(fieldHeader, goodHeader()), rec(fieldSegment, many), rec(fieldTrailer, goodTrailer())))
	long := goodSegment()
	long.ids = make([]byte, 32*(segmentChunks+1))
	w.index("segment-many-ids", TooLong, "16,385 ids", w.compress(rec(fieldHeader, goodHeader()), rec(fieldSegment, long), rec(fieldTrailer, goodTrailer())))
	cut := encodeMessage(nil, goodSegment())
	w.index("segment-cut", Truncated, "a segment that ends within its ids", w.compress(rec(fieldHeader, goodHeader()), record{fieldSegment, cut[:40]}, rec(fieldTrailer, goodTrailer())))
	w.index("segment-varint", BadVarint, "a length in three bytes where two would do", w.compress(rec(fieldHeader, goodHeader()),
		record{fieldSegment, replaceOnce(cut, []byte{0x2a, 6, 0x80, 0x20, 0x80, 0x20, 0x80, 0x04}, []byte{0x2a, 7, 0x80, 0xa0, 0, 0x80, 0x20, 0x80, 0x04})}, rec(fieldTrailer, goodTrailer())))
}
