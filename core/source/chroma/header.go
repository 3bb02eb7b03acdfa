package chroma

import (
	"encoding/binary"
	"fmt"
	"math"
)

// headerSize is the length of header.bin in bytes.
const headerSize = 100

// noEntry is the entry point of a graph without elements.
const noEntry = math.MaxUint32

// header is a segment's header.bin: what the hnswlib of Chroma writes first when it persists.
type header struct {
	offsetLevel0   uint64
	maxElements    uint64
	cur            uint64 // elements, deleted ones included
	elementSize    uint64 // bytes of an element in data_level0.bin: links, vector, label
	labelOffset    uint64 // bytes within an element
	offsetData     uint64 // bytes within an element
	maxLevel       int32  // -1 without elements
	entryPoint     uint32
	maxM, maxM0, m uint64
	mult           float64
}

// decodeHeader decodes header.bin. It checks the length and the version, and nothing else.
func decodeHeader(b []byte) (header, error) {
	if len(b) != headerSize {
		return header{}, fmt.Errorf("%d bytes, not %d", len(b), headerSize)
	}
	le := binary.LittleEndian
	if v := int32(le.Uint32(b)); v != 1 {
		return header{}, fmt.Errorf("version %d, not 1", v)
	}
	return header{
		offsetLevel0: le.Uint64(b[4:]),
		maxElements:  le.Uint64(b[12:]),
		cur:          le.Uint64(b[20:]),
		elementSize:  le.Uint64(b[28:]),
		labelOffset:  le.Uint64(b[36:]),
		offsetData:   le.Uint64(b[44:]),
		maxLevel:     int32(le.Uint32(b[52:])),
		entryPoint:   le.Uint32(b[56:]),
		maxM:         le.Uint64(b[60:]),
		maxM0:        le.Uint64(b[68:]),
		m:            le.Uint64(b[76:]),
		mult:         math.Float64frombits(le.Uint64(b[84:])),
	}, nil
}

// Bounds within which no product below overflows.
const (
	maxLinks     = 1 << 16
	maxDimension = 1 << 20
	maxElements  = 1 << 32 // an element's index has 32 bits
)

// check finds the first contradiction in h; dimension is the collection's.
func (h header) check(dimension int64) error {
	switch {
	case h.m < 2 || h.m > maxLinks || h.maxM != h.m:
		return fmt.Errorf("m is %d and maxM %d", h.m, h.maxM)
	case h.maxM0 != 2*h.maxM:
		return fmt.Errorf("maxM0 is %d, not twice maxM, which is %d", h.maxM0, h.maxM)
	case h.offsetLevel0 != 0:
		return fmt.Errorf("offsetLevel0 is %d", h.offsetLevel0)
	case h.offsetData != 4*h.maxM0+4:
		return fmt.Errorf("offsetData is %d, which does not follow %d links", h.offsetData, h.maxM0)
	case dimension < 1 || dimension > maxDimension:
		return fmt.Errorf("the collection's dimension is %d", dimension)
	case h.elementSize != h.offsetData+4*uint64(dimension)+8:
		return fmt.Errorf("an element has %d bytes, which does not fit dimension %d", h.elementSize, dimension)
	case h.labelOffset != h.elementSize-8:
		return fmt.Errorf("the label is at %d of an element's %d bytes", h.labelOffset, h.elementSize)
	case h.maxElements > maxElements || h.cur > h.maxElements:
		return fmt.Errorf("%d elements where at most %d fit", h.cur, h.maxElements)
	case h.cur == 0 && (h.entryPoint != noEntry || h.maxLevel != -1):
		return fmt.Errorf("an entry point %d on level %d, and no elements", h.entryPoint, h.maxLevel)
	case h.cur > 0 && uint64(h.entryPoint) >= h.cur:
		return fmt.Errorf("entry point %d of %d elements", h.entryPoint, h.cur)
	case h.cur > 0 && h.maxLevel < 0:
		return fmt.Errorf("highest level %d with %d elements", h.maxLevel, h.cur)
	}
	if want := 1 / math.Log(float64(h.m)); !(math.Abs(h.mult-want) <= 1e-9) { // also when mult is no number
		return fmt.Errorf("mult is %v, not 1/ln %d", h.mult, h.m)
	}
	return nil
}
