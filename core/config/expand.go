package config

import (
	"fmt"
	"strings"
)

// expandError says why a value's variables could not be replaced.
type expandError struct{ message, hint string }

// expand replaces ${NAME} by lookup's value and $$ by a dollar sign. What it
// puts in is not expanded again. A variable must be set and not empty: an empty
// one would turn ${DATA}/db into /db. A dollar sign that is neither is an error,
// for it is a mistake more often than it is meant.
func expand(s string, lookup func(string) (string, bool)) (string, *expandError) {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		out.WriteString(s[:i])
		s = s[i+1:]
		switch {
		case strings.HasPrefix(s, "$"):
			out.WriteByte('$')
			s = s[1:]
		case strings.HasPrefix(s, "{"):
			name, rest, closed := strings.Cut(s[1:], "}")
			if !closed || !isVariable(name) {
				return "", &expandError{"${ without a variable's name and }", "write ${NAME}; there are no defaults and no operators"}
			}
			value, ok := lookup(name)
			switch {
			case !ok:
				return "", &expandError{fmt.Sprintf("the environment variable %s is not set", name), "set it, or write the value here"}
			case value == "":
				return "", &expandError{fmt.Sprintf("the environment variable %s is empty", name), "set it, or write the value here"}
			case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
				return "", &expandError{fmt.Sprintf("the environment variable %s holds control characters", name), ""}
			}
			out.WriteString(value)
			s = rest
		default:
			return "", &expandError{"a lone dollar sign", "write ${NAME} for a variable, $$ for a dollar sign"}
		}
	}
}

// isVariable says whether s is a portable name of an environment variable
// (POSIX, Base Definitions 8.1, and lower case too).
func isVariable(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
