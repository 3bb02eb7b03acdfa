package target_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// scripted answers each List with the next script: keys, then an error or nil.
type scripted struct {
	target.Target
	calls *int
	pages []page
}

type page struct {
	keys []string
	err  error
	raw  bool // disregards after
}

func (s scripted) List(_ context.Context, _, after string) iter.Seq2[target.Object, error] {
	p := s.pages[min(*s.calls, len(s.pages)-1)]
	*s.calls++
	return func(yield func(target.Object, error) bool) {
		for _, k := range p.keys {
			if (k > after || p.raw) && !yield(target.Object{Key: k}, nil) {
				return
			}
		}
		if p.err != nil {
			yield(target.Object{}, p.err)
		}
	}
}

func TestListNeverShrinks(t *testing.T) {
	abc := []string{"p/a", "p/b", "p/c"}
	denied := &target.Error{Op: "list", Kind: target.KindDenied}
	for _, c := range []struct {
		name  string
		pages []page
		want  error
	}{
		{"complete", []page{{keys: abc}}, nil},
		{"interrupted twice", []page{{keys: abc[:1], err: unavailable()}, {keys: abc[:2], err: unavailable()}, {keys: abc}}, nil},
		{"interrupted behind every key, often", []page{
			{err: unavailable()},
			{err: unavailable()},
			{keys: abc[:1], err: unavailable()},
			{err: unavailable()},
			{keys: abc[:2], err: unavailable()},
			{err: unavailable()},
			{keys: abc},
		}, nil},
		{"fails on page two", []page{{keys: abc[:1], err: denied}}, target.ErrDenied},
		{"fails without a kind", []page{{keys: abc, err: errors.New("unexpected end of XML")}}, errAny},
		{"down for ever", []page{{err: unavailable()}}, target.ErrUnavailable},
		{"repeats a key", []page{{keys: []string{"p/a", "p/a", "p/b"}}}, target.ErrCorrupt},
		{"out of order", []page{{keys: []string{"p/b", "p/a", "p/c"}}}, target.ErrCorrupt},
		{"begins anew after an interruption", []page{{keys: abc[:2], err: unavailable()}, {keys: abc, raw: true}}, target.ErrCorrupt},
		{"an empty key", []page{{keys: []string{""}, raw: true}}, target.ErrCorrupt},
		{"outside of the prefix", []page{{keys: []string{"p/a", "q/b"}}}, target.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := over(scripted{calls: new(int), pages: c.pages})
			all, err := s.ListAll(t.Context(), "p/")
			switch {
			case c.want == errAny && err != nil, errors.Is(err, c.want):
			default:
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil && all != nil {
				t.Errorf("an error comes with %d objects", len(all))
			}
			if err == nil && len(all) != 3 {
				t.Errorf("listed %v", all)
			}
		})
	}
}

var errAny = errors.New("any error")

func TestListQuietEndOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := over(scripted{calls: new(int), pages: []page{{keys: []string{"a", "b"}}}})
	n := 0
	var last error
	for _, err := range s.List(ctx, "", "") {
		if n++; n == 1 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a listing that was cut short by its context ends with %v", last)
	}
}

func TestListAfterAndStop(t *testing.T) {
	s, mem := quick(nil)
	for i := range 10 {
		mem.Set(fmt.Sprintf("p/%d", i), nil)
	}
	var got []string
	for o, err := range s.List(t.Context(), "p/", "p/3") {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, o.Key); len(got) == 2 {
			break
		}
	}
	if fmt.Sprint(got) != "[p/4 p/5]" {
		t.Errorf("got %v", got)
	}
}

func TestListStable(t *testing.T) {
	ab, abc := []string{"a", "b"}, []string{"a", "b", "c"}
	for _, c := range []struct {
		name  string
		pages []page
		calls int
		want  error
	}{
		{"at once", []page{{keys: ab}}, 2, nil},
		{"after a change", []page{{keys: ab}, {keys: abc}, {keys: abc}}, 3, nil},
		{"an object vanishes and comes back", []page{{keys: abc}, {keys: ab}, {keys: abc}, {keys: abc}}, 4, nil},
		{"error on the second", []page{{keys: ab}, {err: &target.Error{Kind: target.KindDenied}}}, 2, target.ErrDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			_, err := over(scripted{calls: &calls, pages: c.pages}).ListStable(t.Context(), "")
			if !errors.Is(err, c.want) || calls != c.calls {
				t.Errorf("%d listings, %v; want %d, %v", calls, err, c.calls, c.want)
			}
		})
	}
	t.Run("a size changes", func(t *testing.T) {
		var mem *memtarget.Target
		n := 0
		s, mem := quick(func(context.Context, memtarget.Op, string) memtarget.Fault {
			if n++; n == 2 {
				mem.Set("k", []byte("longer"))
			}
			return memtarget.Fault{}
		})
		mem.Set("k", nil)
		if all, err := s.ListStable(t.Context(), ""); err != nil || n != 3 || all[0].Size != 6 {
			t.Errorf("%v, %v after %d listings, want 3", all, err, n)
		}
	})
	t.Run("never", func(t *testing.T) {
		var mem *memtarget.Target
		n := 0
		s, mem := quick(func(_ context.Context, op memtarget.Op, _ string) memtarget.Fault {
			n++
			mem.Set(fmt.Sprintf("k%d", n), nil)
			return memtarget.Fault{}
		})
		if all, err := s.ListStable(t.Context(), ""); !errors.Is(err, target.ErrUnavailable) || all != nil {
			t.Errorf("%v, %v", all, err)
		}
	})
}
