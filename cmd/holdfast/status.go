package main

import (
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/atocore/holdfast/core/progress"
)

// progress returns where long work reports to, and what ends the reporting: bars
// on a terminal, status lines with --json, a line now and then elsewhere,
// nothing with --quiet. stop is called before anything else is written.
func (a *app) progress() (p progress.Progress, stop func()) {
	switch {
	case a.quiet:
		return progress.Discard, func() {}
	case a.json:
		return newTally(time.Second, a.now, func(s status) { _ = a.encode(s) }), func() {} // the sink keeps the error
	case isTerminal(a.stderr):
		b := newBars(a.stderr, a.now)
		return b, b.stop
	}
	return newTally(15*time.Second, a.now, func(s status) { s.line(a.stderr) }), func() {}
}

// status is a status line.
type status struct {
	MessageType string `json:"message_type"` // "status"
	Task        string `json:"task"`
	Done        int64  `json:"done"`            // bytes
	Total       int64  `json:"total,omitempty"` // bytes; absent when not known
}

// line writes the status for a log.
func (s status) line(w io.Writer) {
	if s.Total > 0 {
		say(w, "%s: %s of %s (%d%%)\n", s.Task, size(s.Done), size(s.Total), s.Done*100/s.Total)
		return
	}
	say(w, "%s: %s\n", s.Task, size(s.Done))
}

// size shows a number of bytes in IEC units.
func size(n int64) string {
	if n < 0 {
		return "-" + humanize.IBytes(uint64(-n))
	}
	return humanize.IBytes(uint64(n))
}

// tally adds up the reports of each task and passes the sum on, at most once in
// an interval for each; the last of a task that was ever shown is always passed
// on. A task that is over within one interval is not worth a line.
type tally struct {
	interval time.Duration
	now      func() time.Time
	show     func(status)

	mu    sync.Mutex // held while show runs: lines must not mix
	tasks map[string]*tallied
}

type tallied struct {
	done, total int64
	next        time.Time // when the next line is due
	shown       bool
	over        bool
}

func newTally(interval time.Duration, now func() time.Time, show func(status)) *tally {
	return &tally{interval: interval, now: now, show: show, tasks: map[string]*tallied{}}
}

// Add implements progress.Progress.
func (t *tally) Add(task string, done, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.tasks[task]
	if k == nil {
		k = &tallied{next: t.now().Add(t.interval)}
		t.tasks[task] = k
	}
	k.done += done
	if total > 0 {
		k.total = total
	}
	now := t.now()
	ends := k.total > 0 && k.done >= k.total && k.shown && !k.over
	if now.Before(k.next) && !ends || k.over {
		return
	}
	k.shown, k.next, k.over = true, now.Add(t.interval), k.total > 0 && k.done >= k.total
	t.show(status{MessageType: "status", Task: task, Done: k.done, Total: k.total})
}
