// Package targettest is the conformance kit for targets: what core/target
// promises, as cases that any implementation has to pass. A driver's test is one
// call:
//
//	func TestConformance(t *testing.T) {
//		targettest.Run(t, targettest.Options{
//			New: func(t targettest.T) target.Target { return mine.New(...) },
//		})
//	}
//
// [Check] runs the same cases without a test binary and returns a report, for a
// target that a user has configured. The package imports the standard library
// and core/target only.
//
// A case that needs an ability runs only if the target's Info announces it; the
// abilities that are not announced must be refused or left out as PutOptions
// says, which is checked too.
package targettest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/target"
)

// T is the part of *testing.T that the kit uses. Fatalf ends the case.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Options say what is tested.
type Options struct {
	// New makes an empty target for one case. What it holds is released by
	// t.Cleanup. Required.
	New func(t T) target.Target

	// Reopen gives a second target over the same place, as another process
	// would see it. nil leaves out the case that needs it.
	Reopen func(t T, first target.Target) target.Target

	// Races is how often two writers race for a key. 0 means 500.
	Races int

	// Keys is how many objects the large listing has. 0 means 2,500.
	Keys int

	// Only names the cases to run. Empty means all.
	Only []string
}

// Result is the outcome of one case of Check.
type Result struct {
	Case     string
	Failures []string // what failed; empty: passed
	LeftOut  string   // why the case did not run; empty: it ran
	Elapsed  time.Duration
}

// Run runs every case as a subtest.
func Run(t *testing.T, o Options) {
	t.Helper()
	for _, c := range o.cases() {
		t.Run(c.name, func(t *testing.T) {
			if why := runCase(t, c, o); why != "" {
				t.Logf("left out: %s", why)
			}
		})
	}
}

// Check runs every case, one after the other, until ctx ends.
func Check(ctx context.Context, o Options) []Result {
	var results []Result
	for _, c := range o.cases() {
		if ctx.Err() != nil {
			results = append(results, Result{Case: c.name, LeftOut: ctx.Err().Error()})
			continue
		}
		results = append(results, checkCase(ctx, c, o))
	}
	return results
}

// testCase is one promise.
type testCase struct {
	name  string
	needs func(target.Info, Options) string // why the case cannot run, or ""; nil: it always runs
	run   func(*env)
}

// env is what a case works with.
type env struct {
	T
	ctx  context.Context
	t    target.Target
	info target.Info
	opt  Options
}

func (o Options) cases() []testCase {
	var all []testCase
	all = append(all, putCases()...)
	all = append(all, readCases()...)
	all = append(all, listCases()...)
	all = append(all, deleteCases()...)
	all = append(all, abilityCases()...)
	return slices.DeleteFunc(all, func(c testCase) bool {
		return len(o.Only) > 0 && !slices.Contains(o.Only, c.name)
	})
}

// runCase runs c and returns why it was left out, or "".
func runCase(t T, c testCase, o Options) string {
	t.Helper()
	if o.Races == 0 {
		o.Races = 500
	}
	if o.Keys == 0 {
		o.Keys = 2500
	}
	before := goroutines()
	t.Cleanup(func() { checkLeak(t, before) }) // registered first, so it runs after the target is closed
	e := &env{T: t, ctx: t.Context(), t: o.New(t), opt: o}
	info, err := e.t.Info(e.ctx)
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	e.info = info
	if c.needs != nil {
		if why := c.needs(info, o); why != "" {
			return why
		}
	}
	c.run(e)
	return ""
}

// checkCase runs c outside of a test binary.
func checkCase(ctx context.Context, c testCase, o Options) Result {
	start := time.Now()
	r := &recorder{}
	r.ctx, r.cancel = context.WithCancel(ctx)
	res := Result{Case: c.name}
	r.protect(func() { res.LeftOut = runCase(r, c, o) })
	r.cancel()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.protect(r.cleanups[i])
	}
	res.Failures, res.Elapsed = r.failures, time.Since(start)
	return res
}

// recorder is a T that collects failures.
type recorder struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

// protect runs f so that Fatalf can end it, and turns a panic into a failure.
func (r *recorder) protect(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		f()
	}()
	<-done
}

func (r *recorder) Helper()                  {}
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
