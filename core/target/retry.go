package target

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// call runs f until it succeeds, fails for good, or the patience of pause ends.
func call[T any](ctx context.Context, s *Store, op, key string, f func() (T, error)) (T, error) {
	for failures := 1; ; failures++ {
		v, err := f()
		if err == nil {
			return v, nil
		}
		if !retriable(err) {
			return v, s.fail(op, key, err)
		}
		if err := s.pause(ctx, failures, err); err != nil {
			return v, s.fail(op, key, err)
		}
	}
}

// retriable tells whether the same request may succeed later.
func retriable(err error) bool {
	k := KindOf(err)
	return k == KindUnavailable || k == KindThrottled
}

// pause waits before the next attempt after the given number of failures in a
// row, the last of them err. An error means that there is no next attempt.
func (s *Store) pause(ctx context.Context, failures int, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w (after: %w)", context.Cause(ctx), err)
	}
	if failures >= s.opt.Attempts {
		return s.gaveUp(err, fmt.Sprintf("gave up after %d attempts", failures))
	}
	d := s.backoff(failures)
	var e *Error
	if errors.As(err, &e) && e.Kind == KindThrottled && e.Delay > d {
		if e.Delay > s.opt.MaxDelay {
			return s.gaveUp(err, fmt.Sprintf("the target asks for a pause of %v, more than %v", e.Delay, s.opt.MaxDelay))
		}
		d = e.Delay
	}
	if serr := s.opt.Sleep(ctx, d); serr != nil {
		return fmt.Errorf("%w (waiting to try again after: %w)", serr, err)
	}
	return nil
}

// gaveUp adds to err why it is final, and keeps its kind, key and delay.
func (s *Store) gaveUp(err error, why string) error {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", why, err)
	}
	final := *e
	if e.Err == nil {
		final.Err = errors.New(why)
	} else {
		final.Err = fmt.Errorf("%s: %w", why, e.Err)
	}
	return &final
}

// backoff is the pause after n failures: drawn from the upper half of
// BaseDelay * 2^(n-1), the whole bounded by MaxDelay.
func (s *Store) backoff(n int) time.Duration {
	span := s.opt.BaseDelay
	for i := 1; i < n && span < s.opt.MaxDelay; i++ {
		span *= 2
	}
	span = min(span, s.opt.MaxDelay)
	return span/2 + time.Duration(s.opt.Rand()*float64(span/2))
}
