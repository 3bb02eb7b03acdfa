package target

import (
	"context"
	"fmt"
	"iter"
	"strings"
)

// stableRounds bounds how often ListStable compares two listings: a repository
// changes a few times a minute, a listing takes seconds at most.
const stableRounds = 10

// List yields the objects whose key starts with prefix and is greater than
// after, in byte order. It is complete, or its last element is an error: an
// interrupted listing goes on behind the last key, and a target that repeats a
// key, breaks the order or leaves the prefix fails with ErrCorrupt instead of
// being believed.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		last, failures := after, 0
		for {
			var failed error
			for obj, err := range s.t.List(ctx, prefix, last) {
				if err == nil {
					err = follows(prefix, last, obj.Key)
				}
				if err != nil {
					failed = err
					break
				}
				last, failures = obj.Key, 0
				if !yield(obj, nil) {
					return
				}
			}
			if failed == nil && ctx.Err() == nil {
				return
			}
			if failed == nil { // a driver that stops quietly when ctx ends
				failed = context.Cause(ctx)
			}
			if retriable(failed) {
				failures++
				failed = s.pause(ctx, failures, failed)
			}
			if failed != nil {
				yield(Object{}, s.fail("list", prefix, failed))
				return
			}
		}
	}
}

// ListAll collects List. On an error the objects are nil.
func (s *Store) ListAll(ctx context.Context, prefix string) ([]Object, error) {
	var all []Object
	for obj, err := range s.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		all = append(all, obj)
	}
	return all, nil
}

// ListStable lists until two listings in a row agree in keys and sizes, and
// returns the second. A prefix that keeps changing is ErrUnavailable.
func (s *Store) ListStable(ctx context.Context, prefix string) ([]Object, error) {
	before, err := s.ListAll(ctx, prefix)
	if err != nil {
		return nil, err
	}
	for range stableRounds {
		now, err := s.ListAll(ctx, prefix)
		if err != nil {
			return nil, err
		}
		if same(before, now) {
			return now, nil
		}
		before = now
	}
	return nil, s.fail("list", prefix, &Error{Kind: KindUnavailable, Err: fmt.Errorf("the listing changed %d times in a row: wait until other runs are done", stableRounds)})
}

func same(a, b []Object) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key || a[i].Size != b[i].Size {
			return false
		}
	}
	return true
}

// follows checks that key may come behind last in a listing of prefix.
func follows(prefix, last, key string) error {
	var err error
	switch {
	case !strings.HasPrefix(key, prefix):
		err = fmt.Errorf("the target listed %q, which is outside the prefix", key)
	case key <= last:
		err = fmt.Errorf("the target listed %q behind %q", key, last)
	default:
		return nil
	}
	return &Error{Op: "list", Key: prefix, Kind: KindCorrupt, Err: err}
}
