package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

func replaceOnce(b, old, with []byte) []byte {
	if bytes.Count(b, old) != 1 {
		panic(fmt.Sprintf("%x is not once in %x", old, b))
	}
	return bytes.Replace(b, old, with, 1)
}

// patches shows a patch on the good full index: its chunks 1 and 2, with a new chunk between them.
func (w vectorWriter) patches() {
	full := w.compress(rec(fieldHeader, goodHeader()), rec(fieldSegment, goodSegment()), rec(fieldTrailer, goodTrailer()))
	sum := sha256.Sum256(full)
	header := &indexHeader{format: 1, chunkSize: 4096, baseSHA256: sum[:], baseChunks: 3}
	seg := func() *segment {
		id := sha256.Sum256([]byte{9})
		return &segment{
			copyFrom: []uint64{1, 2}, copyCount: []uint64{1, 1}, newCount: []uint64{1, 0},
			ids: id[:], length: []uint64{4096}, frame: []uint64{0}, offset: []uint64{0}, volumes: []byte("volume-2"),
			frameVolume: []uint64{0}, frameOffset: []uint64{0}, frameSt: []uint64{80}, frameRaw: []uint64{4096},
		}
	}
	show := func(name, expect, comment string, h *indexHeader, s *segment, t *trailer) {
		w.index("patch-"+name, expect, comment, w.compress(rec(fieldHeader, h), rec(fieldSegment, s), rec(fieldTrailer, t)), "base: index-good")
	}
	changed := func(change func(*segment)) *segment { s := seg(); change(s); return s }
	show("good", "ok", "chunk 1 of the base, a new chunk, chunk 2 of the base", header, seg(), goodTrailer())
	show("good-all", "ok", "the whole base in one run", header, &segment{copyFrom: []uint64{0}, copyCount: []uint64{3}, newCount: []uint64{0}}, goodTrailer())
	show("good-anywhere", "ok", "the same chunk of the base three times", header, &segment{copyFrom: []uint64{2, 2, 2}[:1], copyCount: []uint64{1}, newCount: []uint64{0}},
		&trailer{chunks: 1, size: 512, sha256: streamSum()})
	twice := &segment{copyFrom: []uint64{0, 0, 2}, copyCount: []uint64{1, 1, 1}, newCount: []uint64{0, 0, 0}}
	show("good-repeats", "ok", "a chunk of the base twice", header, twice, goodTrailer())
	w.index("patch-good-empty", "ok", "a patch for an empty stream", w.compress(rec(fieldHeader, header), rec(fieldTrailer, &trailer{sha256: streamSum()})), "base: index-good", "size: 0")

	show("beyond", BadRun, "a copy that ends behind the base", header, changed(func(s *segment) { s.copyCount[1] = 2 }), goodTrailer())
	show("from-beyond", BadRun, "a copy from behind the base", header, changed(func(s *segment) { s.copyFrom[1] = 3 }), goodTrailer())
	show("huge", BadRun, "a copy of 2^64-1 chunks", header, changed(func(s *segment) { s.copyCount[1] = 1<<64 - 1 }), goodTrailer())
	show("joined", BadRun, "two runs where one would do", header,
		&segment{copyFrom: []uint64{0, 1}, copyCount: []uint64{1, 2}, newCount: []uint64{0, 0}}, goodTrailer())
	show("copies-nothing", BadRun, "a second run that copies nothing", header, changed(func(s *segment) {
		s.copyFrom, s.copyCount, s.newCount = []uint64{1, 2, 0}, []uint64{1, 1, 0}, []uint64{0, 0, 1}
	}), goodTrailer())
	show("clash", BadPlace, "a frame where the base has another", header, changed(func(s *segment) {
		s.volumes, s.frameOffset = []byte("volume-0"), []uint64{0}
	}), goodTrailer())
	show("behind-odd", BadSize, "a new chunk behind an odd one", header, changed(func(s *segment) { s.length[0] = 4000 }), goodTrailer())
	show("too-much", BadSize, "more bytes than the stream has", header, changed(func(s *segment) { s.copyFrom[1], s.copyCount[1] = 0, 1 }), goodTrailer())
	show("other-base", BadBase, "a patch on another full index", &indexHeader{format: 1, chunkSize: 4096, baseSHA256: streamSum(), baseChunks: 3}, seg(), goodTrailer())
	show("other-count", BadBase, "the base with another number of chunks", &indexHeader{format: 1, chunkSize: 4096, baseSHA256: sum[:], baseChunks: 4}, seg(), goodTrailer())
	show("full", BadBase, "a full index where the manifest names a base", goodHeader(), goodSegment(), goodTrailer())
}

// parts shows the named parts of a stream.
func (w vectorWriter) parts() {
	good := []wirePart{{[]byte("a/header.bin"), 0, 2, 4096, 4000}, {[]byte("b"), 2, 1, 512, 0}}
	show := func(name, expect, comment string, change func([]wirePart) []wirePart) {
		parts := change(slices.Clone(good))
		records := []record{rec(fieldHeader, goodHeader()), rec(fieldSegment, goodSegment())}
		for i := range parts {
			records = append(records, rec(fieldPart, &parts[i]))
		}
		records = append(records, rec(fieldTrailer, &trailer{chunks: 3, parts: uint64(len(parts)), size: goodSize, sha256: streamSum()}))
		w.index("part-"+name, expect, comment, w.compress(records...))
	}
	one := func(change func(*wirePart)) func([]wirePart) []wirePart {
		return func(p []wirePart) []wirePart { change(&p[0]); return p }
	}
	show("good", "ok", "two members, the second an empty file", func(p []wirePart) []wirePart { return p })
	show("good-gap", "ok", "the second member is not named", func(p []wirePart) []wirePart { return p[:1] })
	for name, n := range map[string]string{
		"empty": "", "absolute": "/etc/passwd", "parent": "../a", "inner-parent": "a/../b", "dot": "./a", "double-slash": "a//b",
		"slash-behind": "a/", "utf8": "a\xff", "nul": "a\x00b", "newline": "a\nb", "escape": "a\x1b[2J",
	} {
		show("name-"+name, BadPart, "a name that a member cannot have", one(func(p *wirePart) { p.name = []byte(n) }))
	}
	show("name-long", TooLong, "a name of 1025 bytes", one(func(p *wirePart) { p.name = page(1025, "x") }))
	show("order", BadPart, "names not in the order of their bytes", one(func(p *wirePart) { p.name = []byte("c") }))
	show("same-name", BadPart, "one name twice", one(func(p *wirePart) { p.name = []byte("b") }))
	show("overlap", BadPart, "members that share a chunk", one(func(p *wirePart) { p.count, p.size = 3, 4600 }))
	show("no-chunk", BadPart, "a member without a chunk", one(func(p *wirePart) { p.count = 0 }))
	show("beyond", BadPart, "a member that ends behind the stream", func(p []wirePart) []wirePart { p[1].count = 2; return p })
	show("huge", BadPart, "a member of 2^64-1 chunks", one(func(p *wirePart) { p.count = 1<<64 - 1 }))
	show("skip", BadPart, "a header that is not the first chunk", one(func(p *wirePart) { p.skip = 512 }))
	show("size", BadPart, "more content than the chunks hold", one(func(p *wirePart) { p.size = 4097 }))
	show("padding", BadPart, "a padding of 512 bytes", one(func(p *wirePart) { p.size = 3584 }))
}
