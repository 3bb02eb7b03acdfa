package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/progress"
)

// The usual bounds of a cut.
const (
	FreezeTimeout = 60 * time.Second
	LockWait      = 250 * time.Millisecond
)

// Options of a Cut. Staging is required; the zero value of the others is useful.
type Options struct {
	Staging       string        // an existing directory; each source gets a directory of its name in it, which must not exist
	FreezeTimeout time.Duration // how long to try to freeze everything at once; FreezeTimeout when 0
	LockWait      time.Duration // bounds the wait for a lock while another is held; LockWait when 0

	Now      func() time.Time                // time.Now when nil
	Rand     *rand.Rand                      // jitter between attempts; seeded at random when nil
	Free     func(dir string) (int64, error) // free bytes for this user; FreeSpace when nil
	Progress progress.Progress               // may be nil
}

// Result is what a Cut captured. Every source's name is in exactly one of Frozen and Failed.
type Result struct {
	Instant time.Time // when all that was captured was frozen, in UTC
	Frozen  map[string]*Frozen
	Held    map[string]time.Duration // how long each captured source was held frozen
	Failed  map[string]error
}

// Cut captures all sources at one instant: it prepares them, freezes them in their Order, confirms
// that none moved, captures them, and thaws each as soon as it is captured.
//
// Nothing waits long for a lock while it holds another: when a source is busy for longer than
// LockWait, or one moved, everything is thawed and tried again after a pause, until FreezeTimeout
// is over. The attempt after that is the last: in it a source that is busy or moved is given up,
// and never keeps the others from being captured. So is, at any time, one that is absent or invalid.
//
// The error is for a cut that did not happen: ctx ended, or staging has too little room (a
// *SpaceError, before anything was prepared or frozen). In every case the sources end up closed, in
// an order that package sqlite relies on: all are thawed before the first is closed.
func Cut(ctx context.Context, sources []Source, o Options) (_ *Result, err error) {
	c := &cut{
		Options: o.withDefaults(),
		held:    map[Source]time.Time{},
		res:     &Result{Frozen: map[string]*Frozen{}, Held: map[string]time.Duration{}, Failed: map[string]error{}},
	}
	defer func() {
		if e := closeAll(sources); e != nil && err == nil {
			err = e
		}
	}()
	seen := map[string]bool{}
	for _, s := range sources {
		if seen[s.Name()] {
			return nil, fmt.Errorf("two sources are named %s", s.Name())
		}
		seen[s.Name()] = true
	}
	c.live = slices.Clone(sources)
	for _, phase := range []func(context.Context) error{c.room, c.prepare, c.freeze, c.capture} {
		if err := phase(ctx); err != nil {
			return nil, err
		}
	}
	return c.res, nil
}

type cut struct {
	Options
	live []Source             // not failed
	held map[Source]time.Time // frozen since
	res  *Result
}

func (o Options) withDefaults() Options {
	if o.FreezeTimeout == 0 {
		o.FreezeTimeout = FreezeTimeout
	}
	if o.LockWait == 0 {
		o.LockWait = LockWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if o.Free == nil {
		o.Free = FreeSpace
	}
	o.Progress = progress.Or(o.Progress)
	return o
}

// errRetry ends an attempt without failing the source.
var errRetry = errors.New("thaw everything and try again")

// each calls f for the live sources in their order. One for which it fails leaves the cut. It ends
// early with ctx's error, or with errRetry.
func (c *cut) each(ctx context.Context, f func(Source) error) error {
	for _, s := range slices.Clone(c.live) {
		err := ctx.Err()
		if err == nil {
			err = f(s)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errRetry):
			return errRetry
		case err != nil:
			c.fail(s, err)
		}
	}
	return nil
}

// fail takes s out of the cut.
func (c *cut) fail(s Source, err error) {
	if e := c.thaw(s); e != nil {
		err = errors.Join(err, e)
	}
	c.res.Failed[s.Name()] = err
	c.live = slices.DeleteFunc(c.live, func(l Source) bool { return l == s })
}

