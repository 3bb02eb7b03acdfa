package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestTally(t *testing.T) {
	clock := time.Unix(0, 0)
	var got []status
	p := newTally(time.Second, func() time.Time { return clock }, func(s status) { got = append(got, s) })
	step := func(d time.Duration, task string, done, total int64) {
		clock = clock.Add(d)
		p.Add(task, done, total)
	}
	step(0, "a", 1, 10)
	step(0, "short", 5, 5)       // over at once: no line
	step(500e6, "a", 1, 0)       // too early
	step(600e6, "a", 1, 0)       // due
	step(100e6, "a", 1, 20)      // too early
	step(5e9, "unknown", 7, 0)   // new
	step(2e9, "unknown", 7, 0)   // due, without a total
	step(100e6, "a", 16, 0)      // its end, and due
	step(100e6, "a", 1, 0)       // after its end
	step(0, "unknown", 100, 114) // its end is always shown
	want := []status{
		{"status", "a", 3, 10},
		{"status", "unknown", 14, 0},
		{"status", "a", 20, 20},
		{"status", "unknown", 114, 114},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, s := range got {
		line, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkSchema("status", line); err != nil {
			t.Error(err)
		}
	}
	var log bytes.Buffer
	got[0].line(&log)
	got[1].line(&log)
	if want := "a: 3 B of 10 B (30%)\nunknown: 14 B\n"; log.String() != want {
		t.Errorf("log %q, want %q", log.String(), want)
	}
}

// Reports from many goroutines, a task that never ends, and one that is over:
// stop returns and leaves nothing running.
func TestBars(t *testing.T) {
	b := newBars(io.Discard, time.Now)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				b.Add("upload nas", 1, 800)
				b.Add("capture db", 1, 0)
				b.Add("verify db", 1, 1<<40)
			}
		})
	}
	wg.Wait()
	b.stop()
}

func TestPace(t *testing.T) {
	tests := []struct {
		done, total int64
		elapsed     time.Duration
		want        string
	}{
		{0, 0, 0, "0 B"},
		{0, 1 << 30, time.Minute, "0 B of 1.0 GiB"},
		{5 << 20, 0, 2 * time.Second, "5.0 MiB, 2.5 MiB/s"},
		{5 << 20, 20 << 20, 500 * time.Millisecond, "5.0 MiB of 20 MiB"},
		{5 << 20, 20 << 20, 2 * time.Second, "5.0 MiB of 20 MiB, 2.5 MiB/s, 6s left"},
		{20 << 20, 20 << 20, 2 * time.Second, "20 MiB of 20 MiB, 10 MiB/s"},
		{21 << 20, 20 << 20, 2 * time.Second, "21 MiB of 20 MiB, 11 MiB/s"},
	}
	for _, tt := range tests {
		if got := pace(tt.done, tt.total, tt.elapsed); got != tt.want {
			t.Errorf("pace(%d, %d, %v) = %q, want %q", tt.done, tt.total, tt.elapsed, got, tt.want)
		}
	}
}
