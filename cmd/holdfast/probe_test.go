package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// careless is a target that replaces what is there.
type careless struct{ *memtarget.Target }

func (c careless) Put(ctx context.Context, key string, body io.ReaderAt, o target.PutOptions) (target.Object, error) {
	if err := c.Delete(ctx, key); err != nil {
		return target.Object{}, err
	}
	return c.Target.Put(ctx, key, body, o)
}

func TestProbe(t *testing.T) {
	now := time.Date(2026, 4, 11, 9, 0, 0, 0, time.UTC)
	clock := now.Add(-2 * probeAge)
	var fault error
	mem := memtarget.New(memtarget.Options{
		Now: func() time.Time { return clock },
		Hook: func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
			if op == memtarget.Put {
				return memtarget.Fault{Err: fault}
			}
			return memtarget.Fault{}
		},
	})
	mem.Set("_probe/old", []byte("left by a run that was killed"))
	mem.Set("atocore/_probe/x", []byte("not a probe"))
	clock = now.Add(-time.Minute)
	mem.Set("_probe/young", []byte("of a run that is at work"))
	clock = now
	for _, c := range []struct {
		target target.Target
		keeps  bool
	}{{mem, true}, {careless{mem}, false}} {
		keeps, err := probe(t.Context(), target.Open("nas", c.target, target.Options{}), now)
		if err != nil || keeps != c.keeps {
			t.Errorf("%T: keeps if-absent: %v, %v", c.target, keeps, err)
		}
		if keys := mem.Keys(); !slices.Equal(keys, []string{"_probe/young", "atocore/_probe/x"}) {
			t.Errorf("%T: the target holds %v", c.target, keys)
		}
	}
	fault = &target.Error{Op: "put", Kind: target.KindDenied}
	if _, err := probe(t.Context(), target.Open("nas", mem, target.Options{}), now); !errors.Is(err, target.ErrDenied) {
		t.Errorf("a target that may not be written gave %v", err)
	}
}
