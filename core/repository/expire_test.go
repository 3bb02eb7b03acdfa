package repository_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// A first cleanup puts a thousand marks, and each waits for the disk: they are put beside each other. One that cannot
// be put hides none of those that were.
func TestExpireBeside(t *testing.T) {
	w := newWorld(t)
	ids := []manifest.ID{w.place(noon, nil), w.place(noon, nil), w.place(noon, nil)}
	w.repo.Readers = len(ids)
	var begun atomic.Int32
	all := make(chan struct{})
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op != memtarget.Put {
			return memtarget.Fault{}
		}
		if begun.Add(1) == int32(len(ids)) {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(10 * time.Second):
			t.Errorf("%s: put alone", key)
		}
		if key == manifest.ExpiredKey(set, ids[1], 1) {
			return failing(op, key, target.KindDenied)
		}
		return memtarget.Fault{}
	}
	done, err := w.repo.Expire(t.Context(), set, ids, note(), noon)
	if !errors.Is(err, target.ErrDenied) || len(done) != 2 {
		t.Errorf("%+v, error %v", done, err)
	}
	for _, e := range done {
		if e.ID == ids[1] || e.N != 1 {
			t.Errorf("done: %+v", e)
		}
	}
}
