package targettest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/atocore/holdfast/core/target"
)

func listCases() []testCase {
	return []testCase{
		{name: "list/empty", run: func(e *env) {
			for _, prefix := range []string{"", "a", "a/", "a/b/c"} {
				if keys := e.list(prefix, ""); len(keys) != 0 {
					e.Errorf("List %q of an empty target: %q", prefix, keys)
				}
			}
		}},
		{name: "list/order", run: order},
		{name: "list/many", run: many},
		{name: "list/bad prefixes", run: func(e *env) {
			e.mustPut("a/b", []byte("x"))
			for _, prefix := range []string{"/", "/a", "a//", "../", "a/../", "./", "a b", "~", "\x00", strings.Repeat("k", target.MaxComponent+1)} {
				var last error
				for _, err := range e.t.List(e.ctx, prefix, "") {
					last = err
				}
				e.wantKind(fmt.Sprintf("List %q", prefix), last, target.ErrInvalid)
			}
		}},
		{name: "list/stopped and cancelled", run: func(e *env) {
			for i := range 20 {
				e.mustPut(fmt.Sprintf("d%d/%d", i%4, i), []byte("x"))
			}
			n := 0
			for _, err := range e.t.List(e.ctx, "", "") {
				if n++; err != nil || n == 7 {
					break
				}
			}
			if n != 7 {
				e.Errorf("the listing was left at element %d instead of 7", n)
			}
			ctx, cancel := context.WithCancel(e.ctx)
			defer cancel()
			n = 0
			var last error
			for _, err := range e.t.List(ctx, "", "") {
				if n++; n == 3 {
					cancel()
				}
				last = err
			}
			if last == nil && n < 20 {
				e.Errorf("a listing whose context ended stopped after %d of 20 objects without an error", n)
			}
		}},
	}
}

// order checks byte order of whole keys, prefixes and after.
func order(e *env) {
	keys := []string{
		"A", "B/x", "a-b", "a-b-c/x", "a.b", "a/-", "a/b", "a/b-c", "a/b.d/e", "a/c/d", "a/cc", "a0", "aa/b", "ab", "b", "z/z/z/z",
	}
	for _, i := range []int{5, 0, 15, 8, 2, 11, 1, 14, 3, 9, 12, 4, 10, 6, 13, 7} {
		e.mustPut(keys[i], []byte(keys[i]))
	}
	if !slices.IsSorted(keys) {
		e.Fatalf("the case's own keys are not sorted")
	}
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b.d/", "a/b.d/e", "a-", "a-b-c", "aa/", "B", "b/", "z/z/", "c", "a/c/d/e"} {
		for _, after := range append([]string{"", "a/", "a/b-", "a~", "zz"}, keys...) {
			var want []string
			for _, k := range keys {
				if strings.HasPrefix(k, prefix) && k > after {
					want = append(want, k)
				}
			}
			if got := e.list(prefix, after); !slices.Equal(got, want) {
				e.Errorf("List %q after %q\n got %q\nwant %q", prefix, after, got, want)
			}
		}
	}
	for obj, err := range e.t.List(e.ctx, "", "") {
		if err != nil {
			e.Fatalf("List: %v", err)
		}
		if obj.Size != int64(len(obj.Key)) || obj.ModTime.IsZero() {
			e.Errorf("List shows %+v, want %d bytes and a time", obj, len(obj.Key))
		}
	}
}

// many lists more objects than fit a page of any store.
func many(e *env) {
	want := make([]string, e.opt.Keys)
	for i := range want {
		want[i] = fmt.Sprintf("many/%d/%05d", i%7, i)
	}
	unsorted := slices.Clone(want)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(unsorted), func(i, j int) { unsorted[i], unsorted[j] = unsorted[j], unsorted[i] })
	slices.Sort(want)

	var wg sync.WaitGroup
	const writers = 16
	for w := range writers {
		wg.Go(func() {
			for i := w; i < len(unsorted); i += writers {
				if err := e.put(unsorted[i], nil); err != nil {
					e.Errorf("Put %s: %v", unsorted[i], err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := e.list("many/", ""); !slices.Equal(got, want) {
		e.Fatalf("List shows %d objects in the wrong order or number, want %d", len(got), len(want))
	}
	var paged []string // by pages of 300, each begun behind the last key
	for {
		after := ""
		if len(paged) > 0 {
			after = paged[len(paged)-1]
		}
		n := 0
		for obj, err := range e.t.List(e.ctx, "many/", after) {
			if err != nil {
				e.Fatalf("List after %q: %v", after, err)
			}
			paged = append(paged, obj.Key)
			if n++; n == 300 {
				break
			}
		}
		if n == 0 {
			break
		}
	}
	if !slices.Equal(paged, want) {
		e.Errorf("paging shows %d objects in the wrong order or number, want %d", len(paged), len(want))
	}
}
