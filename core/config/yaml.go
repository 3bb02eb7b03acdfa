package config

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on what is given to the YAML parser, which recurses, keeps a path for
// every node and is quadratic in the length of a mapping: without them a megabyte
// of "[" would cost gigabytes, and one of "a:" minutes.
const (
	maxLine   = 4096   // bytes; bounds the nesting of block collections as well
	maxFlow   = 16     // nesting of [ and {
	maxTokens = 10_000 // about 300 components; comments do not count
)

// decoder collects the errors of one file on its way through text, tokens,
// nodes and meaning.
type decoder struct {
	file   string
	data   []byte
	lookup func(string) (string, bool)
	errs   Errors
}

// parse returns the one mapping that the file must hold, or notes why there is
// none and returns nil.
func (d *decoder) parse() ast.Node {
	if !d.text() {
		return nil
	}
	tokens := lexer.Tokenize(string(d.data))
	if !d.plain(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // mapping() finds duplicates, with both positions
	if err != nil {
		d.syntax(err)
		return nil
	}
	var docs []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			docs = append(docs, doc.Body)
		}
	}
	switch len(docs) {
	case 0:
		d.fail(pos{1, 1}, "`holdfast init` writes one", "the file holds no configuration")
		return nil
	case 1:
	default:
		d.fail(at(docs[1]), "one file is one set", "a second YAML document")
		return nil
	}
	return docs[0]
}

// text checks size, encoding, control characters and line lengths.
func (d *decoder) text() bool {
	if len(d.data) > maxFile {
		d.fail(pos{1, 1}, "is this the right file?", "the file is larger than 1 MiB")
		return false
	}
	p, start := pos{1, 1}, 0
	for i := 0; i < len(d.data); {
		r, n := utf8.DecodeRune(d.data[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			d.fail(p, "save the file as UTF-8", "not valid UTF-8: byte %#02x", d.data[i])
			return false
		case r == '\n':
			p, start = pos{p.line + 1, 0}, i+1
		case r == '\t' && len(bytes.TrimLeft(d.data[start:i], " ")) == 0:
			d.fail(p, "indent with spaces", "a tab in the indentation")
			return false
		case isControl(r), r == '\r' && !bytes.HasPrefix(d.data[i:], []byte("\r\n")):
			d.fail(p, "remove it", "a control character (%U)", r)
			return false
		case i-start >= maxLine:
			d.fail(p, "break it", "the line is longer than %d bytes", maxLine)
			return false
		}
		p.column++
		i += n
	}
	return true
}

// isControl says whether YAML 1.2 (section 5.1) excludes r from a document. A
// byte order mark is excluded too: nobody sees it.
func isControl(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfeff
}

// plain refuses, before anything recurses, what a configuration has no use for:
// every one of these makes a file mean something other than what it shows.
func (d *decoder) plain(tokens token.Tokens) bool {
	depth, count := 0, 0
	for _, tk := range tokens {
		p := tokenPos(tk)
		if tk.Type != token.CommentType {
			count++
		}
		if count > maxTokens {
			d.fail(p, "is this the right file?", "more than %d words and signs", maxTokens)
			return false
		}
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			d.fail(p, "write the value out", "anchors, aliases and merge keys are not allowed")
		case token.TagType:
			d.fail(p, "remove it; put a value in quotes to make it text", "tags are not allowed")
		case token.DirectiveType:
			d.fail(p, "remove it", "directives are not allowed")
		case token.MappingKeyType:
			d.fail(p, "write `key: value`", "complex keys are not allowed")
		case token.LiteralType, token.FoldedType:
			d.fail(p, "write the value on one line", "block text is not allowed")
		case token.MappingStartType, token.SequenceStartType:
			if depth++; depth > maxFlow {
				d.fail(p, "", "nested more than %d deep", maxFlow)
			}
		case token.MappingEndType, token.SequenceEndType:
			depth--
		default:
			continue
		}
		if len(d.errs) > 0 {
			return false
		}
	}
	return true
}

// syntax notes an error of the YAML library.
func (d *decoder) syntax(err error) {
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		p, hint := tokenPos(ye.GetToken()), ""
		if strings.Contains(d.line(p.line), "${") { // in { } YAML takes the brace for its own
			hint = "between { and } put a value with ${NAME} in quotes"
		}
		d.fail(p, hint, "not valid YAML: %s", ye.GetMessage())
		return
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	d.fail(pos{1, 1}, "", "not valid YAML: %s", message)
}

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    pos // of the key
	value ast.Node
}

// mapping returns the entries of n, or notes that it is none. Of a repeated key
// the first is returned and the others are noted.
func (d *decoder) mapping(n ast.Node, what string) ([]entry, bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fail(at(n), "write {key: value, ...}", "%s: expected keys and values, found %s", what, describe(n))
		return nil, false
	}
	var entries []entry
	seen := map[string]pos{}
	for it := m.MapRange(); it.Next(); {
		key, ok := it.Key().(*ast.StringNode)
		if !ok {
			d.fail(at(it.Key()), "", "%s: a key must be a word, found %s", what, describe(it.Key()))
			continue
		}
		if first, twice := seen[key.Value]; twice {
			d.fail(at(key), "remove one", "%s: key %q stands here a second time; the first is on line %d", what, key.Value, first.line)
			continue
		}
		seen[key.Value] = at(key)
		entries = append(entries, entry{key.Value, at(key), it.Value()})
	}
	return entries, true
}

// sequence returns the elements of n, or notes that it is none.
func (d *decoder) sequence(e entry) []ast.Node {
	s, ok := e.value.(*ast.SequenceNode)
	if !ok {
		d.fail(at(e.value), "start each with `- `", "%s: expected a list, found %s", e.key, describe(e.value))
		return nil
	}
	return s.Values
}

// describe names what a node is, for "expected a list, found ...".
func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode:
		return "text"
	case *ast.BoolNode:
		return "a boolean"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "keys and values"
	default:
		return n.Type().YAMLName()
	}
}

// at returns where a node begins. A mapping's own token is the colon of its
// first entry or its brace, so the first key says it better.
func at(n ast.Node) pos {
	if m, ok := n.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() {
			return at(it.Key())
		}
	}
	return tokenPos(n.GetToken())
}

func tokenPos(tk *token.Token) pos {
	if tk == nil || tk.Position == nil {
		return pos{1, 1}
	}
	return pos{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}
