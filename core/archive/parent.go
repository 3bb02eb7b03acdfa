package archive

import "encoding/binary"

// Parent answers which chunks of a stream its parent snapshot already holds, and where.
type Parent struct {
	recipe  *Recipe
	scan    *cursor
	probe   *cursor
	refresh []int64          // per volume of the recipe: bytes that count as unknown
	again   slotSet          // stored chunks that count as unknown, wherever the stream has them
	parts   map[string]int64 // part -> its first chunk
	table   *prefixTable     // made when it is first needed
}

// NewParent looks chunks up in recipe, but for the bytes of volumes that refresh gives (see Refresh).
func NewParent(recipe *Recipe, refresh map[VolumeID]int64) *Parent {
	p := &Parent{recipe: recipe, scan: recipe.cursor(), probe: recipe.cursor(), again: slotSet{}, parts: map[string]int64{"": 0}}
	for _, v := range recipe.Volumes {
		p.refresh = append(p.refresh, refresh[v])
	}
	for _, part := range recipe.Parts {
		p.parts[part.Name] = part.First
	}
	return p
}

// find looks for a chunk by its id: first at the same place of the same part, then anywhere. A match
// that is missed costs bytes, never correctness. It returns the parent's entry and its position.
func (p *Parent) find(part string, at int64, id ID, length int) (Entry, int64, bool, error) {
	if first, ok := p.parts[part]; ok && first+at < p.recipe.count {
		e, err := p.scan.at(first + at)
		if err != nil || e.ID == id && int(e.Length) == length {
			return e, first + at, err == nil && p.usable(e), err
		}
	}
	if p.table == nil {
		t, err := newPrefixTable(p.recipe)
		if err != nil {
			return Entry{}, 0, false, err
		}
		p.table = t
	}
	i, ok := p.table.get(id)
	if !ok {
		return Entry{}, 0, false, nil
	}
	e, err := p.probe.one(i)
	if err != nil || e.ID != id || int(e.Length) != length {
		return Entry{}, 0, false, err
	}
	return e, i, p.usable(e), nil
}

// usable reports whether a known chunk may be leaned on; it takes what refresh wants from the budget
// of its volume, once for a stored chunk that the stream has many times: else the volume would never die.
func (p *Parent) usable(e Entry) bool {
	left := &p.refresh[p.recipe.Frames[e.Frame].Volume]
	switch {
	case *left == refreshAll || p.again.has(e.Frame, e.Offset):
		return false
	case *left > 0:
		p.again.add(e.Frame, e.Offset)
		*left -= min(*left, int64(e.Length))
		return false
	}
	return true
}

// slotSet is a set of chunks by frame and offset in it.
type slotSet map[uint32]*[FrameRaw / align / 64]uint64

func (s slotSet) has(frame, offset uint32) bool {
	bits, slot := s[frame], offset/align
	return bits != nil && bits[slot/64]>>(slot%64)&1 == 1
}

// add reports whether the chunk is new to the set.
func (s slotSet) add(frame, offset uint32) bool {
	if s.has(frame, offset) {
		return false
	}
	bits, slot := s[frame], offset/align
	if bits == nil {
		bits = new([FrameRaw / align / 64]uint64)
		s[frame] = bits
	}
	bits[slot/64] |= 1 << (slot % 64)
	return true
}

// prefixTable maps the first 8 bytes of chunk ids to positions, in at most 64 MiB: chunks beyond what
// fits are not found.
type prefixTable struct {
	keys      []uint64
	positions []uint32 // plus one; 0 is free
	mask      uint64
}

const prefixSlots = 1 << 22 // 12 bytes each: 48 MiB

func newPrefixTable(r *Recipe) (*prefixTable, error) {
	slots := uint64(16)
	for slots < prefixSlots && slots < 2*uint64(r.count) {
		slots *= 2
	}
	t := &prefixTable{make([]uint64, slots), make([]uint32, slots), slots - 1}
	room := slots / 4 * 3
	err := r.each(func(i int64, e Entry) error {
		if room > 0 && i < 1<<32-1 && t.put(binary.BigEndian.Uint64(e.ID[:]), uint32(i)) {
			room--
		}
		return nil
	})
	return t, err
}

// put adds a position unless the prefix has one, and reports whether it took a slot.
func (t *prefixTable) put(key uint64, i uint32) bool {
	for slot := key & t.mask; ; slot = (slot + 1) & t.mask {
		if t.positions[slot] == 0 {
			t.keys[slot], t.positions[slot] = key, i+1
			return true
		}
		if t.keys[slot] == key {
			return false
		}
	}
}

func (t *prefixTable) get(id ID) (int64, bool) {
	key := binary.BigEndian.Uint64(id[:])
	for slot := key & t.mask; t.positions[slot] != 0; slot = (slot + 1) & t.mask {
		if t.keys[slot] == key {
			return int64(t.positions[slot] - 1), true
		}
	}
	return 0, false
}
