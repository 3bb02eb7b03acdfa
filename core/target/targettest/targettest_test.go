package targettest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
	"github.com/atocore/holdfast/core/target/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t *testing.T, wrap func(*memtarget.Target) target.Target, only ...string) (failed, leftOut []string) {
	t.Helper()
	results := targettest.Check(t.Context(), targettest.Options{
		New:   func(targettest.T) target.Target { return wrap(memtarget.New(memtarget.Options{})) },
		Races: 50, Keys: 400, Only: only,
	})
	for _, r := range results {
		switch {
		case len(r.Failures) > 0:
			failed = append(failed, r.Case)
		case r.LeftOut != "":
			leftOut = append(leftOut, r.Case)
		}
	}
	return failed, leftOut
}

func TestCheckPassesAGoodTarget(t *testing.T) {
	failed, leftOut := check(t, func(m *memtarget.Target) target.Target { return m })
	if len(failed) != 0 || !slices.Equal(leftOut, []string{"reopen", "retain/not announced"}) {
		t.Errorf("failed %q, left out %q", failed, leftOut)
	}
}

func TestCheckStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range targettest.Check(ctx, targettest.Options{}) {
		if r.LeftOut != context.Canceled.Error() {
			t.Errorf("%+v", r)
		}
	}
}

// TestKitCatches breaks one promise at a time and names the case that must see
// it. A case that catches nothing here would be no case.
func TestKitCatches(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrap  func(*memtarget.Target) target.Target
		cases []string
	}{
		{
			"ignores IfAbsent", func(m *memtarget.Target) target.Target { return &broken{Target: m, put: ignoreIfAbsent} },
			[]string{"put/race", "put/if absent over other bytes", "put/if absent over the same bytes"},
		},
		{
			"does not hash", func(m *memtarget.Target) target.Target { return &broken{Target: m, put: unchecked} },
			[]string{"put/wrong SHA-256", "put/reader too long"},
		},
		{
			"stores a truncated object when the reader ends", func(m *memtarget.Target) target.Target { return &broken{Target: m, put: truncating} },
			[]string{"put/reader too short", "put/reader fails midway", "put/cancelled midway", "put/again after a failure"},
		},
		{
			"mixes old and new bytes", func(m *memtarget.Target) target.Target { return &broken{Target: m, put: mixing} },
			[]string{"put/over other bytes"},
		},
		{
			"refuses its own bytes", func(m *memtarget.Target) target.Target { return &broken{Target: m, put: always(true)} },
			[]string{"put/twice the same bytes"},
		},
		{
			"answers a missing key with nothing", func(m *memtarget.Target) target.Target { return &broken{Target: m, get: emptyIfMissing} },
			[]string{"get/missing", "delete/twice"},
		},
		{
			"refuses ranges past the end", func(m *memtarget.Target) target.Target { return &broken{Target: m, get: strictRange} },
			[]string{"get/ranges", "get/ranges of an empty object"},
		},
		{
			"reads on without its context", func(m *memtarget.Target) target.Target { return &broken{Target: m, get: withoutContext} },
			[]string{"get/cancelled midway", "ended context"},
		},
		{
			"leaks a goroutine", func(m *memtarget.Target) target.Target { return &broken{Target: m, get: leaking(t)} },
			[]string{"get/closed early"},
		},
		{
			"lists by folder, not by key", func(m *memtarget.Target) target.Target { return &broken{Target: m, list: byFolder} },
			[]string{"list/order"},
		},
		{
			"lists the first page only", func(m *memtarget.Target) target.Target { return &broken{Target: m, list: firstPage} },
			[]string{"list/many"},
		},
		{
			"takes a prefix for a folder", func(m *memtarget.Target) target.Target { return &broken{Target: m, list: prefixAsFolder} },
			[]string{"list/order"},
		},
		{
			"stops quietly when its context ends", func(m *memtarget.Target) target.Target { return &broken{Target: m, list: quiet} },
			[]string{"list/stopped and cancelled", "ended context"},
		},
		{
			"deletes whole folders", func(m *memtarget.Target) target.Target { return &broken{Target: m, del: recursive} },
			[]string{"delete/absent"},
		},
		{
			"fails on absent keys", func(m *memtarget.Target) target.Target { return &broken{Target: m, del: strictDelete} },
			[]string{"delete/twice", "delete/absent"},
		},
		{
			"takes any key", func(m *memtarget.Target) target.Target { return &broken{Target: m, put: anyKey} },
			[]string{"put/bad keys"},
		},
		{
			"announces locks and has none", func(m *memtarget.Target) target.Target { return &broken{Target: m, del: unlocked} },
			[]string{"retain/delete"},
		},
		{
			"hides the Retainer it announces", func(m *memtarget.Target) target.Target { return struct{ target.Target }{m} },
			[]string{"info", "retain/delete"},
		},
		{
			"panics", func(m *memtarget.Target) target.Target { return &broken{Target: m, del: panicking} },
			[]string{"delete/twice"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			slices.Sort(c.cases)
			failed, _ := check(t, c.wrap, c.cases...)
			slices.Sort(failed)
			if !slices.Equal(failed, c.cases) {
				t.Errorf("only %q see it, not all of %q", failed, c.cases)
			}
		})
	}
}

// broken is a memory target with some methods replaced.
type broken struct {
	*memtarget.Target
	put  func(ctx context.Context, m *memtarget.Target, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error)
	get  func(ctx context.Context, m *memtarget.Target, key string, offset, length int64) (io.ReadCloser, error)
	list func(ctx context.Context, m *memtarget.Target, prefix, after string) iter.Seq2[target.Object, error]
	del  func(ctx context.Context, m *memtarget.Target, key string) error
}

