package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

// A database is backed up while another process commits to it: every restored
// copy is one moment, and holds all that was acknowledged before its create
// began. The writer is this process, and every create is one of its own.
func TestBesideAWriter(t *testing.T) {
	for _, journal := range []store.Journal{store.WAL, store.Rollback} {
		t.Run(string(journal), func(t *testing.T) {
			w := newWorld(t, store.Options{Seed: 1, Size: 2 << 20, Journal: journal})
			acked, stop := w.writer(200)

			const creates = 5
			acknowledged := map[manifest.ID]int64{} // before the create of that snapshot began
			var last int64
			for range creates {
				last = awaitMore(t, acked, last)
				out, err := w.command("create", "--json").Output()
				if err != nil {
					t.Fatalf("create: %v\n%s", err, out)
				}
				var r createReport
				decodeLast(t, string(out), &r)
				if r.Grade != manifest.Good {
					t.Errorf("grade %s: %v", r.Grade, r.Reasons)
				}
				acknowledged[r.Targets[0].ID] = last
			}
			awaitMore(t, acked, last)
			stop() // fails the test if the writer ever failed
			end := acked.Load()

			ids := w.ids()
			if len(ids) != creates {
				t.Fatalf("%d snapshots, want %d", len(ids), creates)
			}
			for _, id := range ids {
				to := w.path("restored", string(id))
				mkdir(t, filepath.Dir(to))
				w.must(exitOK, "restore", string(id), "--to", to)
				f, err := store.Check(t.Context(), filepath.Join(to, "db")) // the sum of the balances, among others
				if err != nil {
					t.Errorf("snapshot %s: %v", id, err)
				}
				if f.Transfers < acknowledged[id] || f.Transfers > end+1 {
					t.Errorf("snapshot %s has transfer %d; %d was acknowledged before its create, %d at the end", id, f.Transfers, acknowledged[id], end)
				}
			}
			w.must(exitOK, "validate", "--all", "--level", "content")
		})
	}
}

// writer commits at most rate transfers a second to the database, until stop,
// which also fails the test when a commit failed. acked is the last one.
func (w *world) writer(rate int) (acked *atomic.Int64, stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	r, acks := io.Pipe()
	failed := make(chan error, 1)
	go func() {
		err := store.Write(ctx, w.path("data"), store.WriteOptions{Seed: 1, Rate: rate}, acks)
		failed <- errors.Join(err, acks.Close())
	}()
	acked = new(atomic.Int64)
	read := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			var n int64
			if _, err := fmt.Sscanf(lines.Text(), "committed %d", &n); err != nil {
				read <- err
				return
			}
			acked.Store(n)
		}
		read <- lines.Err()
	}()
	stop = func() {
		cancel()
		if err := errors.Join(<-failed, <-read); err != nil {
			w.t.Errorf("the writer failed: %v", err)
		}
	}
	w.t.Cleanup(cancel)
	return acked, stop
}

// awaitMore waits until the writer is at least ten commits further.
func awaitMore(t *testing.T, acked *atomic.Int64, last int64) int64 {
	t.Helper()
	poll(t, "ten more commits", func() bool { return acked.Load() >= last+10 })
	return acked.Load()
}

// poll waits until what was waited for is there.
func poll(t *testing.T, what string, there func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !there() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
