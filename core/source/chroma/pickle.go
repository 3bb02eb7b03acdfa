package chroma

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// pickle is what the census needs of index_metadata.pickle. Ids are kept as hashes: a store may
// have millions.
type pickle struct {
	totalAdded int64
	maxSeqID   int64 // of versions before 0.5; 0 where it is None
	labels     []label
}

// label is the entry of an id in id_to_label.
type label struct {
	id    uint64 // hash of the id under the reader's seed
	label uint64
}

// readPickle reads index_metadata.pickle: the plain dict of 1.x (protocol 3), and the instance of
// PersistentData of 0.4 to 0.6 (protocol 4 and 5). It is a closed world: it knows the opcodes that
// these use and the one class, and calls nothing; everything else is an error. It keeps at most 16
// values for each of at most elements elements, whatever the file says.
func readPickle(r io.Reader, seed maphash.Seed, elements uint64) (*pickle, error) {
	m := &machine{r: bufio.NewReaderSize(r, 64<<10), seed: seed, room: 1<<16 + 16*int64(min(elements, maxElements))}
	top, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("at byte %d: %w", m.off, err)
	}
	return m.result(top)
}

// kinds of values. The zero value is None.
const (
	pNone = iota
	pMark
	pInt   // num is the integer
	pText  // num is the text's hash
	pBytes // num is the big-endian integer in at most 8 bytes
	pDict  // num is the index in dicts
	pClass // PersistentData
	pTuple // the empty tuple
	pInstance
)

type value struct {
	kind uint8
	num  uint64
}

type entry struct{ key, val value }

// machine is the pickle virtual machine. https://docs.python.org/3/library/pickletools.html
type machine struct {
	r     *bufio.Reader
	off   int64
	seed  maphash.Seed
	room  int64 // values that may still be kept
	stack []value
	memo  []value
	dicts [][]entry
	state value // what BUILD gave the instance
	text  []byte
}

// className is what a pickle of 0.4 to 0.6 is an instance of.
const (
	className   = "PersistentData"
	classModule = "chromadb.segment.impl.vector.local_persistent_hnsw"
)

var (
	errPickle = errors.New("not a pickle that Chroma writes")
	errLarge  = errors.New("more values than the segment's elements account for")
)

func (m *machine) hash(s string) uint64 { return maphash.String(m.seed, s) }

func (m *machine) keep() error {
	if m.room--; m.room < 0 {
		return errLarge
	}
	return nil
}

func (m *machine) push(v value) error {
	m.stack = append(m.stack, v)
	return m.keep()
}

// pop takes the top value off the stack; it gives no mark.
func (m *machine) pop() (value, error) {
	n := len(m.stack)
	if n == 0 || m.stack[n-1].kind == pMark {
		return value{}, fmt.Errorf("%w: the stack is empty", errPickle)
	}
	v := m.stack[n-1]
	m.stack = m.stack[:n-1]
	m.room++
	return v, nil
}

func (m *machine) popKind(kind uint8) (value, error) {
	v, err := m.pop()
	if err == nil && v.kind != kind {
		err = fmt.Errorf("%w: a value of kind %d where %d belongs", errPickle, v.kind, kind)
	}
	return v, err
}

func (m *machine) remember(at uint64) error {
	if at != uint64(len(m.memo)) { // what Python writes counts up; a place may be written again
		if at > uint64(len(m.memo)) {
			return fmt.Errorf("%w: memo %d out of order", errPickle, at)
		}
		m.memo[at] = m.stack[len(m.stack)-1]
		return nil
	}
	m.memo = append(m.memo, m.stack[len(m.stack)-1])
	return m.keep()
}

// read returns the next n bytes, valid until the next read.
func (m *machine) read(n uint64) ([]byte, error) {
	if n > 64<<10 {
		return nil, fmt.Errorf("%w: a text of %d bytes", errPickle, n)
	}
	if uint64(cap(m.text)) < n {
		m.text = make([]byte, max(n, 256))
	}
	b := m.text[:n]
	k, err := io.ReadFull(m.r, b)
	m.off += int64(k)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}

// uint reads a little-endian unsigned integer of n bytes, n at most 8.
func (m *machine) uint(n uint64) (uint64, error) {
	b, err := m.read(n)
	if err != nil {
		return 0, err
	}
	var x [8]byte
	copy(x[:], b)
	return binary.LittleEndian.Uint64(x[:]), nil
}

// setItems puts the pairs above the last mark into the dict below it.
func (m *machine) setItems() error {
	at := len(m.stack) - 1
	for at >= 0 && m.stack[at].kind != pMark {
		at--
	}
	if at < 1 || m.stack[at-1].kind != pDict || (len(m.stack)-at)%2 == 0 {
		return fmt.Errorf("%w: items without a dict", errPickle)
	}
	d := m.stack[at-1].num
	for i := at + 1; i < len(m.stack); i += 2 {
		m.dicts[d] = append(m.dicts[d], entry{m.stack[i], m.stack[i+1]})
	}
	m.room++ // the mark; what was two values on the stack is two in the dict
	m.stack = m.stack[:at]
	return nil
}

// result reads the six known keys of the outer dict.
func (m *machine) result(top value) (*pickle, error) {
	if top.kind == pInstance {
		top = m.state
	}
	if top.kind != pDict {
		return nil, fmt.Errorf("%w: neither a dict nor a %s", errPickle, className)
	}
	fields := map[uint64]value{}
	for _, e := range m.dicts[top.num] {
		if e.key.kind != pText {
			return nil, fmt.Errorf("%w: a key that is no text", errPickle)
		}
		fields[e.key.num] = e.val
	}
	total, ok := fields[m.hash("total_elements_added")]
	ids, ok2 := fields[m.hash("id_to_label")]
	if !ok || !ok2 || total.kind != pInt || ids.kind != pDict || int64(total.num) < 0 {
		return nil, fmt.Errorf("%w: no total_elements_added or no id_to_label", errPickle)
	}
	p := &pickle{totalAdded: int64(total.num)}
	if seq := fields[m.hash("max_seq_id")]; seq.kind == pInt || seq.kind == pBytes {
		p.maxSeqID = int64(seq.num)
	}
	for _, e := range m.dicts[ids.num] {
		if e.key.kind != pText || e.val.kind != pInt {
			return nil, fmt.Errorf("%w: an id_to_label that does not map texts to integers", errPickle)
		}
		p.labels = append(p.labels, label{e.key.num, e.val.num})
	}
	return p, nil
}
