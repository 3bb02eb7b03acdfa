package target

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// Store is a Target under its configured name, with what its users need on top:
// see the files of its methods (put.go, read.go, list.go). It is safe for
// concurrent use. Its errors are *Error values that carry the name.
type Store struct {
	name string
	t    Target
	opt  Options
}

// Options are the limits and the effects of a Store. The zero value is useful.
type Options struct {
	// Attempts is how often an operation is tried, without progress, while its
	// error is ErrUnavailable or ErrThrottled. 0 means 8.
	Attempts int

	// BaseDelay is the pause after the first failure; it doubles up to
	// MaxDelay. A pause is drawn from the upper half of its span, so that
	// clients that failed together do not return together. A throttling target
	// that asks for a longer pause gets it, up to MaxDelay; beyond that the
	// operation fails at once. 0 means 250 ms and 30 s.
	BaseDelay, MaxDelay time.Duration

	// Sleep waits, or returns ctx's error early. nil means real time.
	Sleep func(ctx context.Context, d time.Duration) error

	// Rand draws from [0, 1). It must be safe for concurrent use. nil means
	// math/rand/v2.
	Rand func() float64
}

// Open makes a Store of t. Nothing is asked of the target yet.
func Open(name string, t Target, o Options) *Store {
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	if o.BaseDelay <= 0 {
		o.BaseDelay = 250 * time.Millisecond
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 30 * time.Second
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return &Store{name: name, t: t, opt: o}
}

// Name is the configured name of the target.
func (s *Store) Name() string { return s.name }

// Close releases what the target holds. The Store is not used after it.
func (s *Store) Close() error {
	if c, ok := s.t.(io.Closer); ok {
		return s.fail("close", "", c.Close())
	}
	return nil
}

// Info tells what the target can do.
func (s *Store) Info(ctx context.Context) (Info, error) {
	return call(ctx, s, "info", "", func() (Info, error) { return s.t.Info(ctx) })
}

// Stat describes one object, or fails with ErrNotFound.
func (s *Store) Stat(ctx context.Context, key string) (Object, error) {
	return call(ctx, s, "stat", key, func() (Object, error) { return s.t.Stat(ctx, key) })
}

// Delete removes an object. An absent one is a success, a retained one is
// ErrLocked.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := call(ctx, s, "delete", key, func() (struct{}, error) { return struct{}{}, s.t.Delete(ctx, key) })
	return err
}

// Retain extends the lock of an object. A target that is no Retainer, or says
// in its Info that it cannot, answers ErrInvalid.
func (s *Store) Retain(ctx context.Context, key string, until time.Time) error {
	r, ok := s.t.(Retainer)
	if ok {
		info, err := s.Info(ctx)
		if err != nil {
			return err
		}
		ok = info.Retain
	}
	if !ok {
		return s.fail("retain", key, &Error{Op: "retain", Key: key, Kind: KindInvalid, Err: errors.New("the target has no retention locks")})
	}
	_, err := call(ctx, s, "retain", key, func() (struct{}, error) { return struct{}{}, r.Retain(ctx, key, until) })
	return err
}

// RemoveStale removes what killed puts left behind and returns how many there
// were. In a target that is no StaleRemover they leave nothing.
func (s *Store) RemoveStale(ctx context.Context) (int, error) {
	r, ok := s.t.(StaleRemover)
	if !ok {
		return 0, nil
	}
	removed := 0
	_, err := call(ctx, s, "remove stale", "", func() (struct{}, error) {
		n, err := r.RemoveStale(ctx)
		removed += n
		return struct{}{}, err
	})
	return removed, err
}

// fail makes err an *Error that names the target. nil stays nil.
func (s *Store) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	e, ok := err.(*Error)
	if !ok {
		return &Error{Target: s.name, Op: op, Key: key, Kind: KindOf(err), Err: err}
	}
	named := *e
	named.Target = s.name
	if named.Op == "" {
		named.Op = op
	}
	if named.Key == "" {
		named.Key = key
	}
	return &named
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
