package target_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func TestRetry(t *testing.T) {
	kind := func(k target.Kind, delay time.Duration) error {
		return &target.Error{Op: "stat", Kind: k, Delay: delay}
	}
	ms := func(n ...int) (ds []time.Duration) {
		for _, n := range n {
			ds = append(ds, time.Duration(n)*time.Millisecond)
		}
		return ds
	}
	for _, c := range []struct {
		name   string
		fails  int
		err    error
		rand   float64
		sleeps []time.Duration
		want   error
	}{
		{name: "twice unavailable", fails: 2, err: kind(target.KindUnavailable, 0), sleeps: ms(50, 100)},
		{name: "with jitter", fails: 2, err: kind(target.KindUnavailable, 0), rand: 0.5, sleeps: ms(75, 150)},
		{name: "for ever", fails: 100, err: kind(target.KindUnavailable, 0), sleeps: ms(50, 100, 200, 400, 500), want: target.ErrUnavailable},
		{name: "throttled", fails: 1, err: kind(target.KindThrottled, 0), sleeps: ms(50)},
		{name: "throttled with a delay", fails: 2, err: kind(target.KindThrottled, 800*time.Millisecond), sleeps: ms(800, 800)},
		{name: "throttled with a short delay", fails: 1, err: kind(target.KindThrottled, time.Millisecond), sleeps: ms(50)},
		{name: "throttled for too long", fails: 1, err: kind(target.KindThrottled, 2*time.Second), want: target.ErrThrottled},
		{name: "not found", fails: 1, err: kind(target.KindNotFound, 0), want: target.ErrNotFound},
		{name: "denied", fails: 1, err: kind(target.KindDenied, 0), want: target.ErrDenied},
		{name: "full", fails: 1, err: kind(target.KindFull, 0), want: target.ErrFull},
		{name: "corrupt", fails: 1, err: kind(target.KindCorrupt, 0), want: target.ErrCorrupt},
		{name: "without a kind", fails: 1, err: errBoom, want: errBoom},
		{name: "a timeout of the driver's own", fails: 1, err: &target.Error{Kind: target.KindUnavailable, Err: context.DeadlineExceeded}, sleeps: ms(50)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sleeps []time.Duration
			mem := memtarget.New(memtarget.Options{Hook: firstN(memtarget.Stat, c.fails, memtarget.Fault{Err: c.err})})
			mem.Set("k", nil)
			s := target.Open("nas", mem, target.Options{
				Attempts: 6, BaseDelay: 100 * time.Millisecond, MaxDelay: time.Second,
				Rand:  func() float64 { return c.rand },
				Sleep: func(_ context.Context, d time.Duration) error { sleeps = append(sleeps, d); return nil },
			})
			_, err := s.Stat(t.Context(), "k")
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if !slices.Equal(sleeps, c.sleeps) {
				t.Errorf("slept %v, want %v", sleeps, c.sleeps)
			}
			var te *target.Error
			if c.want != nil && (!errors.As(err, &te) || te.Target != "nas" || te.Op != "stat" || te.Key != "k") {
				t.Errorf("error %#v does not carry target, operation and key", err)
			}
		})
	}
}

var errBoom = errors.New("boom")

func TestRetryTellsHowOften(t *testing.T) {
	s, _ := quick(firstN(memtarget.Delete, 100, memtarget.Fault{Err: unavailable()}))
	err := s.Delete(t.Context(), "k")
	if err == nil || !strings.Contains(err.Error(), "gave up after 4 attempts: connection reset") {
		t.Errorf("got %v", err)
	}
}

// TestDefaults waits for real, but only until its context ends.
func TestDefaults(t *testing.T) {
	mem := memtarget.New(memtarget.Options{Hook: firstN(memtarget.Info, 100, memtarget.Fault{Err: unavailable()})})
	s := target.Open("nas", mem, target.Options{BaseDelay: time.Hour, MaxDelay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Info(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("got %v, want both the end of the context and its cause", err)
	}
}

func TestRetainAndClose(t *testing.T) {
	s, mem := quick(nil)
	mem.Set("k", nil)
	if err := s.Retain(t.Context(), "k", time.Now().Add(time.Hour)); err != nil {
		t.Errorf("Retain: %v", err)
	}
	if err := s.Delete(t.Context(), "k"); !errors.Is(err, target.ErrLocked) {
		t.Errorf("Delete: %v", err)
	}
	var plain struct{ target.Target } // hides the optional abilities
	plain.Target = mem
	if err := over(plain).Retain(t.Context(), "k", time.Now()); !errors.Is(err, target.ErrInvalid) {
		t.Errorf("Retain without the ability: %v", err)
	}
	if err := over(plain).Close(); err != nil {
		t.Errorf("Close of a target that holds nothing: %v", err)
	}
	if err := over(closing{mem}).Close(); !errors.Is(err, errBoom) {
		t.Errorf("Close: %v", err)
	}
}

type closing struct{ target.Target }

func (closing) Close() error { return errBoom }
