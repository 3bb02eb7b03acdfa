package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Error is one thing that is wrong with a configuration file.
type Error struct {
	File    string
	Line    int    // from 1
	Column  int    // from 1, in characters
	Message string // what is wrong, in lower case, without the position
	Hint    string // what to write instead; may be empty
	Text    string // the line itself, without its end; may be empty
}

// Error returns "file:line:column: message (hint)".
func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Excerpt returns the line with a caret below the column, each with a margin of
// the line's number and ended by a newline, or "" when there is no line to
// show. A long line is cut around the column.
func (e *Error) Excerpt() string {
	const width, before = 100, 60
	line := []rune(strings.ReplaceAll(e.Text, "\t", " "))
	if len(line) == 0 {
		return ""
	}
	at := min(max(e.Column-1, 0), len(line))
	if from := at - before; from > 0 {
		line, at = append([]rune("..."), line[from:]...), before+3
	}
	if len(line) > width {
		line = append(line[:width:width], []rune("...")...)
	}
	margin := fmt.Sprintf("%4d | ", e.Line)
	return margin + string(line) + "\n" +
		strings.Repeat(" ", len(margin)-2) + "| " + strings.Repeat(" ", at) + "^\n"
}

// Errors is all that is wrong with a configuration file, at least one, in the
// order of the file.
type Errors []*Error

// Error returns one line for each.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each [*Error].
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// maxErrors bounds what a hopeless file prints.
const maxErrors = 20

// pos is a place in the file: line and column from 1, column in characters.
type pos struct{ line, column int }

// fail notes an error at p. The first maxErrors are kept.
func (d *decoder) fail(p pos, hint, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		return
	}
	d.errs = append(d.errs, &Error{
		File: d.file, Line: p.line, Column: p.column,
		Message: fmt.Sprintf(format, args...), Hint: hint, Text: d.line(p.line),
	})
}

// line returns the n-th line of the file without its end; "" when there is none
// or it is not text.
func (d *decoder) line(n int) string {
	for l := range strings.Lines(string(d.data)) {
		if n--; n == 0 {
			l = strings.TrimRight(l, "\r\n")
			if !utf8.ValidString(l) || strings.ContainsFunc(l, isControl) {
				return ""
			}
			return l
		}
	}
	return ""
}

func (d *decoder) sorted() Errors {
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.errs
}
