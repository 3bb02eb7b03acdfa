package manifest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// marshal encodes v in the repository's one JSON form: members in the order of the specification,
// map members sorted, no escaping but what JSON demands. An object or array that holds no object
// or array stands on one line; any other has each member on a line of its own, indented by two
// spaces a level. The document ends with a newline. So one volume is one line, for people and diff.
func marshal(v any) ([]byte, error) {
	var compact bytes.Buffer
	e := json.NewEncoder(&compact)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	p := printer{in: bytes.TrimRight(compact.Bytes(), "\n")}
	p.value(0)
	p.out.WriteByte('\n')
	return p.out.Bytes(), nil
}

// printer lays out compact JSON.
type printer struct {
	in  []byte
	pos int
	out bytes.Buffer
}

func (p *printer) value(depth int) {
	switch p.in[p.pos] {
	case '{', '[':
		if n := flatLength(p.in[p.pos:]); n > 0 {
			p.flat(n)
			return
		}
		p.tall(depth)
	default:
		p.scalar()
	}
}

// flatLength returns the length of the object or array that b begins with when nothing is nested in
// it, or 0.
func flatLength(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringLength(b[i:]) - 1
		case '{', '[':
			return 0
		case '}', ']':
			return i + 1
		}
	}
	return 0
}

// stringLength returns the length of the JSON string that b begins with, quotes included.
func stringLength(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func (p *printer) scalar() {
	if p.in[p.pos] == '"' {
		n := stringLength(p.in[p.pos:])
		p.out.Write(p.in[p.pos : p.pos+n])
		p.pos += n
		return
	}
	for p.pos < len(p.in) && !strings.ContainsRune(",}]", rune(p.in[p.pos])) {
		p.out.WriteByte(p.in[p.pos])
		p.pos++
	}
}

// flat copies n bytes with a space behind each comma and colon.
func (p *printer) flat(n int) {
	for end := p.pos + n; p.pos < end; {
		if p.in[p.pos] == '"' {
			p.scalar()
			continue
		}
		c := p.in[p.pos]
		p.out.WriteByte(c)
		if c == ',' || c == ':' {
			p.out.WriteByte(' ')
		}
		p.pos++
	}
}

func (p *printer) tall(depth int) {
	open := p.in[p.pos]
	for {
		p.out.WriteByte(p.in[p.pos]) // the bracket, or the comma before a member
		p.pos++
		p.newline(depth + 1)
		if open == '{' {
			p.scalar()
			p.out.WriteString(": ")
			p.pos++
		}
		p.value(depth + 1)
		if p.in[p.pos] != ',' {
			break
		}
	}
	p.newline(depth)
	p.out.WriteByte(p.in[p.pos])
	p.pos++
}

func (p *printer) newline(depth int) {
	p.out.WriteByte('\n')
	for range depth {
		p.out.WriteString("  ")
	}
}
