package target_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a Store that does not wait, over a memory target with a hook.
func quick(hook memtarget.Hook) (*target.Store, *memtarget.Target) {
	mem := memtarget.New(memtarget.Options{Hook: hook})
	return over(mem), mem
}

func over(t target.Target) *target.Store {
	return target.Open("nas", t, target.Options{
		Attempts: 4,
		Sleep:    func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Rand:     func() float64 { return 0.5 },
	})
}

func unavailable() error {
	return &target.Error{Op: "test", Kind: target.KindUnavailable, Err: errors.New("connection reset")}
}

// firstN lets the first n operations of a kind fail in the given way.
func firstN(op memtarget.Op, n int, f memtarget.Fault) memtarget.Hook {
	return func(_ context.Context, got memtarget.Op, _ string) memtarget.Fault {
		if got != op || n == 0 {
			return memtarget.Fault{}
		}
		n--
		return f
	}
}
