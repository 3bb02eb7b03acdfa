package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

// A create that is killed at any moment leaves a repository in which every
// listed snapshot is whole, and nothing in the way of the next create.
func TestKilledAtRandom(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 4 << 20})
	random := newRandom(t)
	whole := w.duration("create")

	const kills = 16
	ids := w.ids()
	killed := 0
	for n := 0; killed < kills; n++ {
		if n == 4*kills {
			t.Fatalf("only %d of %d creates were killed", killed, n)
		}
		if _, err := store.Touch(t.Context(), w.path("data"), 0.02, uint64(n)); err != nil {
			t.Fatal(err)
		}
		if w.end(random, &whole, syscall.SIGKILL, "create") == -1 {
			killed++
		}
		now := w.ids() // insists that all are whole
		if len(now) > len(ids)+1 || !slices.Equal(now[:len(ids)], ids) {
			t.Fatalf("snapshots were %v, and after a kill are %v", ids, now)
		}
		if ids = now; n%4 == 3 {
			id, _ := w.created("--check", "quick")
			ids = append(ids, id)
			none(t, w.path(".holdfast", "staging", "*"))
		}
	}
	w.must(exitOK, "validate", "--all", "--json")
	if got := w.ids(); !slices.Equal(got, ids) {
		t.Errorf("snapshots are %v, want %v", got, ids)
	}
	to := w.path("restored")
	w.must(exitOK, "restore", "latest", "--to", to)
	if _, err := store.Check(t.Context(), filepath.Join(to, "db")); err != nil {
		t.Error(err)
	}
}

// A command that is interrupted or terminated at any moment ends with the code of
// the signal, unless it was done, and leaves nothing half-done: no intent, no
// staging, no part of what it restored.
func TestSignalledAtRandom(t *testing.T) {
	w := newWorld(t, store.Options{Seed: 1, Size: 4 << 20})
	random := newRandom(t)
	for _, verb := range interruptible {
		t.Run(verb, func(t *testing.T) {
			w := w.in(t)
			args := map[string][]string{
				"create": {"create"}, "restore": {"restore", "latest", "--to", w.path("out")},
				"validate": {"validate"}, "dump": {"dump", "latest", "db"},
			}[verb]
			whole := w.duration(args...)
			seen := map[exitCode]int{}
			for n := 0; n < 40 && (n < 8 || seen[exitInterrupted] == 0 || seen[exitTerminated] == 0); n++ {
				_, err := store.Touch(t.Context(), w.path("data"), 0.02, uint64(n))
				if err := errors.Join(err, os.RemoveAll(w.path("out"))); err != nil {
					t.Fatal(err)
				}
				before := w.ids()
				signal, want := syscall.SIGINT, exitInterrupted
				if n%2 == 1 {
					signal, want = syscall.SIGTERM, exitTerminated
				}
				run := args
				if n%4 >= 2 && verb != "dump" {
					run = append(slices.Clone(args), "--json")
				}
				code := w.end(random, &whole, signal, run...)
				seen[code]++
				// -1: so early that it had not even begun to listen to signals.
				if code != exitOK && code != want && code != -1 {
					t.Errorf("%s with %v ended with %d, want 0 or %d", verb, signal, code, want)
				}
				none(t, w.path("backup", "atocore", "intents", "*"))
				none(t, w.path("backup", "doctor"))
				none(t, w.path(".holdfast", "staging", "*"))
				if _, err := os.Stat(w.path("out")); verb == "restore" && (err == nil) != (code == exitOK) {
					t.Errorf("restore ended with %d, and its directory: %v", code, err)
				}
				after := w.ids()
				if verb == "create" && code == exitOK {
					before = append(before, after[len(after)-1])
				}
				if !slices.Equal(before, after) {
					t.Errorf("snapshots were %v, and after %d are %v", before, code, after)
				}
			}
			if seen[exitInterrupted] == 0 || seen[exitTerminated] == 0 {
				t.Errorf("too quick for a signal: %v", seen)
			}
		})
	}
	w.must(exitOK, "validate", "--all")
}

// interruptible are the verbs that take long enough to be stopped by a signal.
var interruptible = []string{"create", "restore", "validate", "dump"}

// newRandom is random, and prints how to repeat it.
func newRandom(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HOLDFAST_TEST_SEED"); s != "" {
		seed = 0
		for _, c := range s {
			seed = seed*10 + uint64(c-'0')
		}
	}
	t.Logf("HOLDFAST_TEST_SEED=%d repeats this run", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// duration runs a command to its end and returns how long that takes.
func (w *world) duration(args ...string) time.Duration {
	w.t.Helper()
	start := time.Now()
	if out, err := w.command(args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return time.Since(start)
}

// end runs a command and sends it a signal at some moment of the time that it
// takes as a whole, which is measured again when the command was faster. The
// code is -1 when the signal killed it.
func (w *world) end(random *rand.Rand, whole *time.Duration, signal syscall.Signal, args ...string) exitCode {
	w.t.Helper()
	cmd := w.command(args...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	start := time.Now()
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	timer := time.AfterFunc(time.Duration(random.Int64N(int64(*whole))), func() { _ = cmd.Process.Signal(signal) }) // it may have ended
	err := cmd.Wait()
	timer.Stop()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	code := exitCode(cmd.ProcessState.ExitCode())
	if code == exitOK {
		*whole = time.Since(start)
	}
	if slices.Contains(args, "--json") && code != -1 {
		if err := checkVerdict(stdout.Bytes(), code); err != nil {
			w.t.Error(err)
		}
	}
	return code
}
