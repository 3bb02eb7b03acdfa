package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// host is a machine that writes to, or cleans up, a target that others use, too.
type host struct {
	*world
	random *rand.Rand
	whole  time.Duration // about what its command takes
}

// Hosts of their own write to one target, others clean up there, and all of them are killed at random. What
// a create reported as made is there and whole, or was swept by a plan; and in the end a cleanup
// leaves nothing of the dead.
//
// HOLDFAST_SOAK lets it go on for two minutes, or for the duration that it names.
func TestSoak(t *testing.T) {
	const writers, cleanups = 5, 2
	span := 6 * time.Second
	if soak() {
		span = 2 * time.Minute
		if d, err := time.ParseDuration(os.Getenv("HOLDFAST_SOAK")); err == nil {
			span = d
		}
	}
	random := newRandom(t)
	backup := t.TempDir()
	newHost := func() *host {
		w := &world{t: t, dir: t.TempDir(), bin: testBinary(t)}
		if err := store.Generate(t.Context(), w.path("data"), store.Options{Seed: random.Uint64(), Size: 64 << 10}); err != nil {
			t.Fatal(err)
		}
		w.must(exitOK, "init", "--data", w.path("data"), "--target-path", backup, "--state-dir", w.path(".holdfast"))
		return &host{w, rand.New(rand.NewPCG(random.Uint64(), 0)), 300 * time.Millisecond}
	}
	var hosts []*host
	for n := range writers + cleanups {
		h := newHost()
		if n >= writers {
			h.keep(3 + n - writers)
		}
		hosts = append(hosts, h)
	}

	s := &soaking{made: map[manifest.ID]bool{}, ended: map[string]int{}}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var all sync.WaitGroup
	for n, h := range hosts {
		if n < writers {
			all.Go(func() { s.write(ctx, t, h) })
		} else {
			all.Go(func() { s.sweep(ctx, t, h) })
		}
	}
	all.Go(func() { s.age(ctx, t, filepath.Join(backup, "atocore", "intents")) })
	all.Wait()
	t.Logf("%d snapshots were made; the commands ended: %v", len(s.made), s.ended)
	if s.ended["create 0"] < writers || s.ended["create killed"] == 0 || s.ended["cleanup 0"] == 0 || s.ended["cleanup killed"] == 0 || s.ended["objects"] == 0 {
		t.Error("that is no soak")
	}

	s.grow(t, filepath.Join(backup, "atocore", "intents"))
	last := newHost() // one that remembers nothing
	last.keep(3)
	last.must(exitOK, "cleanup", "--confirm", "--no-grace", "--force")
	var r cleanupReport
	decodeLast(t, last.must(exitOK, "cleanup", "--confirm", "--no-grace", "--force", "--json"), &r)
	if c := r.Targets[0]; len(c.WaitingFor) > 0 || c.Objects > 0 || len(c.Missing) > 0 || len(c.Kept) < 3 {
		t.Errorf("the last cleanup: %+v", c)
	}
	none(t, filepath.Join(backup, "atocore", "intents", "*"))
	last.must(exitOK, "validate", "--all", "--level", "data", "--json")
	there := map[manifest.ID]bool{}
	for _, id := range last.ids() {
		there[id] = true
	}
	gone := 0
	for id := range s.made {
		if there[id] {
			continue
		}
		gone++
		if !swept(backup, id) {
			t.Errorf("snapshot %s was made, is not there, and nobody swept it", id)
		}
	}
	if gone == 0 {
		t.Error("nothing was swept")
	}
}

// soaking is what happens in a soak.
type soaking struct {
	alive sync.RWMutex // held for reading while a create runs

	mu    sync.Mutex
	made  map[manifest.ID]bool // that a create reported
	ended map[string]int       // by verb and exit code; and how many objects were swept
}

