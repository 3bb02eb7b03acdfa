package target_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/target"
)

// kinds pins the numbers that cross process boundaries.
var kinds = []struct {
	number   uint32
	kind     target.Kind
	sentinel error
}{
	{1, target.KindNotFound, target.ErrNotFound},
	{2, target.KindExists, target.ErrExists},
	{3, target.KindDenied, target.ErrDenied},
	{4, target.KindLocked, target.ErrLocked},
	{5, target.KindFull, target.ErrFull},
	{6, target.KindThrottled, target.ErrThrottled},
	{7, target.KindCorrupt, target.ErrCorrupt},
	{8, target.KindUnavailable, target.ErrUnavailable},
	{9, target.KindInvalid, target.ErrInvalid},
}

func TestKindsCrossAWire(t *testing.T) {
	for i, k := range kinds {
		if uint32(k.kind) != k.number {
			t.Errorf("%v has number %d, want %d", k.kind, k.kind, k.number)
		}
		rebuilt := error(&target.Error{Op: "put", Key: "k", Kind: target.KindFromNumber(k.number), Err: errors.New("text")})
		wrapped := fmt.Errorf("outer: %w", rebuilt)
		for j, other := range kinds {
			if got := errors.Is(wrapped, other.sentinel); got != (i == j) {
				t.Errorf("errors.Is(%v, %v) = %v", wrapped, other.sentinel, got)
			}
		}
		if got := target.KindOf(wrapped); got != k.kind {
			t.Errorf("KindOf(%v) = %v", wrapped, got)
		}
		if got := target.KindOf(k.sentinel); got != k.kind {
			t.Errorf("KindOf(%v) = %v", k.sentinel, got)
		}
	}
	for _, n := range []uint32{0, 10, 255, 256, 257, 1 << 31} {
		if got := target.KindFromNumber(n); got != target.KindUnknown {
			t.Errorf("KindFromNumber(%d) = %v", n, got)
		}
	}
	if got := target.KindOf(errors.New("other")); got != target.KindUnknown {
		t.Errorf("KindOf of a foreign error = %v", got)
	}
}

func TestErrorText(t *testing.T) {
	cause := &fs.PathError{Op: "write", Path: "x", Err: errors.New("no space left on device")}
	for _, c := range []struct {
		err  target.Error
		want string
	}{
		{target.Error{Target: "nas", Op: "put", Key: "a/b", Kind: target.KindFull, Err: cause}, "target nas: put a/b: target full: write x: no space left on device"},
		{target.Error{Op: "stat", Key: "a/b", Kind: target.KindNotFound}, "stat a/b: not found"},
		{target.Error{Op: "list", Err: errors.New("odd")}, "list: odd"},
		{target.Error{Op: "list"}, "list: failed"},
		{target.Error{Op: "get", Key: "k", Kind: 200, Delay: time.Second}, "get k: failed"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if err := error(&target.Error{Op: "put", Err: cause}); !errors.Is(err, cause) {
		t.Errorf("the cause of %v is lost", err)
	}
}
