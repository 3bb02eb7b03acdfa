package memtarget

import "context"

// Op names an operation for a Hook.
type Op string

// The operations of a target.
const (
	Info   Op = "info"
	Put    Op = "put"
	Get    Op = "get"
	Stat   Op = "stat"
	List   Op = "list"
	Delete Op = "delete"
	Retain Op = "retain"
)

// Fault is what goes wrong with one operation. The zero value is nothing.
type Fault struct {
	Err     error // what the caller gets
	Applied bool  // with Err: the operation takes effect all the same
	Late    bool  // with Err: it takes effect when Land is called

	// Body changes what a Get delivers: it receives the whole answer and
	// returns what arrives. The reader then ends in BodyErr, or in io.EOF.
	Body    func([]byte) []byte
	BodyErr error
}

// Hook sees an operation before it happens; the key of a List is its prefix. It
// is called outside of any lock, possibly from several goroutines, and may use
// the target itself or wait for ctx.
type Hook func(ctx context.Context, op Op, key string) Fault

// Land lets the effects that a Fault held back take place, in the order in which
// they were asked for, and returns how many there were.
func (t *Target) Land() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.late)
	for _, effect := range t.late {
		effect()
	}
	t.late = nil
	return n
}

// do asks the hook and applies effect, which may be nil, under the lock.
func (t *Target) do(ctx context.Context, op Op, key string, effect func() error) error {
	return t.apply(ctx, t.fault(ctx, op, key), effect)
}

func (t *Target) fault(ctx context.Context, op Op, key string) Fault {
	if t.opt.Hook == nil || ctx.Err() != nil {
		return Fault{}
	}
	return t.opt.Hook(ctx, op, key)
}

func (t *Target) apply(ctx context.Context, f Fault, effect func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if effect == nil {
		effect = func() error { return nil }
	}
	switch {
	case f.Err == nil:
		if err := ctx.Err(); err != nil {
			return err
		}
		return effect()
	case f.Applied:
		_ = effect() // its answer is what gets lost
	case f.Late:
		t.late = append(t.late, func() { _ = effect() })
	}
	return f.Err
}
