package chroma

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/atocore/holdfast/core/manifest"
)

// maxName bounds a member's name in bytes: with it in a PAX record the header still fits one chunk.
const maxName = 1024

// nameSet accepts names of members that can stand beside each other on any file system, and as many as
// an index has room for. The same
// rules hold for what is captured and for what is extracted: what one accepts the other does.
type nameSet struct {
	files map[string]string // folded name -> name
	dirs  map[string]string // folded name of a directory that files imply -> its name
	bytes int               // of all names of files
}

func newNameSet() *nameSet { return &nameSet{files: map[string]string{}, dirs: map[string]string{}} }

func (n *nameSet) add(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if n.bytes += len(name); len(n.files) == manifest.MaxParts || n.bytes > manifest.MaxPartNames {
		return fmt.Errorf("more than %d members, or more than %d bytes of names", manifest.MaxParts, manifest.MaxPartNames)
	}
	key := fold(name)
	if other, ok := n.files[key]; ok {
		return fmt.Errorf("members %q and %q have the same name where case does not count", other, name)
	}
	if other, ok := n.dirs[key]; ok {
		return fmt.Errorf("%q is a file and a directory (%q)", name, other)
	}
	n.files[key] = name
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		key := fold(d)
		if other, ok := n.files[key]; ok {
			return fmt.Errorf("%q is a file, and a directory of %q", other, name)
		}
		if other, ok := n.dirs[key]; ok && other != d {
			return fmt.Errorf("directories %q and %q have the same name where case does not count", other, d)
		}
		n.dirs[key] = d
	}
	return nil
}

func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("a member's name has %d bytes, more than %d", len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("member name %q is not valid UTF-8", name)
	case strings.ContainsFunc(name, unicode.IsControl) || strings.Contains(name, `\`):
		return fmt.Errorf("member name %q has a character that a file name should not have", name)
	case path.Clean(name) != name || name == "." || !filepath.IsLocal(name):
		return fmt.Errorf("member name %q is not a plain relative path", name)
	}
	for _, part := range strings.Split(name, "/") {
		if len(part) > 255 {
			return errors.New("a part of a member's name is longer than 255 bytes")
		}
	}
	return nil
}

// fold maps names to the same key when they differ only in the case of ASCII letters. What else a file
// system may take for one name depends on the file system: extracting there fails as the file exists.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}
