package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// table lays out rows for people. Columns are as wide as their widest cell; the
// last one is cut so that a line fits the terminal.
type table struct {
	header []string
	right  []bool // columns that are aligned to the right: numbers
	rows   [][]string
	paint  func(column int, cell string) painted // colours a cell that is laid out; may be nil
}

// add adds a row. What may not reach a terminal is made visible, line feeds too.
func (t *table) add(cells ...string) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = visible(c, `\n`)
	}
	t.rows = append(t.rows, row)
}

// write writes the table with lines of at most width characters, or of any
// length when width is 0.
func (t *table) write(w io.Writer, width int) error {
	lines := append([][]string{t.header}, t.rows...)
	widths := make([]int, len(t.header))
	for _, cells := range lines {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	last, before := len(widths)-1, 0
	for _, n := range widths[:last] {
		before += n + 2
	}
	if width > 0 {
		widths[last] = min(widths[last], max(width-before, utf8.RuneCountInString(t.header[last])))
	}
	var b strings.Builder
	for n, cells := range lines {
		var line strings.Builder
		for i, c := range cells {
			if i == last {
				c = cut(c, widths[i])
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if n > 0 && t.paint != nil {
				c = string(t.paint(i, c))
			}
			switch {
			case i < len(t.right) && t.right[i]:
				line.WriteString(pad + c)
			case i < last:
				line.WriteString(c + pad)
			default:
				line.WriteString(c)
			}
			if i < last {
				line.WriteString("  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cut shortens s to n characters, with an ellipsis in the last place.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(n-1, 0)]) + "…"
}

// width is how many characters fit on a line of stdout: the terminal's width,
// $COLUMNS when it is set, and 0 for no limit elsewhere.
func (a *app) width() int {
	if s, _ := a.lookup("COLUMNS"); s != "" {
		if n, err := strconv.Atoi(s); err == nil && n > 0 {
			return n
		}
	}
	if f, ok := a.stdout.w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 0
}

// local shows a moment in the local time zone; the zero time is a dash.
func local(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
