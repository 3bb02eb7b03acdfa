package targettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/atocore/holdfast/core/target"
)

func readCases() []testCase {
	return []testCase{
		{name: "get/missing", run: func(e *env) {
			e.mustPut("dir/there", []byte("x"))
			for _, key := range []string{"missing", "dir", "dir/there/below", "dir/missing", "no/such/folder"} {
				_, err := e.get(key, 0, -1)
				e.wantKind("Get "+key, err, target.ErrNotFound)
				_, err = e.get(key, 0, 0)
				e.wantKind("Get of no bytes of "+key, err, target.ErrNotFound)
				_, err = e.t.Stat(e.ctx, key)
				e.wantKind("Stat "+key, err, target.ErrNotFound)
			}
		}},
		{name: "get/ranges", run: ranges},
		{name: "get/ranges of an empty object", run: func(e *env) {
			e.mustPut("empty", nil)
			for _, r := range [][2]int64{{0, 0}, {0, -1}, {0, 10}, {5, 5}, {5, -1}} {
				if b, err := e.get("empty", r[0], r[1]); err != nil || len(b) != 0 {
					e.Errorf("Get %v: %d bytes, %v", r, len(b), err)
				}
			}
		}},
		{name: "get/closed early", run: func(e *env) {
			e.mustPut("large", pattern(20, 4*mib))
			for range 20 {
				r, err := e.t.Get(e.ctx, "large", 0, -1)
				if err != nil {
					e.Fatalf("Get: %v", err)
				}
				if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
					e.Errorf("first bytes: %v", err)
				}
				if err := r.Close(); err != nil {
					e.Errorf("Close: %v", err)
				}
			}
		}},
		{name: "get/cancelled midway", run: func(e *env) {
			e.mustPut("large", pattern(21, 17*mib))
			ctx, cancel := context.WithCancel(e.ctx)
			defer cancel()
			r, err := e.t.Get(ctx, "large", 0, -1)
			if err != nil {
				e.Fatalf("Get: %v", err)
			}
			if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
				e.Errorf("first bytes: %v", err)
			}
			cancel()
			if n, err := io.Copy(io.Discard, r); err == nil {
				e.Errorf("all %d bytes arrived after the context had ended", n)
			}
			_ = r.Close() // a reader that failed may say so again
		}},
		{name: "get/at the same time", run: func(e *env) {
			b := pattern(22, mib)
			e.mustPut("shared", b)
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					off := int64(i * 1000)
					got, err := e.get("shared", off, 5000)
					if err != nil || !bytes.Equal(got, b[off:off+5000]) {
						e.Errorf("Get at %d: %d bytes, %v", off, len(got), err)
					}
				})
			}
			wg.Wait()
		}},
		{name: "ended context", run: endedContext},
		{name: "reopen", needs: func(_ target.Info, o Options) string {
			if o.Reopen == nil {
				return "the test cannot open the place again"
			}
			return ""
		}, run: func(e *env) {
			b := pattern(23, 3*mib)
			e.mustPut("a/kept", b)
			e.mustPut("b", nil)
			e.t = e.opt.Reopen(e.T, e.t)
			e.wantBytes("a/kept", b)
			e.wantBytes("b", nil)
			if keys := e.list("", ""); len(keys) != 2 {
				e.Errorf("List after reopening: %q", keys)
			}
		}},
	}
}

// ranges reads at and past every edge.
func ranges(e *env) {
	b := pattern(24, 1000)
	e.mustPut("ranged", b)
	for _, c := range []struct {
		offset, length int64
		want           []byte
	}{
		{0, 0, nil},
		{0, -1, b},
		{0, 1, b[:1]},
		{0, 1000, b},
		{0, 1001, b},
		{999, 1, b[999:]},
		{999, -1, b[999:]},
		{999, 2, b[999:]},
		{500, 100, b[500:600]},
		{500, 0, nil},
		{500, -1, b[500:]},
		{500, math.MaxInt64, b[500:]},
		{1000, 0, nil},
		{1000, 1, nil},
		{1000, -1, nil},
		{1001, 1, nil},
		{math.MaxInt64, 1, nil},
		{math.MaxInt64, -1, nil},
	} {
		got, err := e.get("ranged", c.offset, c.length)
		if err != nil || !bytes.Equal(got, c.want) {
			e.Errorf("Get offset %d length %d: %d bytes, %v; want %d bytes", c.offset, c.length, len(got), err, len(c.want))
		}
	}
	_, err := e.get("ranged", -1, 1)
	e.wantKind("Get at offset -1", err, target.ErrInvalid)
}

// endedContext calls every operation too late.
func endedContext(e *env) {
	b := []byte("x")
	e.mustPut("there", b)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_, statErr := e.t.Stat(ctx, "there")
	_, putErr := e.t.Put(ctx, "late", bytes.NewReader(b), optionsFor(b))
	var getErr error
	if r, err := e.t.Get(ctx, "there", 0, -1); err != nil {
		getErr = err
	} else {
		_, getErr = io.ReadAll(r)
		_ = r.Close()
	}
	listErr := fmt.Errorf("a complete listing")
	for _, err := range e.t.List(ctx, "", "") {
		listErr = err
	}
	for what, err := range map[string]error{
		"Stat": statErr, "Put": putErr, "Get": getErr, "List": listErr, "Delete": e.t.Delete(ctx, "there"),
	} {
		if !errors.Is(err, context.Canceled) {
			e.Errorf("%s with an ended context: %v", what, err)
		}
	}
	e.wantNothing("late")
	e.wantBytes("there", b)
}
