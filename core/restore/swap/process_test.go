package swap_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/restore/swap"
)

// job is what a child process of these tests is told.
type job struct {
	Root   string
	Mounts []string
	Ran    int
	Op     string
	Kill   int // the failpoint, from 0, at which it kills itself
}

const childJob = "HOLDFAST_TEST_SWAP_JOB"

func (w *world) op(name string) func() (*swap.Outcome, error) {
	return map[string]func() (*swap.Outcome, error){
		"restore": func() (*swap.Outcome, error) { return w.restore() }, "undo": w.undo, "recover": w.recover,
	}[name]
}

// TestChild is the child process; by itself it does nothing.
func TestChild(t *testing.T) {
	text := os.Getenv(childJob)
	if text == "" {
		return
	}
	var j job
	must(json.Unmarshal([]byte(text), &j))
	w := &world{root: j.Root, mounts: j.Mounts, ran: j.Ran}
	w.fail = func(string) error {
		if j.Kill--; j.Kill < 0 {
			must(unix.Kill(os.Getpid(), unix.SIGKILL))
			select {}
		}
		return nil
	}
	if _, err := w.op(j.Op)(); err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
		t.Fatal(err)
	}
}

// sigkilled lets a child process do op and reports whether it was killed by SIGKILL at the n-th failpoint.
func (w *world) sigkilled(t *testing.T, op string, n int) bool {
	t.Helper()
	b, err := json.Marshal(job{w.root, w.mounts, w.ran, op, n})
	must(err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childJob+"="+string(b))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != unix.SIGKILL {
		t.Fatalf("%v: %s", err, out)
	}
	return true
}

// The same as TestKilledEverywhere with processes and SIGKILL, one kill each.
func TestSIGKILL(t *testing.T) {
	each(t, func(t *testing.T, fresh func() *world) {
		stride := 1
		switch mounts := len(fresh().mounts); {
		case long:
		case mounts == 1:
			return
		case mounts > 1:
			stride = 7
		}
		done := func() *world {
			w := fresh()
			_, err := w.restore()
			must(err)
			return w
		}
		half := func() *world { return killedAt(t, fresh(), "forward out chroma/both:after") }
		if len(fresh().mounts) < 2 {
			half = func() *world { return killedAt(t, fresh(), "forward out chroma:after") }
		}
		for _, o := range []struct {
			name string
			make func() *world
		}{{"restore", fresh}, {"undo", done}, {"recover", half}} {
			w := o.make()
			before, beforeLive := w.look("."), w.live()
			_, err := w.op(o.name)()
			must(err)
			after, afterLive := w.look("."), w.live()
			if o.name == "recover" { // what it can end as, beside new
				before = newWorld(scratch(t)).look(".")
				beforeLive = newWorld(scratch(t)).live()
			}
			kills, ends := 0, map[bool]int{}
			for n := 0; ; n += stride {
				w := o.make()
				if !w.sigkilled(t, o.name, n) {
					break
				}
				kills++
				w.half(t, o.name, beforeLive, afterLive)
				if o.name != "recover" {
					w.ran++ // as the child did
				}
				if _, err := w.recover(); err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
					t.Fatalf("%s killed at %d: %v", o.name, n, err)
				}
				ends[maps.Equal(w.ended(t, o.name, before, after), after)]++
			}
			t.Logf("%s (%s): %d processes killed, new: %v", o.name, strings.Join(w.mounts, " "), kills, ends)
			if kills < 4 || ends[true] == 0 {
				t.Errorf("%s: %d kills, %v", o.name, kills, ends)
			}
		}
	})
}
