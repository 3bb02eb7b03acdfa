package main

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// painted is text that may hold the colours of [app.paint], and nothing else that
// a terminal obeys.
type painted string

// say is fmt.Fprintf for people: what it formats may come from a repository or a
// store, which may be hostile, so every argument that is text, or an error, is
// made visible. Further lines of an argument are indented: none can pass for a
// line of its own. The format is ours.
func say(w io.Writer, format string, args ...any) (int, error) {
	for i, arg := range args {
		switch v := arg.(type) {
		case painted:
		case error:
			args[i] = visible(v.Error(), "\n    ")
		case fmt.Stringer:
			args[i] = visible(v.String(), "\n    ")
		default:
			if s := reflect.ValueOf(arg); s.Kind() == reflect.String {
				args[i] = visible(s.String(), "\n    ")
			}
		}
	}
	return fmt.Fprintf(w, format, args...)
}

// visible escapes, as Go does in a string, what is not UTF-8 and what has no
// shape of its own: control characters, with them the escape that begins a
// terminal's commands, and those that turn the direction of writing around. A
// line feed becomes newline.
func visible(s, newline string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n':
			b.WriteString(newline)
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[n:]
	}
	return b.String()
}
