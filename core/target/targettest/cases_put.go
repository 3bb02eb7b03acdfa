package targettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/atocore/holdfast/core/target"
)

const mib = 1 << 20

func putCases() []testCase {
	return []testCase{
		{name: "put/empty", run: func(e *env) {
			e.mustPut("empty", nil)
			e.wantBytes("empty", nil)
			e.wantListed("empty")
		}},
		{name: "put/small", run: func(e *env) {
			b := pattern(1, 1000)
			e.mustPut("a/b/c.bin", b)
			e.wantBytes("a/b/c.bin", b)
			e.wantListed("a/b/c.bin")
		}},
		{name: "put/17MiB", run: func(e *env) {
			b := pattern(2, 17*mib)
			e.mustPut("large", b)
			e.wantBytes("large", b)
			e.wantListed("large")
		}},
		{name: "put/longest key", run: func(e *env) {
			c := strings.Repeat("k", target.MaxComponent)
			key := c + "/" + c
			e.mustPut(key, []byte("long"))
			e.wantBytes(key, []byte("long"))
			e.wantListed(key)
		}},
		{name: "put/bad keys", run: badKeys},
		{name: "put/reader fails midway", run: func(e *env) {
			b := pattern(3, 9*mib)
			boom := errors.New("the reader broke")
			e.putFails("broken", optionsFor(b), failAfter(b, 5*mib, func() error { return boom }))
		}},
		{name: "put/reader too short", run: func(e *env) {
			b := pattern(4, 9*mib)
			err := e.putFails("short", optionsFor(b), bytes.NewReader(b[:len(b)-1]))
			e.wantKind("Put of a short reader", err, target.ErrCorrupt)
			err = e.putFails("short", optionsFor(b), bytes.NewReader(nil))
			e.wantKind("Put of an empty reader", err, target.ErrCorrupt)
		}},
		{name: "put/reader too long", run: func(e *env) {
			b := pattern(5, mib+1)
			o := optionsFor(b) // hash of all bytes, size of all but one
			o.Size--
			err := e.putFails("long", o, bytes.NewReader(b))
			e.wantKind("Put with the hash of a longer reader", err, target.ErrCorrupt)
			if _, err := e.t.Put(e.ctx, "long", bytes.NewReader(b), optionsFor(b[:mib])); err != nil {
				e.Fatalf("Put of the first bytes of a longer reader: %v", err)
			}
			e.wantBytes("long", b[:mib])
		}},
		{name: "put/wrong SHA-256", run: func(e *env) {
			b := pattern(6, 3*mib)
			o := optionsFor(b)
			o.SHA256[31] ^= 1
			err := e.putFails("wrong", o, bytes.NewReader(b))
			e.wantKind("Put with a wrong SHA-256", err, target.ErrCorrupt)
		}},
		{name: "put/negative size", run: func(e *env) {
			err := e.putFails("negative", target.PutOptions{Size: -1, SHA256: optionsFor(nil).SHA256}, bytes.NewReader(nil))
			e.wantKind("Put of size -1", err, target.ErrInvalid)
		}},
		{name: "put/cancelled midway", run: func(e *env) {
			b := pattern(7, 9*mib)
			ctx, cancel := context.WithCancel(e.ctx)
			defer cancel()
			r := failAfter(b, 5*mib, func() error { cancel(); return nil })
			if _, err := e.t.Put(ctx, "cancelled", r, optionsFor(b)); !errors.Is(err, context.Canceled) {
				e.Errorf("Put: %v, want context.Canceled", err)
			}
			e.wantNothing("cancelled")
		}},
		{name: "put/again after a failure", run: func(e *env) {
			b := pattern(8, 2*mib)
			o := optionsFor(b)
			o.IfAbsent = e.info.IfAbsent
			e.putFails("again", o, failAfter(b, mib, func() error { return errors.New("the reader broke") }))
			e.mustPut("again", b)
			e.wantBytes("again", b)
		}},
		{name: "put/twice the same bytes", run: func(e *env) {
			b := pattern(9, 1000)
			e.mustPut("twice", b)
			if _, err := e.t.Put(e.ctx, "twice", bytes.NewReader(b), optionsFor(b)); err != nil {
				e.Errorf("second Put without IfAbsent: %v", err)
			}
			e.wantBytes("twice", b)
		}},
		{name: "put/over other bytes", run: overOther},
		{name: "put/if absent over the same bytes", needs: ifAbsent, run: func(e *env) {
			b := pattern(10, 1000)
			e.mustPut("taken", b)
			e.wantKind("second Put with IfAbsent", e.put("taken", b), target.ErrExists)
			e.wantBytes("taken", b)
		}},
		{name: "put/if absent over other bytes", needs: ifAbsent, run: func(e *env) {
			b := pattern(11, 1000)
			e.mustPut("taken", b)
			e.wantKind("second Put with IfAbsent", e.put("taken", pattern(12, 1000)), target.ErrExists)
			e.wantKind("longer Put with IfAbsent", e.put("taken", pattern(12, 2000)), target.ErrExists)
			e.wantBytes("taken", b)
		}},
		{name: "put/race", needs: ifAbsent, run: race},
	}
}

