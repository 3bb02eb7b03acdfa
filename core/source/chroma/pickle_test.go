package chroma

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadPickle(t *testing.T) {
	seed := maphash.MakeSeed()
	store := recorded(t)
	for _, c := range []struct {
		path  string
		total int64
		seq   int64
		n     int
		id    string
		label uint64
	}{
		{filepath.Join(store, segChunks, pickleFile), 1000, 0, 1000, "atocore-chunks-464", 465},
		{filepath.Join(store, segMemories, pickleFile), 400, 0, 400, "memories-0", 1},
		// Made by Python's pickle from a class of PersistentData's name and fields.
		{"testdata/pickle/v04-proto2.pickle", 3, 0, 3, "id-2", 3},
		{"testdata/pickle/v04-proto4.pickle", 1500, 1500, 1500, "id-1499", 1500},
		{"testdata/pickle/v04-proto5.pickle", 1500, 1500, 1500, "id-700", 701},
		{"testdata/pickle/v04-seqbytes.pickle", 3, 70000, 3, "id-0", 1},
	} {
		p, err := readPickle(bytes.NewReader(read(t, c.path)), seed, uint64(c.n))
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		got := map[uint64]uint64{}
		for _, l := range p.labels {
			got[l.id] = l.label
		}
		if p.totalAdded != c.total || p.maxSeqID != c.seq || len(got) != c.n || got[maphash.String(seed, c.id)] != c.label {
			t.Errorf("%s: total %d, sequence %d, %d labels, %s has %d", c.path, p.totalAdded, p.maxSeqID, len(got), c.id, got[maphash.String(seed, c.id)])
		}
	}
}

func TestReadPickleRefuses(t *testing.T) {
	const dict = "\x80\x03}(X\x14\x00\x00\x00total_elements_addedK\x00X\x0b\x00\x00\x00id_to_label}"
	for name, c := range map[string]struct{ b, says string }{
		"nothing":              {"", "unexpected EOF"},
		"no STOP":              {dict + "u", "unexpected EOF"},
		"a call":               {"\x80\x03cos\nsystem\n(X\x02\x00\x00\x00lstR.", "class other"},
		"another class":        {"\x80\x04\x8c\x02os\x8c\x06system\x93.", "class other"},
		"REDUCE":               {"\x80\x03)R.", "opcode 0x52"},
		"INST":                 {"\x80\x03(ios\nsystem\n.", "opcode 0x69"},
		"EXT1":                 {"\x80\x03\x82\x01.", "opcode 0x82"},
		"PERSID":               {"\x80\x03Pid\n.", "opcode 0x50"},
		"protocol":             {"\x80\x06}.", "protocol 6"},
		"not the dict":         {"\x80\x03}.", "total_elements_added"},
		"no dict":              {"\x80\x03N.", "neither"},
		"left over":            {"\x80\x03NN.", "left over"},
		"trailing":             {dict + "u..", "after its end"},
		"items without a mark": {"\x80\x03}u.", "items without"},
		"odd items":            {"\x80\x03}(Nu.", "items without"},
		"items without a dict": {"\x80\x03N(NNu.", "items without"},
		"item without a dict":  {"\x80\x03NNNs.", "item without"},
		"pop of a mark":        {"\x80\x03(.", "stack is empty"},
		"memo that is not":     {"\x80\x03h\x07.", "memo 7"},
		"memo out of order":    {"\x80\x03Nq\x07.", "out of order"},
		"memo of nothing":      {"\x80\x03\x94.", "nothing to memoize"},
		"large text":           {"\x80\x03X\xff\xff\xff\x7f", "a text of"},
		"large integer":        {"\x80\x03\x8a\x09", "integer of 9"},
		"BUILD on nothing":     {"\x80\x03}b.", "without an instance"},
		"instance with args":   {"\x80\x03N\x81.", "kind"},
		"long name":            {"\x80\x03c" + strings.Repeat("x", 1000), "too long"},
		"negative total":       {strings.Replace(dict, "K\x00", "J\xff\xff\xff\xff", 1) + "u.", "total_elements_added"},
		"labels of texts":      {dict + "(X\x01\x00\x00\x00aNuu.", "does not map"},
		"many values":          {"\x80\x03" + strings.Repeat("N", 1<<17), "more values"},
		"many dicts":           {"\x80\x03" + strings.Repeat("}N\x94", 1<<16), "more values"},
		"many memos":           {"\x80\x03N" + strings.Repeat("\x94", 1<<17), "more values"},
		"many items":           {"\x80\x03}" + strings.Repeat("NNs", 1<<17), "more values"},
	} {
		if _, err := readPickle(strings.NewReader(c.b), maphash.MakeSeed(), 1); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.says)
		}
	}
	if p, err := readPickle(strings.NewReader(dict+"u."), maphash.MakeSeed(), 1); err != nil || p.totalAdded != 0 || len(p.labels) != 0 {
		t.Errorf("an empty index: %+v, %v", p, err)
	}
}

