package source_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// fake is a scripted source; every call goes to the log that the fakes of a test share.
type fake struct {
	name     string
	order    source.Order
	size     int64
	estimate error
	prepare  error
	freeze   func(try int) error // nil: succeeds at once
	confirm  func(try int) error
	capture  error
	takes    time.Duration // capture

	log             *[]string
	freezes, checks int
	frozen, closed  bool
	waits           []time.Duration
}

func (f *fake) say(what string)     { *f.log = append(*f.log, what+" "+f.name) }
func (f *fake) Name() string        { return f.name }
func (f *fake) Kind() manifest.Kind { return manifest.File }
func (f *fake) Order() source.Order { return f.order }

func (f *fake) Estimate(context.Context) (int64, error) { return f.size, f.estimate }

func (f *fake) Prepare(_ context.Context, dir string) error {
	f.say("prepare")
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	return f.prepare
}

func (f *fake) Freeze(ctx context.Context, wait source.Wait) error {
	f.freezes++
	f.waits = append(f.waits, time.Duration(wait))
	if f.freeze != nil {
		if err := f.freeze(f.freezes); err != nil {
			if errors.Is(err, source.ErrBusy) {
				select {
				case <-time.After(time.Duration(wait)):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return err
		}
	}
	f.say("freeze")
	f.frozen = true
	return nil
}

func (f *fake) Confirm(context.Context) error {
	f.checks++
	if f.confirm != nil {
		return f.confirm(f.checks)
	}
	return nil
}

func (f *fake) Capture(context.Context) (*source.Frozen, error) {
	if !f.frozen {
		return nil, errors.New("captured while thawed")
	}
	f.say("capture")
	time.Sleep(f.takes)
	if f.capture != nil {
		return nil, f.capture
	}
	return &source.Frozen{ChunkSize: 4096, Parts: []source.Part{{Size: f.size}}}, nil
}

func (f *fake) Thaw() error {
	if f.frozen {
		f.say("thaw")
	}
	f.frozen = false
	return nil
}

func (f *fake) Close() error {
	f.say("close")
	f.closed = true
	return nil
}

// cut runs Cut over the fakes in a bubble with its own time.
func cut(t *testing.T, o source.Options, fakes ...*fake) (res *source.Result, log []string, took time.Duration, err error) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var sources []source.Source
		for _, f := range fakes {
			f.log = &log
			sources = append(sources, f)
		}
		if o.Staging == "" {
			o.Staging = dir
		}
		o.Rand = rand.New(rand.NewPCG(1, 2))
		begin := time.Now()
		res, err = source.Cut(t.Context(), sources, o)
		took = time.Since(begin)
	})
	for _, f := range fakes {
		if f.frozen || !f.closed {
			t.Errorf("%s was left frozen %v, closed %v", f.name, f.frozen, f.closed)
		}
	}
	return res, log, took, err
}

func always(err error) func(int) error { return func(int) error { return err } }

func TestCutOrder(t *testing.T) {
	res, log, _, err := cut(
		t, source.Options{},
		&fake{name: "wal", order: source.OrderWAL, takes: time.Second},
		&fake{name: "chroma", order: source.OrderChroma, takes: 2 * time.Second},
		&fake{name: "registry", order: source.OrderFile},
		&fake{name: "rollback", order: source.OrderRollback, takes: 3 * time.Second},
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"prepare wal", "prepare chroma", "prepare registry", "prepare rollback",
		"freeze registry", "freeze rollback", "freeze chroma", "freeze wal",
		"capture registry", "thaw registry", "capture rollback", "thaw rollback",
		"capture chroma", "thaw chroma", "capture wal", "thaw wal",
		"close wal", "close chroma", "close registry", "close rollback",
	}
	if d := cmp.Diff(want, log); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
	held := map[string]time.Duration{"registry": 0, "rollback": 3 * time.Second, "chroma": 5 * time.Second, "wal": 6 * time.Second}
	if d := cmp.Diff(held, res.Held); d != "" {
		t.Errorf("held (-want +got):\n%s", d)
	}
	if len(res.Frozen) != 4 || len(res.Failed) != 0 {
		t.Errorf("captured %d, failed %v", len(res.Frozen), res.Failed)
	}
	if res.Instant.Location() != time.UTC {
		t.Errorf("the instant %v is not in UTC", res.Instant)
	}
}

// The first lock may be waited for; one behind it only for LockWait, and then all is let go.
func TestCutBusyBehindALock(t *testing.T) {
	a := &fake{name: "a", order: source.OrderRollback}
	b := &fake{name: "b", order: source.OrderChroma, freeze: func(try int) error {
		if try < 4 {
			return source.ErrBusy
		}
		return nil
	}}
	res, log, _, err := cut(t, source.Options{}, a, b)
	if err != nil || len(res.Frozen) != 2 {
		t.Fatalf("captured %v, %v", res, err)
	}
	if a.freezes != 4 {
		t.Errorf("the first lock was taken %d times, want 4: it is let go while the second is busy", a.freezes)
	}
	for _, w := range b.waits {
		if w != source.LockWait {
			t.Errorf("the second lock was waited for up to %v", w)
		}
	}
	if a.waits[0] != source.FreezeTimeout {
		t.Errorf("the first lock was waited for up to %v", a.waits[0])
	}
	if n := slices.Index(log, "thaw a"); n < 0 || n > slices.Index(log, "freeze b") {
		t.Errorf("a was not thawed before b was had: %v", log)
	}
}

