package target_test

import (
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/target"
)

func TestCheckKey(t *testing.T) {
	component := strings.Repeat("c", target.MaxComponent)
	good := []string{
		"a", "holdfast.json", "...", ".a", "a..", "-", "_", "atocore/archives/20260411T094646Z-7f3a9c01/db-00000.zst",
		"A/Z/0/9", component, component + "/" + component, strings.Repeat("a/", target.MaxKey/2-1) + "bc",
	}
	for _, key := range good {
		if err := target.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%.60q): %v", key, err)
		}
		for n := range len(key) + 1 {
			if err := target.CheckPrefix(key[:n]); err != nil {
				t.Errorf("CheckPrefix of the first %d bytes of %.60q: %v", n, key, err)
			}
		}
	}
	for _, key := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "./a", "a/.", "a/../b", "a b", "a\x00", "a\n", "ä", "a\\b", "~a", "a%", "a:b", "a+b",
		component + "c", strings.Repeat("a/", target.MaxKey/2) + "b", strings.Repeat("\x80", 1<<20),
	} {
		if err := target.CheckKey(key); err == nil {
			t.Errorf("CheckKey(%.60q) is fine", key)
		} else if len(err.Error()) > target.MaxKey+200 {
			t.Errorf("CheckKey of %d bytes has an error of %d bytes", len(key), len(err.Error()))
		}
	}
}

func TestCheckPrefix(t *testing.T) {
	component := strings.Repeat("c", target.MaxComponent)
	for _, prefix := range []string{"", "a/", ".", "..", "a/..", "a/b/", component, component + "/"} {
		if err := target.CheckPrefix(prefix); err != nil {
			t.Errorf("CheckPrefix(%.60q): %v", prefix, err)
		}
	}
	for _, prefix := range []string{"/", "//", "a//", "./", "../", "a/../", "a b", "~", "\x00", component + "c", component + "c/", strings.Repeat("a/", target.MaxKey)} {
		if err := target.CheckPrefix(prefix); err == nil {
			t.Errorf("CheckPrefix(%.60q) is fine", prefix)
		}
	}
}
