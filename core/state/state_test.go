package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	d, err := Open(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.Lock("atocore")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock("atocore"); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process ") {
		t.Fatalf("a second lock: %v", err)
	}
	other, err := d.Lock("other")
	if err != nil {
		t.Fatal(err)
	}
	other.Unlock()
	l.Unlock()
	again, err := d.Lock("atocore")
	if err != nil {
		t.Fatal(err)
	}
	again.Unlock()
}

func TestSeen(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := d.Seen("atocore", "nas"); err != nil || s != (Seen{}) {
		t.Fatalf("nothing is remembered: %+v, %v", s, err)
	}
	want := Seen{"r", "20260411T094646Z-7f3a9c01", 7, time.Unix(1, 0).UTC()}
	for range 2 {
		if err := d.Remember("atocore", "nas", want); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := d.Seen("atocore", "nas"); err != nil || s != want {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := os.WriteFile(d.seenPath("atocore", "nas"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Seen("atocore", "nas"); err == nil {
		t.Fatal("a broken memory was read")
	}
}

func TestCheck(t *testing.T) {
	d := Look(filepath.Join(t.TempDir(), "not", "made"))
	if err := errors.Join(d.Check("atocore", "nas", "r"), d.Forget("atocore", "nas")); err != nil {
		t.Fatalf("nothing is remembered: %v", err)
	}
	if err := d.Remember("atocore", "nas", Seen{"r", "20260411T094646Z-7f3a9c01", 7, time.Unix(1, 0).UTC()}); err != nil {
		t.Fatal(err)
	}
	for _, other := range []error{d.Check("other", "nas", "x"), d.Check("atocore", "usb", "x"), d.Check("atocore", "nas", "r")} {
		if other != nil {
			t.Errorf("it is the same: %v", other)
		}
	}
	for now, says := range map[string]string{"x": "now it is repository x", "": "now it holds no repository"} {
		err := d.Check("atocore", "nas", now)
		if !errors.As(err, new(*ReplacedError)) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "repository r with snapshot 20260411T094646Z-7f3a9c01 when last seen on 1970-01-01") {
			t.Errorf("now %q: %v", now, err)
		}
	}
	if err := errors.Join(d.Forget("atocore", "nas"), d.Check("atocore", "nas", "x")); err != nil {
		t.Errorf("forgotten: %v", err)
	}
}
