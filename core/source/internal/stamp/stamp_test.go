package stamp_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/atocore/holdfast/core/source/internal/stamp"
)

func TestStamp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write := func(name, content string) {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func() stamp.Stamp {
		s, err := stamp.OfPath(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if o, err := stamp.OfFile(f); err != nil || o != s {
			t.Errorf("the open file is %+v, the path %+v, %v", o, s, err)
		}
		return s
	}
	write(path, "abc")
	first := look()
	if look() != first {
		t.Error("the stamp of an unchanged file changed")
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if first.Size != 3 || first.Mtime != fi.ModTime().UnixNano() {
		t.Errorf("%+v of a file of %d bytes written at %v", first, fi.Size(), fi.ModTime())
	}
	write(path+".new", "abc")
	if err := os.Chtimes(path+".new", fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if look() == first {
		t.Error("another file in its place, of the same size and time, was not noticed")
	}
	if _, err := stamp.OfPath(path + ".none"); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}
