package source

import (
	"context"
	"fmt"
	"time"
)

// Patience is how long one step of an inspection may take: the facts, or one check. It is two minutes and
// a second for every 4 MiB of the copy, many times what a healthy one takes on a slow disk. It is there
// because a schema can ask for work without end: an FTS5 table whose content is an unbounded recursive
// view is a few hundred bytes.
func Patience(size int64) time.Duration {
	return 2*time.Minute + time.Duration(size>>22)*time.Second
}

// EndlessError means that a step of an inspection did not end within its time: nothing is known of what it
// was to find out.
type EndlessError struct{ Limit time.Duration }

func (e *EndlessError) Error() string {
	return fmt.Sprintf("it did not end within %v: the disk is very slow, or the copy asks for work without end", e.Limit)
}

// Within calls f with a context that ends after limit. An error of f is ctx's when ctx ended, an
// *EndlessError when the limit did, and else as f returned it.
func Within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil:
		return &EndlessError{limit}
	}
	return err
}