func TestCutBusyForEver(t *testing.T) {
	for _, order := range []source.Order{source.OrderRollback, source.OrderWAL} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			res, _, took, err := cut(
				t, source.Options{FreezeTimeout: 20 * time.Second},
				&fake{name: "busy", order: order, freeze: always(source.ErrBusy)},
				&fake{name: "registry"},
				&fake{name: "chroma", order: source.OrderChroma},
			)
			if err != nil {
				t.Fatal(err)
			}
			if !errors.Is(res.Failed["busy"], source.ErrBusy) || res.Frozen["chroma"] == nil || res.Frozen["registry"] == nil {
				t.Errorf("captured %v, failed %v", res.Frozen, res.Failed)
			}
			if took < 19*time.Second || took > 22*time.Second {
				t.Errorf("gave up after %v, want about 20s", took)
			}
			if !strings.Contains(res.Failed["busy"].Error(), "20s") {
				t.Errorf("the error does not say how long it tried: %v", res.Failed["busy"])
			}
		})
	}
}

func TestCutMoved(t *testing.T) {
	r := &fake{name: "registry", confirm: func(try int) error {
		if try < 3 {
			return source.ErrMoved
		}
		return nil
	}}
	db := &fake{name: "db", order: source.OrderWAL}
	res, _, _, err := cut(t, source.Options{}, r, db)
	if err != nil || len(res.Frozen) != 2 {
		t.Fatalf("captured %v, %v", res, err)
	}
	if db.freezes != 3 {
		t.Errorf("the database was frozen %d times, want 3: once for each look at the registry", db.freezes)
	}

	res, _, took, err := cut(
		t, source.Options{FreezeTimeout: 5 * time.Second},
		&fake{name: "registry", confirm: always(source.ErrMoved)}, &fake{name: "db", order: source.OrderWAL},
	)
	if err != nil || !errors.Is(res.Failed["registry"], source.ErrMoved) || res.Frozen["db"] == nil || took > 6*time.Second {
		t.Errorf("a registry that never rests: %v after %v, captured %v, failed %v", err, took, res.Frozen, res.Failed)
	}
}

// What fails in any phase keeps nothing else from being captured.
func TestCutPartialFailure(t *testing.T) {
	bad := errors.New("bad")
	for phase, f := range map[string]*fake{
		"absent":   {estimate: source.ErrAbsent},
		"estimate": {estimate: bad},
		"prepare":  {prepare: bad},
		"freeze":   {freeze: always(bad)},
		"confirm":  {confirm: always(bad)},
		"capture":  {capture: bad},
		"moved":    {capture: source.ErrMoved}, // too late to repeat
	} {
		t.Run(phase, func(t *testing.T) {
			f.name, f.order = "x", source.OrderChroma
			a, b := &fake{name: "a", order: source.OrderRollback}, &fake{name: "b", order: source.OrderWAL}
			res, _, took, err := cut(t, source.Options{}, a, f, b)
			if err != nil || len(res.Frozen) != 2 || res.Frozen["x"] != nil || len(res.Failed) != 1 || res.Failed["x"] == nil {
				t.Errorf("captured %v, failed %v, %v", res.Frozen, res.Failed, err)
			}
			if took != 0 || a.freezes != 1 {
				t.Errorf("took %v and froze %d times: a fault that does not pass is no reason to wait", took, a.freezes)
			}
		})
	}
}

func TestCutSpace(t *testing.T) {
	a := &fake{name: "a", size: 1000}
	o := source.Options{Free: func(string) (int64, error) { return 999, nil }}
	_, log, _, err := cut(t, o, a, &fake{name: "gone", estimate: source.ErrAbsent})
	var space *source.SpaceError
	if !errors.As(err, &space) || space.Free != 999 || space.Need < 1000 {
		t.Fatalf("got %v", err)
	}
	if slices.Contains(log, "prepare a") || a.freezes > 0 {
		t.Errorf("something was done before the space was known: %v", log)
	}
	for _, word := range []string{"1050", "999", "51", "staging_dir"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %s", err, word)
		}
	}
}

func TestCutCanceled(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var log []string
		a := &fake{name: "a", order: source.OrderRollback, log: &log}
		b := &fake{name: "b", order: source.OrderWAL, log: &log, freeze: always(source.ErrBusy)}
		_, err := source.Cut(ctx, []source.Source{b, a}, source.Options{Staging: dir})
		if slices.Index(log, "close b") < slices.Index(log, "thaw a") {
			t.Errorf("a source was closed while another was frozen: %v", log)
		}
		if !errors.Is(err, context.DeadlineExceeded) || a.frozen || !a.closed || !b.closed {
			t.Errorf("got %v; frozen %v, closed %v %v", err, a.frozen, a.closed, b.closed)
		}
	})
}

func TestCutNames(t *testing.T) {
	if _, _, _, err := cut(t, source.Options{}, &fake{name: "a"}, &fake{name: "a"}); err == nil {
		t.Error("two sources of one name were accepted")
	}
}

func TestFreeSpace(t *testing.T) {
	if n, err := source.FreeSpace(t.TempDir()); err != nil || n <= 0 {
		t.Errorf("%d bytes free, %v", n, err)
	}
	if _, err := source.FreeSpace("/nonexistent"); err == nil {
		t.Error("no error for a directory that is not there")
	}
}
