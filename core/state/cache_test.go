package state

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/atocore/holdfast/core/manifest"
)

func TestManifests(t *testing.T) {
	const repository, set = "0123456789abcdef0123456789abcdef", "atocore"
	a, b := manifest.ID("20260411T094646Z-7f3a9c01"), manifest.ID("20260412T094646Z-7f3a9c01")
	dir := filepath.Join(t.TempDir(), "state")
	m := Look(dir).Manifests()
	m.Put(repository, set, a, []byte("x"))
	if _, err := os.Stat(dir); err == nil || m.Get(repository, set, a) != nil || m.IDs(repository, set) != nil {
		t.Fatal("an entry was put where there is no state directory")
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	m.Put(repository, set, b, []byte("b"))
	m.Put(repository, set, a, []byte("a"))
	m.Put(repository, "other", a, []byte("other"))
	for _, name := range []string{"x.json", string(a), string(a) + ".tmp"} {
		if err := os.WriteFile(filepath.Join(m.folder(repository, set), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.IDs(repository, set); !slices.Equal(got, []manifest.ID{a, b}) {
		t.Errorf("ids %v", got)
	}
	if string(m.Get(repository, set, a)) != "a" || m.Get("f"+repository[1:], set, a) != nil {
		t.Error("an entry belongs to one repository and one set")
	}
	m.Drop(repository, set, a)
	m.Drop(repository, set, a)
	if m.Get(repository, set, a) != nil || string(m.Get(repository, "other", a)) != "other" {
		t.Error("Drop drops one entry")
	}
}

func TestNotebook(t *testing.T) {
	dir := t.TempDir()
	n := Look(dir).Cleanup("atocore", "nas")
	if b, err := n.Read(); b != nil || err != nil {
		t.Fatalf("nothing was written: %q, %v", b, err)
	}
	for _, want := range []string{"one", "two"} {
		if err := n.Write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if b, err := n.Read(); string(b) != want || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	if b, _ := Look(dir).Cleanup("atocore", "usb").Read(); b != nil {
		t.Errorf("another target's: %q", b)
	}
	if err := os.RemoveAll(filepath.Join(dir, "cleanup")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cleanup"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Write([]byte("three")); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("written into a file's place: %v", err)
	}
}
