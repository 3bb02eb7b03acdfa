package swap_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/restore/swap"
)

// An error of the disk at each point, once or for good from there on: the store is as before, or as after,
// or the error says that it must be recovered, and what is said of it is true.
func TestFailsEverywhere(t *testing.T) {
	for _, forGood := range []bool{false, true} {
		each(t, func(t *testing.T, fresh func() *world) {
			for _, o := range operations(fresh) {
				w := o.make()
				if !long && (len(w.mounts) == 1 || forGood && len(w.mounts) > 0 || o.name != "restore" && o.name != "undo") {
					continue
				}
				before := w.look(".")
				points := w.points(t, o.run(w))
				after := w.look(".")
				ends := map[string]int{}
				for k, point := range points {
					w := o.make()
					n := k
					w.fail = func(string) error {
						if n--; n == -1 || n < 0 && forGood {
							return unix.EIO
						}
						return nil
					}
					out, _, err := w.attempt(o.run(w))
					if !errors.Is(err, unix.EIO) {
						t.Fatalf("%s: EIO at %s: %v", o.name, point, err)
					}
					said := "untouched"
					if out != nil {
						said = string(out.Live)
					}
					if back := strings.Contains(err.Error(), "all is again as it was"); back != (said == "old" && !errors.Is(err, swap.ErrUnfinished)) {
						t.Fatalf("%s: EIO at %s: %s, and told %v", o.name, point, said, err)
					}
					if errors.Is(err, swap.ErrUnfinished) {
						said += " unfinished"
						if _, err := w.recover(); err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
							t.Fatalf("%s: EIO at %s: %v", o.name, point, err)
						}
					}
					isNew := maps.Equal(w.ended(t, o.name+": EIO at "+point, before, after), after)
					if want, told := strings.CutPrefix(said, "new"); told && !isNew || !told && isNew && want == "untouched" || said == "old" && isNew {
						t.Fatalf("%s: EIO at %s: said to be %s, and new is %v", o.name, point, said, isNew)
					}
					ends[said]++
				}
				t.Logf("%s: EIO at %d points, for good %v: %v", o.name, len(points), forGood, ends)
				if len(ends) < 3 {
					t.Errorf("%s: only %v", o.name, ends)
				}
			}
		})
	}
}

// The failpoints are before and after each effect, and an effect has a name of its own.
func TestPoints(t *testing.T) {
	w := newWorld(scratch(t))
	points := w.points(t, func() (*swap.Outcome, error) { return w.restore() })
	for i := 0; i < len(points); i += 2 {
		name, ok := strings.CutSuffix(points[i], ":before")
		if !ok || points[i+1] != name+":after" {
			t.Errorf("%s, then %s", points[i], points[i+1])
		}
	}
	order := []string{
		"journal staging rename", "staging db", "owner db", "staged db sync", "kept db", "journal swapping write", "journal swapping rename", "journal swapping sync",
		"forward link out db-wal", "forward out db", "forward out db to sync", "forward out db from sync", "forward out chroma", "forward out db-wal",
		"forward out registry", "forward in registry", "forward in chroma", "forward in db", "forward verify", "tidy of db", "journal done rename", "journal done sync",
	}
	at := -1
	for _, name := range order {
		i := slices.Index(points, name+":before")
		if i <= at {
			t.Errorf("%s is at %d, and what precedes it at %d", name, i, at)
		}
		at = i
	}
}

// What the caller finds in its last look, and what changes while it is read, stops a restore.
func TestCheck(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		running := errors.New("it runs")
		w := fresh()
		before := w.look(".")
		w.check = func(context.Context) error { return running }
		if out, err := w.restore(); out != nil || !errors.Is(err, running) {
			t.Error(out, err)
		}
		w.ended(t, "refused", before)
		w.check = func(context.Context) error {
			w.write(tree{"data/chroma/aa/data.bin": "New data"})
			return nil
		}
		if out, err := w.restore(); out != nil || !errors.Is(err, swap.ErrServiceRan) || errors.Is(err, swap.ErrUnfinished) {
			t.Error(out, err)
		}
		w.write(tree{"data/chroma/aa/data.bin": "old data"})
		w.ended(t, "written to", before)
	})
}

// A context that ends stops a restore before the first live file is moved, and not after.
func TestCancelled(t *testing.T) {
	w := newWorld(scratch(t))
	before := w.look(".")
	ctx, cancel := context.WithCancel(t.Context())
	for _, point := range []string{"kept db:after", "journal swapping write:before"} {
		s, err := w.prepare()
		if err != nil {
			t.Fatal(err)
		}
		w.stage(s)
		w.fail = func(p string) error {
			if p == point {
				cancel()
			}
			return nil
		}
		out, err := s.Run(ctx)
		w.fail = nil
		if point == "kept db:after" {
			if out != nil || !errors.Is(err, context.Canceled) {
				t.Error(out, err)
			}
			if err := s.Abandon(); err != nil {
				t.Error(err)
			}
			w.ended(t, "cancelled", before)
			ctx, cancel = context.WithCancel(t.Context())
			continue
		}
		if err != nil || out.Live != swap.New {
			t.Error(out, err)
		}
	}
	cancel()
}