func ifAbsent(info target.Info, _ Options) string {
	if !info.IfAbsent {
		return "the target has no IfAbsent"
	}
	return ""
}

// badKeys shows keys outside of the grammar to every operation.
func badKeys(e *env) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/../b", "../a", "a b", "a\\b", "a~", "~put-x", "a\x00b", "é", "a\n", "a%2fb",
		strings.Repeat("k", target.MaxComponent+1), strings.Repeat("k/", target.MaxKey/2) + "k",
	} {
		e.wantKind(fmt.Sprintf("Put %q", key), e.put(key, []byte("x")), target.ErrInvalid)
		_, err := e.get(key, 0, -1)
		e.wantKind(fmt.Sprintf("Get %q", key), err, target.ErrInvalid)
		_, err = e.t.Stat(e.ctx, key)
		e.wantKind(fmt.Sprintf("Stat %q", key), err, target.ErrInvalid)
		e.wantKind(fmt.Sprintf("Delete %q", key), e.t.Delete(e.ctx, key), target.ErrInvalid)
	}
	if keys := e.list("", ""); len(keys) != 0 {
		e.Errorf("refused puts left %q", keys)
	}
}

// overOther puts other bytes over an object without IfAbsent: the object is
// wholly the one or wholly the other, and the error says which.
func overOther(e *env) {
	first, second := pattern(13, 2000), pattern(14, 3000)
	e.mustPut("over", first)
	_, err := e.t.Put(e.ctx, "over", bytes.NewReader(second), optionsFor(second))
	if err == nil {
		e.wantBytes("over", second)
		return
	}
	e.wantKind("Put of other bytes", err, target.ErrExists)
	e.wantBytes("over", first)
}

// race lets two writers put different bytes under one key.
func race(e *env) {
	for i := range e.opt.Races {
		key := fmt.Sprintf("race/%d", i)
		var bodies [2][]byte
		var errs [2]error
		var wg sync.WaitGroup
		start := make(chan struct{})
		for w := range bodies {
			bodies[w] = pattern(uint64(2*i+w), 500+w)
			o := optionsFor(bodies[w])
			o.IfAbsent = true
			wg.Go(func() {
				<-start
				_, errs[w] = e.t.Put(e.ctx, key, bytes.NewReader(bodies[w]), o)
			})
		}
		close(start)
		wg.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		if errs[winner] != nil || !errors.Is(errs[1-winner], target.ErrExists) {
			e.Fatalf("race %d ended with %v and %v, want one success and one ErrExists", i, errs[0], errs[1])
		}
		e.wantBytes(key, bodies[winner])
	}
}

// putFails puts what cannot be put, and checks that nothing is left of it.
func (e *env) putFails(key string, o target.PutOptions, r io.ReaderAt) error {
	e.Helper()
	_, err := e.t.Put(e.ctx, key, r, o)
	if err == nil {
		e.Fatalf("Put %s succeeded", key)
	}
	e.wantNothing(key)
	return err
}

func (e *env) wantListed(key string) {
	e.Helper()
	for _, k := range e.list("", "") {
		if k == key {
			return
		}
	}
	e.Errorf("List does not show %s", key)
}

// failAfter reads from b; a read that reaches byte n calls f and fails with its
// error, or goes on if there is none.
func failAfter(b []byte, n int64, f func() error) readerFunc {
	return func(p []byte, off int64) (int, error) {
		if off+int64(len(p)) > n {
			if err := f(); err != nil {
				return 0, err
			}
		}
		return bytes.NewReader(b).ReadAt(p, off)
	}
}