// write takes snapshots until ctx ends.
func (s *soaking) write(ctx context.Context, t *testing.T, h *host) {
	for n := uint64(0); ctx.Err() == nil; n++ {
		if _, err := store.Touch(ctx, h.path("data"), 0.05, n); err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		s.alive.RLock()
		out, killed, err := h.once("create", "--check", "quick", "--json")
		s.alive.RUnlock()
		s.end(t, "create", out, killed, err)
		if killed || err != nil {
			continue
		}
		var r createReport
		decodeLast(t, out, &r)
		s.mu.Lock()
		s.made[r.Targets[0].ID] = true
		s.mu.Unlock()
	}
}

// sweep cleans up until ctx ends. A sweep that waits for a dead create remembers how old its intent was, and what age does
// is no help to it: such a host loses its memory now and then, which costs it time only.
func (s *soaking) sweep(ctx context.Context, t *testing.T, h *host) {
	for ctx.Err() == nil {
		out, killed, err := h.once("cleanup", "--confirm", "--no-grace", "--force", "--json")
		s.end(t, "cleanup", out, killed, err)
		if killed || err != nil {
			continue
		}
		var r cleanupReport
		decodeLast(t, out, &r)
		s.mu.Lock()
		s.ended["objects"] += r.Targets[0].Objects
		s.mu.Unlock()
		if len(r.Targets[0].WaitingFor) > 0 && h.random.IntN(3) == 0 {
			if err := os.RemoveAll(h.path(".holdfast", "cleanup")); err != nil {
				t.Error(err)
			}
		}
	}
}

// end counts how a command ended. One that was not killed succeeds, but for a cleanup that cannot get a word in among the
// creates.
func (s *soaking) end(t *testing.T, verb, out string, killed bool, err error) {
	how := "0"
	var exit *exec.ExitError
	switch {
	case killed:
		how = "killed"
	case errors.As(err, &exit):
		how = fmt.Sprint(exit.ExitCode())
		if verb != "cleanup" || !strings.Contains(out, "the listing changed") {
			t.Errorf("%s ended with %s: %s", verb, how, out)
		}
	case err != nil:
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[verb+" "+how]++
}

// age makes the intents of dead creates old, again and again: no cleanup waits for them then.
func (s *soaking) age(ctx context.Context, t *testing.T, intents string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.grow(t, intents)
		}
	}
}

// grow makes every intent older than a create may be, while no create runs.
func (s *soaking) grow(t *testing.T, intents string) {
	s.alive.Lock()
	defer s.alive.Unlock()
	paths, err := filepath.Glob(filepath.Join(intents, "*"))
	if err != nil {
		t.Error(err)
	}
	old := time.Now().Add(-25 * time.Hour)
	for _, p := range paths {
		if err := os.Chtimes(p, old, old); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}

// once runs a command and kills one in three.
func (h *host) once(args ...string) (stdout string, killed bool, err error) {
	cmd := h.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return "", false, err
	}
	if h.random.IntN(3) == 0 {
		timer := time.AfterFunc(time.Duration(h.random.Int64N(int64(h.whole))), func() { _ = cmd.Process.Kill() }) // it may have ended
		defer timer.Stop()
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() == -1 {
		return out.String(), true, nil
	}
	h.whole = time.Since(began)
	return out.String(), false, err
}

// keep makes the policy of the host that the newest so many are kept.
func (h *host) keep(last int) {
	h.t.Helper()
	b, err := os.ReadFile(h.path("holdfast.yaml"))
	if err != nil {
		h.t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(b), "\nretention: classic\n")
	if !ok {
		h.t.Fatalf("no policy to replace in %s", b)
	}
	b = fmt.Appendf(nil, "%s\nretention: {last: %d}\n%s", before, last, after)
	if err := os.WriteFile(h.path("holdfast.yaml"), b, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// swept reports whether a cleanup decided that the snapshot goes.
func swept(backup string, id manifest.ID) bool {
	verdicts, _ := filepath.Glob(filepath.Join(backup, "atocore", "verdicts", string(id)+".*")) // the pattern is good
	for _, v := range verdicts {
		if b, err := os.ReadFile(v); err == nil && manifest.Verdict(b) == manifest.Sweep {
			return true
		}
	}
	return false
}
