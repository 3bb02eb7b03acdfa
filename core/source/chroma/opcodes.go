package chroma

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
)

// run executes the opcodes up to STOP and returns the result.
func (m *machine) run() (value, error) {
	for {
		op, err := m.uint(1)
		if err != nil {
			return value{}, err
		}
		if op == '.' { // STOP
			v, err := m.pop()
			if err == nil && len(m.stack) > 0 {
				err = fmt.Errorf("%w: values are left over", errPickle)
			}
			if err == nil {
				if _, e := m.r.ReadByte(); e != io.EOF {
					err = fmt.Errorf("%w: data after its end", errPickle)
				}
			}
			return v, err
		}
		if err := m.step(byte(op)); err != nil {
			return value{}, err
		}
	}
}

func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.uint(1)
		if err == nil && (v < 2 || v > 5) {
			err = fmt.Errorf("%w: protocol %d", errPickle, v)
		}
		return err
	case 0x95: // FRAME: a hint for readers
		_, err := m.uint(8)
		return err
	case '(': // MARK
		return m.push(value{kind: pMark})
	case 'N': // NONE
		return m.push(value{})
	case '}': // EMPTY_DICT
		m.dicts = append(m.dicts, nil)
		if err := m.keep(); err != nil {
			return err
		}
		return m.push(value{pDict, uint64(len(m.dicts) - 1)})
	case ')': // EMPTY_TUPLE
		return m.push(value{kind: pTuple})
	case 'K', 'M', 'J', 0x8a: // BININT1, BININT2, BININT, LONG1
		return m.integer(op)
	case 'X', 0x8c, 0x8d: // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
		b, err := m.sized(lengthOf(op))
		if err != nil {
			return err
		}
		return m.push(value{pText, maphash.Bytes(m.seed, b)})
	case 'C', 'B': // SHORT_BINBYTES, BINBYTES: a sequence number of 0.4 to 0.6
		b, err := m.sized(lengthOf(op))
		if err == nil && len(b) > 8 {
			err = fmt.Errorf("%w: %d bytes where a sequence number belongs", errPickle, len(b))
		}
		if err != nil {
			return err
		}
		var x [8]byte
		copy(x[8-len(b):], b)
		return m.push(value{pBytes, binary.BigEndian.Uint64(x[:])})
	case 's', 'u': // SETITEM, SETITEMS
		return m.set(op)
	case 'q', 'r', 0x94, 'h', 'j': // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
		return m.memory(op)
	case 'c', 0x93, 0x81, 'b': // GLOBAL, STACK_GLOBAL, NEWOBJ, BUILD
		return m.object(op)
	}
	return fmt.Errorf("%w: opcode %#x", errPickle, op)
}

// lengthOf is how many bytes the length has that follows the opcode of a text or of bytes.
func lengthOf(op byte) uint64 {
	switch op {
	case 0x8c, 'C':
		return 1
	case 0x8d:
		return 8
	}
	return 4
}

// sized reads a length of n bytes, and as many bytes as it says.
func (m *machine) sized(n uint64) ([]byte, error) {
	size, err := m.uint(n)
	if err != nil {
		return nil, err
	}
	return m.read(size)
}

func (m *machine) integer(op byte) error {
	var x uint64
	var err error
	switch op {
	case 'K':
		x, err = m.uint(1)
	case 'M':
		x, err = m.uint(2)
	case 'J':
		x, err = m.uint(4)
		x = uint64(int64(int32(x)))
	default: // LONG1: two's complement, little endian, its length first
		var n uint64
		if n, err = m.uint(1); err == nil && n > 8 {
			return fmt.Errorf("%w: an integer of %d bytes", errPickle, n)
		}
		if err == nil && n > 0 {
			x, err = m.uint(n)
			x = uint64(int64(x<<(64-8*n)) >> (64 - 8*n))
		}
	}
	if err != nil {
		return err
	}
	return m.push(value{pInt, x})
}

func (m *machine) set(op byte) error {
	if op == 'u' {
		return m.setItems()
	}
	v, err := m.pop()
	if err != nil {
		return err
	}
	k, err := m.pop()
	if err != nil {
		return err
	}
	if len(m.stack) == 0 || m.stack[len(m.stack)-1].kind != pDict {
		return fmt.Errorf("%w: an item without a dict", errPickle)
	}
	d := m.stack[len(m.stack)-1].num
	m.dicts[d] = append(m.dicts[d], entry{k, v})
	m.room -= 2
	return m.room0()
}

// room0 fails when more was kept than may be.
func (m *machine) room0() error {
	if m.room < 0 {
		return errLarge
	}
	return nil
}

func (m *machine) memory(op byte) error {
	at, err := uint64(len(m.memo)), error(nil)
	switch op {
	case 'q', 'h':
		at, err = m.uint(1)
	case 'r', 'j':
		at, err = m.uint(4)
	}
	if err != nil {
		return err
	}
	if op == 'h' || op == 'j' {
		if at >= uint64(len(m.memo)) {
			return fmt.Errorf("%w: nothing at memo %d", errPickle, at)
		}
		return m.push(m.memo[at])
	}
	if n := len(m.stack); n == 0 || m.stack[n-1].kind == pMark {
		return fmt.Errorf("%w: nothing to memoize", errPickle)
	}
	return m.remember(at)
}

func (m *machine) object(op byte) error {
	switch op {
	case 'c': // two lines: module and name
		var lines [2]string
		for i := range lines {
			line, err := m.line()
			if err != nil {
				return err
			}
			lines[i] = line
		}
		return m.class(m.hash(lines[0]), m.hash(lines[1]))
	case 0x93:
		name, err := m.popKind(pText)
		if err != nil {
			return err
		}
		module, err := m.popKind(pText)
		if err != nil {
			return err
		}
		return m.class(module.num, name.num)
	case 0x81: // class, () -> instance
		if _, err := m.popKind(pTuple); err != nil {
			return err
		}
		if _, err := m.popKind(pClass); err != nil {
			return err
		}
		return m.push(value{kind: pInstance})
	default: // BUILD: instance, dict -> instance
		state, err := m.popKind(pDict)
		if err != nil {
			return err
		}
		if n := len(m.stack); n != 1 || m.stack[0].kind != pInstance {
			return fmt.Errorf("%w: a state without an instance", errPickle)
		}
		m.state = state
		return nil
	}
}

func (m *machine) class(module, name uint64) error {
	if module != m.hash(classModule) || name != m.hash(className) {
		return fmt.Errorf("%w: a class other than %s", errPickle, className)
	}
	return m.push(value{kind: pClass})
}

func (m *machine) line() (string, error) {
	var b strings.Builder
	for b.Len() < 256 {
		c, err := m.uint(1)
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return b.String(), nil
		}
		b.WriteByte(byte(c))
	}
	return "", fmt.Errorf("%w: a name that is too long", errPickle)
}