// room checks that staging can take all copies.
func (c *cut) room(ctx context.Context) error {
	need := int64(0)
	err := c.each(ctx, func(s Source) error {
		n, err := s.Estimate(ctx)
		if err == nil {
			need += n
			c.Progress.Add("capture "+s.Name(), 0, n)
		}
		return err
	})
	if err != nil {
		return err
	}
	need += need / 20 // stores grow until they are frozen
	free, err := c.Free(c.Staging)
	if err != nil {
		return fmt.Errorf("free space of the staging directory: %w", err)
	}
	if free < need {
		return &SpaceError{Dir: c.Staging, Need: need, Free: free}
	}
	return nil
}

func (c *cut) prepare(ctx context.Context) error {
	return c.each(ctx, func(s Source) error {
		dir := filepath.Join(c.Staging, s.Name())
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("staging for %s: %w", s.Name(), err)
		}
		return s.Prepare(ctx, dir)
	})
}

// freeze repeats attempts until one holds everything that is left.
func (c *cut) freeze(ctx context.Context) error {
	deadline := c.Now().Add(c.FreezeTimeout)
	for pause := c.LockWait / 4; ; pause = min(2*pause, 8*c.LockWait) {
		err := c.attempt(ctx, deadline.Sub(c.Now()))
		if !errors.Is(err, errRetry) {
			return err
		}
		if err := c.thawAll(); err != nil {
			return err
		}
		jittered := pause/2 + time.Duration(c.Rand.Int64N(int64(pause)+1))
		wait := time.NewTimer(min(jittered, max(0, deadline.Sub(c.Now()))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
	}
}

// attempt freezes and confirms the live sources. A fault that may pass gives errRetry, unless nothing
// is left of the time: that is the last attempt, and gives the source up.
func (c *cut) attempt(ctx context.Context, left time.Duration) error {
	last := left <= 0
	judge := func(err error) error {
		switch {
		case !errors.Is(err, ErrBusy) && !errors.Is(err, ErrMoved):
			return err
		case last:
			return fmt.Errorf("given up after %v: %w", c.FreezeTimeout, err)
		}
		return errRetry
	}
	locked := false
	slices.SortStableFunc(c.live, func(a, b Source) int { return int(a.Order() - b.Order()) })
	err := c.each(ctx, func(s Source) error {
		wait := c.LockWait
		if !locked && !last {
			wait = max(left, c.LockWait)
		}
		if err := s.Freeze(ctx, Wait(wait)); err != nil {
			return judge(err)
		}
		c.held[s] = c.Now()
		locked = locked || s.Order() != OrderFile
		return nil
	})
	if err != nil {
		return err
	}
	c.res.Instant = c.Now().UTC()
	return c.each(ctx, func(s Source) error { return judge(s.Confirm(ctx)) })
}

// capture captures in the order of locks: what keeps the application from writing comes before
// databases in WAL mode, which disturb nobody.
func (c *cut) capture(ctx context.Context) error {
	return c.each(ctx, func(s Source) error {
		f, err := s.Capture(ctx)
		if err != nil {
			return err
		}
		since := c.held[s]
		if err := c.thaw(s); err != nil {
			return err
		}
		c.res.Frozen[s.Name()] = f
		c.res.Held[s.Name()] = c.Now().Sub(since)
		c.Progress.Add("capture "+s.Name(), f.Size(), f.Size())
		return nil
	})
}

func (c *cut) thaw(s Source) error {
	if _, ok := c.held[s]; !ok {
		return nil
	}
	delete(c.held, s)
	if err := s.Thaw(); err != nil {
		return fmt.Errorf("thaw %s: %w", s.Name(), err)
	}
	return nil
}

func (c *cut) thawAll() error {
	var err error
	for _, s := range c.live {
		err = errors.Join(err, c.thaw(s))
	}
	return err
}

func closeAll(sources []Source) error {
	var errs []error
	for _, s := range sources {
		errs = append(errs, s.Thaw())
	}
	for _, s := range sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
