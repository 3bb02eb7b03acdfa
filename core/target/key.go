package target

import (
	"fmt"
	"strings"
)

// The bounds of a key, in bytes. A component fits every file system's name
// (255) with room for nothing else; a whole key leaves half of S3's 1,024 to
// the prefix that a bucket is configured with.
const (
	MaxKey       = 512
	MaxComponent = 254
)

// CheckKey says what is wrong with a key, or nil. A key is components of
// [A-Za-z0-9._-], each 1 to MaxComponent bytes and neither "." nor "..", joined
// by "/", at most MaxKey bytes in all. The error names the key; a driver wraps
// it in an *Error of KindInvalid.
func CheckKey(key string) error {
	if key == "" {
		return fmt.Errorf("key is empty")
	}
	if err := checkBytes(key); err != nil {
		return err
	}
	for c := range strings.SplitSeq(key, "/") {
		if err := checkComponent(c); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}

// CheckPrefix says why no key could start with prefix, or nil. The empty prefix
// starts every key; a prefix may end in the middle of a component.
func CheckPrefix(prefix string) error {
	if err := checkBytes(prefix); err != nil {
		return err
	}
	whole := strings.Split(prefix, "/")
	open := whole[len(whole)-1] // the component that may go on
	for _, c := range whole[:len(whole)-1] {
		if err := checkComponent(c); err != nil {
			return fmt.Errorf("prefix %q: %w", prefix, err)
		}
	}
	if len(open) > MaxComponent {
		return fmt.Errorf("prefix %.40q...: last component has %d bytes, more than %d", prefix, len(open), MaxComponent)
	}
	return nil
}

func checkBytes(s string) error {
	if len(s) > MaxKey {
		return fmt.Errorf("key %.40q... has %d bytes, more than %d", s, len(s), MaxKey)
	}
	for i := range len(s) {
		if c := s[i]; c != '/' && !keyByte(c) {
			return fmt.Errorf("key %q: byte %q at %d is outside [A-Za-z0-9/._-]", s, c, i)
		}
	}
	return nil
}

func checkComponent(c string) error {
	switch {
	case c == "":
		return fmt.Errorf("empty component")
	case c == "." || c == "..":
		return fmt.Errorf("component %q", c)
	case len(c) > MaxComponent:
		return fmt.Errorf("component %.40q... has %d bytes, more than %d", c, len(c), MaxComponent)
	}
	return nil
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}
