package targettest

import (
	"bytes"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/target"
)

func deleteCases() []testCase {
	return []testCase{
		{name: "delete/twice", run: func(e *env) {
			e.mustPut("a/b/one", []byte("1"))
			e.mustPut("a/two", []byte("2"))
			for range 2 {
				if err := e.t.Delete(e.ctx, "a/b/one"); err != nil {
					e.Errorf("Delete: %v", err)
				}
				e.wantNothing("a/b/one")
			}
			e.wantBytes("a/two", []byte("2"))
		}},
		{name: "delete/absent", run: func(e *env) {
			e.mustPut("a/b", []byte("x"))
			for _, key := range []string{"no", "no/such/key", "a", "a/b/c"} {
				if err := e.t.Delete(e.ctx, key); err != nil {
					e.Errorf("Delete %s: %v", key, err)
				}
			}
			e.wantBytes("a/b", []byte("x"))
		}},
		{name: "delete/put again", run: func(e *env) {
			for i := range 3 {
				b := pattern(uint64(30+i), 100)
				e.mustPut("x/y/z", b)
				e.wantBytes("x/y/z", b)
				if err := e.t.Delete(e.ctx, "x/y/z"); err != nil {
					e.Fatalf("Delete: %v", err)
				}
			}
			if keys := e.list("", ""); len(keys) != 0 {
				e.Errorf("List: %q", keys)
			}
		}},
		{name: "delete/a name that starts another", run: func(e *env) {
			e.mustPut("ab", []byte("1"))
			e.mustPut("abc", []byte("2"))
			e.mustPut("ab-c/d", []byte("3"))
			if err := e.t.Delete(e.ctx, "ab"); err != nil {
				e.Fatalf("Delete: %v", err)
			}
			if keys := e.list("", ""); !slices.Equal(keys, []string{"ab-c/d", "abc"}) {
				e.Errorf("List: %q", keys)
			}
		}},
	}
}

// abilityCases check what Info announces, and that the rest is refused.
func abilityCases() []testCase {
	retains := func(info target.Info, _ Options) string {
		if !info.Retain {
			return "the target has no retention locks"
		}
		return ""
	}
	return []testCase{
		{name: "info", run: func(e *env) {
			if e.info.Name == "" {
				e.Errorf("Info has no name")
			}
			if e.info.MaxObject < 0 || e.info.PartSize < 0 {
				e.Errorf("Info has negative sizes: %+v", e.info)
			}
			if _, ok := e.t.(target.Retainer); e.info.Retain && !ok {
				e.Errorf("Info announces Retain, but the target is no Retainer")
			}
		}},
		{name: "unknown storage class", run: func(e *env) {
			o := optionsFor(nil)
			o.StorageClass = "no-such-class"
			e.wantKind("Put", e.putFails("class", o, bytes.NewReader(nil)), target.ErrInvalid)
		}},
		{name: "retain/not announced", needs: func(info target.Info, _ Options) string {
			if info.Retain {
				return "the target has retention locks"
			}
			return ""
		}, run: func(e *env) {
			o := optionsFor(nil)
			o.RetainUntil = time.Now().Add(time.Hour)
			e.wantKind("Put with RetainUntil", e.putFails("retained", o, bytes.NewReader(nil)), target.ErrInvalid)
		}},
		{name: "retain/delete", needs: retains, run: func(e *env) {
			b := []byte("locked")
			o := optionsFor(b)
			o.RetainUntil = time.Now().Add(2 * time.Second) // short, so that real stores can be emptied
			if _, err := e.t.Put(e.ctx, "put", bytes.NewReader(b), o); err != nil {
				e.Fatalf("Put: %v", err)
			}
			e.mustPut("later", b)
			r := e.t.(target.Retainer)
			until := time.Now().Add(2 * time.Second)
			if err := r.Retain(e.ctx, "later", until); err != nil {
				e.Fatalf("Retain: %v", err)
			}
			if err := r.Retain(e.ctx, "later", until.Add(-time.Hour)); err != nil {
				e.Errorf("Retain until an earlier moment: %v", err)
			}
			e.wantKind("Retain of nothing", r.Retain(e.ctx, "missing", until), target.ErrNotFound)
			for _, key := range []string{"put", "later"} {
				e.wantKind("Delete "+key, e.t.Delete(e.ctx, key), target.ErrLocked)
				e.wantBytes(key, b)
			}
		}},
	}
}
