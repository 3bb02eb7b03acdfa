package target_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// stale is a target with so much left behind; every removal gives one answer.
type stale struct {
	target.Target
	n    []int
	errs []error
	call int
}

func (s *stale) RemoveStale(context.Context) (int, error) {
	s.call++
	return s.n[s.call-1], s.errs[s.call-1]
}

func TestRemoveStale(t *testing.T) {
	unavailable := &target.Error{Op: "sweep", Kind: target.KindUnavailable}
	denied := &target.Error{Op: "sweep", Kind: target.KindDenied}
	for name, c := range map[string]struct {
		t    target.Target
		want int
		err  error
	}{
		"no such ability": {memtarget.New(memtarget.Options{}), 0, nil},
		"removed":         {&stale{n: []int{3}, errs: []error{nil}}, 3, nil},
		"at last":         {&stale{n: []int{1, 2}, errs: []error{unavailable, nil}}, 3, nil},
		"denied":          {&stale{n: []int{1}, errs: []error{denied}}, 1, target.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			s := target.Open("nas", c.t, target.Options{Sleep: func(context.Context, time.Duration) error { return nil }})
			n, err := s.RemoveStale(t.Context())
			var named *target.Error
			if n != c.want || !errors.Is(err, c.err) || err != nil && (!errors.As(err, &named) || named.Target != "nas") {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}