// Integers of all opcodes mean what Python says they mean.
func TestPickleIntegers(t *testing.T) {
	for b, want := range map[string]int64{
		"K\xff": 255, "M\xff\xff": 65535, "J\xff\xff\xff\x7f": math.MaxInt32, "J\xff\xff\xff\xff": -1,
		"\x8a\x00": 0, "\x8a\x01\xff": -1, "\x8a\x05\x00\x00\x00\x00\x01": 1 << 32, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f": math.MaxInt64,
	} {
		dict := "\x80\x03}(X\x14\x00\x00\x00total_elements_addedK\x01X\x0a\x00\x00\x00max_seq_id" + b + "X\x0b\x00\x00\x00id_to_label}u."
		p, err := readPickle(strings.NewReader(dict), maphash.MakeSeed(), 1)
		if err != nil || p.maxSeqID != want {
			t.Errorf("%q: %+v, %v; want %d", b, p, err, want)
		}
	}
}

// Whatever the bytes, the reader ends, keeps no more than it was allowed, and reads its result again.
func FuzzReadPickle(f *testing.F) {
	f.Add(read(f, "testdata/pickle/v04-proto2.pickle"))
	f.Add(read(f, "testdata/pickle/v04-seqbytes.pickle"))
	f.Add([]byte("\x80\x03}(X\x14\x00\x00\x00total_elements_addedJ\x01\x00\x00\x00X\x0b\x00\x00\x00id_to_label}(X\x01\x00\x00\x00aJ\x01\x00\x00\x00uu."))
	f.Add([]byte("\x80\x03cos\nsystem\n(X\x02\x00\x00\x00lstR."))
	f.Fuzz(func(t *testing.T, b []byte) {
		seed := maphash.MakeSeed()
		p, err := readPickle(bytes.NewReader(b), seed, 1)
		if err != nil {
			return
		}
		if len(p.labels) > len(b) || p.totalAdded < 0 {
			t.Errorf("%d labels from %d bytes, total %d", len(p.labels), len(b), p.totalAdded)
		}
		again, err := readPickle(bytes.NewReader(writePickle(p)), maphash.MakeSeed(), 1+uint64(len(p.labels)))
		if err != nil || again.totalAdded != p.totalAdded || len(again.labels) != len(p.labels) {
			t.Errorf("written again it reads as %+v, %v", again, err)
		}
	})
}

// writePickle writes a pickle of the 1.x shape, with an id's hash as its id.
func writePickle(p *pickle) []byte {
	text := func(s string) string {
		return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	long := func(n uint64) string { return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, n)) }
	var b strings.Builder
	b.WriteString("\x80\x03}(" + text("total_elements_added") + long(uint64(p.totalAdded)) + text("id_to_label") + "}(")
	for _, l := range p.labels {
		b.WriteString(text(fmt.Sprint(l.id)) + long(l.label))
	}
	b.WriteString("uu.")
	return []byte(b.String())
}

// A header that passes its check never makes a length overflow, and describes one file only.
func FuzzHeader(f *testing.F) {
	store := recorded(f)
	for _, seg := range []string{segChunks, segMemories, segFresh} {
		f.Add(read(f, filepath.Join(store, seg, headerFile)), int64(64))
	}
	f.Add(make([]byte, 100), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, dimension int64) {
		h, err := decodeHeader(b)
		if err != nil || h.check(dimension) != nil {
			return
		}
		if n := h.maxElements * h.elementSize; h.cur > 0 && n/h.elementSize != h.maxElements || int64(n) < 0 {
			t.Errorf("%d elements of %d bytes overflow", h.maxElements, h.elementSize)
		}
		if h.labelOffset+8 != h.elementSize || h.offsetData >= h.labelOffset || h.offsetData < 4 {
			t.Errorf("an element of %d bytes with data at %d and its label at %d", h.elementSize, h.offsetData, h.labelOffset)
		}
	})
}