func (b *broken) Put(ctx context.Context, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	if b.put == nil {
		return b.Target.Put(ctx, key, r, o)
	}
	return b.put(ctx, b.Target, key, r, o)
}

func (b *broken) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if b.get == nil {
		return b.Target.Get(ctx, key, offset, length)
	}
	return b.get(ctx, b.Target, key, offset, length)
}

func (b *broken) List(ctx context.Context, prefix, after string) iter.Seq2[target.Object, error] {
	if b.list == nil {
		return b.Target.List(ctx, prefix, after)
	}
	return b.list(ctx, b.Target, prefix, after)
}

func (b *broken) Delete(ctx context.Context, key string) error {
	if b.del == nil {
		return b.Target.Delete(ctx, key)
	}
	return b.del(ctx, b.Target, key)
}

func ignoreIfAbsent(ctx context.Context, m *memtarget.Target, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	m.Remove(key)
	return m.Put(ctx, key, r, o)
}

// read gives what r has of the declared size, and how it ended.
func read(r io.ReaderAt, o target.PutOptions) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(r, 0, o.Size))
}

func unchecked(ctx context.Context, m *memtarget.Target, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	b, err := read(r, o)
	if err != nil {
		return target.Object{}, err
	}
	m.Set(key, b)
	return m.Stat(ctx, key)
}

func truncating(ctx context.Context, m *memtarget.Target, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	obj, err := m.Put(ctx, key, r, o)
	if err != nil && !errors.Is(err, target.ErrExists) {
		b, _ := read(r, o)
		m.Set(key, b)
	}
	return obj, err
}

func mixing(ctx context.Context, m *memtarget.Target, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	old, taken := m.Bytes(key)
	if b, _ := read(r, o); taken && !o.IfAbsent && !bytes.Equal(b, old) {
		copy(old, b)
		m.Set(key, old)
		return m.Stat(ctx, key)
	}
	return m.Put(ctx, key, r, o)
}

func always(ifAbsent bool) func(context.Context, *memtarget.Target, string, io.ReaderAt, target.PutOptions) (target.Object, error) {
	return func(ctx context.Context, m *memtarget.Target, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
		o.IfAbsent = ifAbsent
		return m.Put(ctx, key, r, o)
	}
}

func anyKey(ctx context.Context, m *memtarget.Target, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	if target.CheckKey(key) == nil {
		return m.Put(ctx, key, r, o)
	}
	return unchecked(ctx, m, key, r, o)
}

func emptyIfMissing(ctx context.Context, m *memtarget.Target, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := m.Get(ctx, key, offset, length)
	if errors.Is(err, target.ErrNotFound) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return r, err
}

func strictRange(ctx context.Context, m *memtarget.Target, key string, offset, length int64) (io.ReadCloser, error) {
	if obj, err := m.Stat(ctx, key); err == nil && offset >= obj.Size {
		return nil, &target.Error{Op: "get", Key: key, Kind: target.KindInvalid}
	}
	return m.Get(ctx, key, offset, length)
}

func withoutContext(ctx context.Context, m *memtarget.Target, key string, offset, length int64) (io.ReadCloser, error) {
	return m.Get(context.WithoutCancel(ctx), key, offset, length)
}

// leaking starts a goroutine at the tenth read of a target that ends only with
// the whole test.
func leaking(t *testing.T) func(context.Context, *memtarget.Target, string, int64, int64) (io.ReadCloser, error) {
	reads := map[*memtarget.Target]int{}
	var mu sync.Mutex
	return func(ctx context.Context, m *memtarget.Target, key string, offset, length int64) (io.ReadCloser, error) {
		mu.Lock()
		defer mu.Unlock()
		if reads[m]++; key == "large" && reads[m] == 10 {
			go func() { <-t.Context().Done() }()
		}
		return m.Get(ctx, key, offset, length)
	}
}

func byFolder(ctx context.Context, m *memtarget.Target, prefix, after string) iter.Seq2[target.Object, error] {
	return func(yield func(target.Object, error) bool) {
		var all []target.Object
		for o, err := range m.List(ctx, prefix, after) {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		slices.SortFunc(all, func(a, b target.Object) int {
			return slices.Compare(strings.Split(a.Key, "/"), strings.Split(b.Key, "/"))
		})
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func firstPage(ctx context.Context, m *memtarget.Target, prefix, after string) iter.Seq2[target.Object, error] {
	return func(yield func(target.Object, error) bool) {
		n := 0
		for o, err := range m.List(ctx, prefix, after) {
			if n++; !yield(o, err) || n == 100 {
				return
			}
		}
	}
}

func prefixAsFolder(ctx context.Context, m *memtarget.Target, prefix, after string) iter.Seq2[target.Object, error] {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return m.List(ctx, prefix, after)
}

func quiet(ctx context.Context, m *memtarget.Target, prefix, after string) iter.Seq2[target.Object, error] {
	return func(yield func(target.Object, error) bool) {
		for o, err := range m.List(ctx, prefix, after) {
			if ctx.Err() != nil || !yield(o, err) {
				return
			}
		}
	}
}

func recursive(_ context.Context, m *memtarget.Target, key string) error {
	for _, k := range m.Keys() {
		if k == key || strings.HasPrefix(k, key+"/") {
			m.Remove(k)
		}
	}
	return nil
}

func strictDelete(ctx context.Context, m *memtarget.Target, key string) error {
	if _, err := m.Stat(ctx, key); err != nil {
		return err
	}
	return m.Delete(ctx, key)
}

func unlocked(ctx context.Context, m *memtarget.Target, key string) error {
	if err := target.CheckKey(key); err != nil {
		return m.Delete(ctx, key)
	}
	m.Remove(key)
	return ctx.Err()
}

func panicking(context.Context, *memtarget.Target, string) error { panic("on purpose") }
