package chroma

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

const hearEvery = 1 << 12 // elements between two looks at ctx

func bytesOf(n int64) string {
	if n < 0 {
		return "no file"
	}
	return fmt.Sprintf("%d bytes", n)
}

// links walks link_lists.bin: for each element a length and, above level 0, a list of links for
// each of its levels.
func (v *vectors) links(ctx context.Context) error {
	r, closer, err := v.stream(linksFile)
	if err != nil {
		return err
	}
	defer closer.Close()
	unit := 4*v.head.maxM + 4
	level := make([]byte, unit)
	top := int32(-1)
	for i := range v.head.cur {
		if i%hearEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var size [4]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return v.short(linksFile, i, err)
		}
		n := uint64(binary.LittleEndian.Uint32(size[:]))
		if n%unit != 0 {
			v.fail(ruleLengths, "collection %s: %s: element %d has %d bytes of links, no multiple of %d", v.col.name, linksFile, i, n, unit)
			return nil
		}
		levels := n / unit
		if levels > uint64(max(0, v.head.maxLevel)) {
			v.fail(ruleLengths, "collection %s: %s: element %d is on level %d, the highest is %d", v.col.name, linksFile, i, levels, v.head.maxLevel)
			return nil
		}
		top = max(top, int32(levels))
		for range levels {
			if _, err := io.ReadFull(r, level); err != nil {
				return v.short(linksFile, i, err)
			}
			if problem := v.targets(level, v.head.maxM); problem != "" {
				v.fail(ruleLengths, "collection %s: %s: element %d %s", v.col.name, linksFile, i, problem)
				return nil
			}
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		v.fail(ruleLengths, "collection %s: %s does not end after its %d elements", v.col.name, linksFile, v.head.cur)
	} else if top != v.head.maxLevel {
		v.fail(ruleLengths, "collection %s: the highest level in %s is %d, %s says %d", v.col.name, linksFile, top, headerFile, v.head.maxLevel)
	}
	return nil
}

func (v *vectors) short(name string, element uint64, err error) error {
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	v.fail(ruleLengths, "collection %s: %s ends within element %d of %d", v.col.name, name, element, v.head.cur)
	return nil
}

// targets finds what is wrong with a list of links: a count in two bytes, flags, and the elements.
func (v *vectors) targets(list []byte, most uint64) string {
	n := uint64(binary.LittleEndian.Uint16(list))
	if n > most {
		return fmt.Sprintf("has %d links where %d fit", n, most)
	}
	for k := range n {
		if to := binary.LittleEndian.Uint32(list[4+4*k:]); uint64(to) >= v.head.cur {
			return fmt.Sprintf("is linked to element %d of %d", to, v.head.cur)
		}
	}
	return ""
}

// graph walks data_level0.bin: of each element its links on level 0, its vector and its label.
func (v *vectors) graph(ctx context.Context) error {
	r, closer, err := v.stream(dataFile)
	if err != nil {
		return err
	}
	defer closer.Close()
	element := make([]byte, v.head.elementSize)
	all := make([]uint64, 0, v.head.cur)
	var live []uint64
	for i := range v.head.cur {
		if i%hearEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := io.ReadFull(r, element); err != nil {
			return v.short(dataFile, i, err)
		}
		problem := v.targets(element, v.head.maxM0)
		if problem == "" && !finite(element[v.head.offsetData:v.head.labelOffset]) {
			problem = "has a vector with a number that is not finite"
		}
		if problem != "" {
			v.fail(ruleGraph, "collection %s: %s: element %d %s", v.col.name, dataFile, i, problem)
			return nil
		}
		l := binary.LittleEndian.Uint64(element[v.head.labelOffset:])
		all = append(all, l)
		if element[2]&1 == 0 { // not deleted
			live = append(live, l)
		}
	}
	v.labels(all, live)
	return nil
}

// labels checks that labels are unique, and that those of live elements are the pickle's.
func (v *vectors) labels(all, live []uint64) {
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			v.fail(ruleGraph, "collection %s: label %d is there twice", v.col.name, all[i])
			return
		}
	}
	if v.pickle == nil {
		return
	}
	known := make([]uint64, 0, len(v.pickle.labels))
	for _, l := range v.pickle.labels {
		known = append(known, l.label)
	}
	slices.Sort(known)
	slices.Sort(live)
	if !slices.Equal(known, live) {
		missing, extra := compare(known, live)
		v.fail(ruleGraph, "collection %s: %d labels of %s have no live element, %d live elements have no label there", v.col.name, missing, pickleFile, extra)
	}
}

// finite reports whether little-endian float32 numbers are neither infinite nor NaN.
func finite(b []byte) bool {
	const exponent = 0x7f800000
	for ; len(b) >= 4; b = b[4:] {
		if binary.LittleEndian.Uint32(b)&exponent == exponent {
			return false
		}
	}
	return true
}

// compare counts what of sorted a is not in sorted b, and the reverse.
func compare(a, b []uint64) (onlyA, onlyB int) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			a, b = a[1:], b[1:]
		case a[0] < b[0]:
			onlyA++
			a = a[1:]
		default:
			onlyB++
			b = b[1:]
		}
	}
	return onlyA + len(a), onlyB + len(b)
}
