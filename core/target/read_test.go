package target_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

var alphabet = []byte("abcdefghijklmnopqrstuvwxyz")

// cut delivers the first n bytes and then end.
func cut(n int, end error) memtarget.Fault {
	return memtarget.Fault{Body: func(b []byte) []byte { return b[:min(n, len(b))] }, BodyErr: end}
}

func TestOpenResumes(t *testing.T) {
	for _, c := range []struct {
		name string
		hook memtarget.Hook
	}{
		{"no fault", nil},
		{"dropped once", firstN(memtarget.Get, 1, cut(7, errors.New("connection reset by peer")))},
		{"dropped with a kind", firstN(memtarget.Get, 1, cut(7, unavailable()))},
		{"dropped at every byte", firstN(memtarget.Get, 1000, cut(1, unavailable()))},
		{"ended early at every byte", firstN(memtarget.Get, 1000, cut(1, nil))},
		{"nothing arrives three times", firstN(memtarget.Get, 3, cut(0, unavailable()))},
		{"refused three times", firstN(memtarget.Get, 3, memtarget.Fault{Err: unavailable()})},
		{"more than asked for", firstN(memtarget.Get, 1, memtarget.Fault{Body: func([]byte) []byte { return alphabet[3:] }})},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, mem := quick(c.hook)
			mem.Set("k", alphabet)
			r := s.Open(t.Context(), "k", 3, 20)
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, alphabet[3:23]) {
				t.Errorf("got %q, %v", got, err)
			}
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, err := r.Read(make([]byte, 1)); err == nil {
				t.Error("Read after Close succeeds")
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	denied := &target.Error{Op: "get", Kind: target.KindDenied}
	for _, c := range []struct {
		name string
		key  string
		hook memtarget.Hook
		want error
		got  int // bytes delivered before
	}{
		{"missing", "missing", nil, target.ErrNotFound, 0},
		{"denied", "k", firstN(memtarget.Get, 1, memtarget.Fault{Err: denied}), target.ErrDenied, 0},
		{"denied midway", "k", firstN(memtarget.Get, 1, cut(5, denied)), target.ErrDenied, 5},
		{"too short", "k", nil, target.ErrCorrupt, 26},
		{"too short, as io.ErrUnexpectedEOF", "k", nil, io.ErrUnexpectedEOF, 26},
		{"nothing arrives for ever", "k", firstN(memtarget.Get, 1000, cut(0, unavailable())), target.ErrUnavailable, 0},
		{"empty answers for ever", "k", firstN(memtarget.Get, 1000, cut(0, nil)), target.ErrCorrupt, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, mem := quick(c.hook)
			mem.Set("k", alphabet)
			r := s.Open(t.Context(), c.key, 0, 27)
			got, err := io.ReadAll(r)
			if !errors.Is(err, c.want) || len(got) != c.got {
				t.Errorf("%d bytes, %v; want %d, %v", len(got), err, c.got, c.want)
			}
			if _, again := r.Read(make([]byte, 1)); !errors.Is(again, c.want) {
				t.Errorf("the error is not kept: %v", again)
			}
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestOpenIsAGoodReader(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	s, mem := quick(func(_ context.Context, op memtarget.Op, _ string) memtarget.Fault {
		if op == memtarget.Get && rnd.IntN(2) == 0 {
			return cut(1+rnd.IntN(3), unavailable())
		}
		return memtarget.Fault{}
	})
	mem.Set("k", alphabet)
	if err := iotest.TestReader(s.Open(t.Context(), "k", 0, 26), alphabet); err != nil {
		t.Error(err)
	}
}

func TestOpenCancelled(t *testing.T) {
	s, mem := quick(firstN(memtarget.Get, 1, cut(5, unavailable())))
	mem.Set("k", alphabet)
	ctx, cancel := context.WithCancel(t.Context())
	r := s.Open(ctx, "k", 0, 26)
	if _, err := io.ReadFull(r, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOpenVerified(t *testing.T) {
	sum := sha256.Sum256(alphabet)
	flipped := bytes.Clone(alphabet)
	flipped[13] ^= 1
	for _, c := range []struct {
		name   string
		stored []byte // nil: nothing
		hook   memtarget.Hook
		want   error
	}{
		{"good", alphabet, nil, nil},
		{"good, dropped at every byte", alphabet, firstN(memtarget.Get, 26, cut(1, unavailable())), nil},
		{"good, dropped where it ends", alphabet, firstN(memtarget.Get, 1, cut(26, unavailable())), nil},
		{"flipped bit", flipped, nil, target.ErrCorrupt},
		{"truncated", alphabet[:25], nil, target.ErrCorrupt},
		{"empty", []byte{}, nil, target.ErrCorrupt},
		{"appended", append(bytes.Clone(alphabet), 'x'), nil, target.ErrCorrupt},
		{"missing", nil, nil, target.ErrNotFound},
		{"wrong body", alphabet, firstN(memtarget.Get, 1, memtarget.Fault{Body: func([]byte) []byte { return flipped }}), target.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, mem := quick(c.hook)
			if c.stored != nil {
				mem.Set("k", c.stored)
			}
			r := s.OpenVerified(t.Context(), "k", 26, sum)
			got, err := io.ReadAll(r)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err == nil && !bytes.Equal(got, alphabet) {
				t.Errorf("got %q", got)
			}
			if _, again := r.Read(make([]byte, 1)); c.want != nil && !errors.Is(again, c.want) || c.want == nil && again != io.EOF {
				t.Errorf("the end is not kept: %v", again)
			}
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	t.Run("empty object", func(t *testing.T) {
		s, mem := quick(nil)
		none := sha256.Sum256(nil)
		if _, err := io.ReadAll(s.OpenVerified(t.Context(), "k", 0, none)); !errors.Is(err, target.ErrNotFound) {
			t.Errorf("missing: %v", err)
		}
		mem.Set("k", nil)
		if _, err := io.ReadAll(s.OpenVerified(t.Context(), "k", 0, none)); err != nil {
			t.Errorf("there: %v", err)
		}
		mem.Set("k", []byte("x"))
		if _, err := io.ReadAll(s.OpenVerified(t.Context(), "k", 0, none)); !errors.Is(err, target.ErrCorrupt) {
			t.Errorf("too long: %v", err)
		}
	})
}

func TestGetBytes(t *testing.T) {
	s, mem := quick(nil)
	mem.Set("k", alphabet)
	mem.Set("empty", nil)
	if got, err := s.GetBytes(t.Context(), "k", 26); err != nil || !bytes.Equal(got, alphabet) {
		t.Errorf("at the limit: %q, %v", got, err)
	}
	if got, err := s.GetBytes(t.Context(), "empty", 0); err != nil || len(got) != 0 {
		t.Errorf("empty: %q, %v", got, err)
	}
	if got, err := s.GetBytes(t.Context(), "k", 25); !errors.Is(err, target.ErrCorrupt) || got != nil {
		t.Errorf("over the limit: %q, %v", got, err)
	}
	if _, err := s.GetBytes(t.Context(), "missing", 25); !errors.Is(err, target.ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
}

// TestGetBytesBeforeAllocation lets a target claim an absurd size.
func TestGetBytesBeforeAllocation(t *testing.T) {
	mem := memtarget.New(memtarget.Options{})
	mem.Set("k", alphabet)
	s := over(absurd{mem})
	if _, err := s.GetBytes(t.Context(), "k", 1<<20); !errors.Is(err, target.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

type absurd struct{ target.Target }

func (a absurd) Stat(ctx context.Context, key string) (target.Object, error) {
	o, err := a.Target.Stat(ctx, key)
	o.Size = 1 << 60
	return o, err
}

func TestReadRange(t *testing.T) {
	s, mem := quick(firstN(memtarget.Get, 1, cut(2, unavailable())))
	mem.Set("k", alphabet)
	p := make([]byte, 10)
	if err := s.ReadRange(t.Context(), "k", 16, p); err != nil || !bytes.Equal(p, alphabet[16:]) {
		t.Errorf("got %q, %v", p, err)
	}
	if err := s.ReadRange(t.Context(), "k", 17, p); !errors.Is(err, target.ErrCorrupt) {
		t.Errorf("past the end: %v", err)
	}
}
