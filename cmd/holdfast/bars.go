package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars draws one progress bar for each task on a terminal: bytes, rate, time
// left. A bar vanishes when its task is over, and all of them with stop.
type bars struct {
	p   *mpb.Progress
	now func() time.Time

	mu    sync.Mutex
	tasks map[string]*mpb.Bar
}

func newBars(w io.Writer, now func() time.Time) *bars {
	return &bars{
		p:     mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(150*time.Millisecond)),
		now:   now,
		tasks: map[string]*mpb.Bar{},
	}
}

// Add implements progress.Progress.
func (b *bars) Add(task string, done, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bar := b.tasks[task]
	if bar == nil {
		start := b.now()
		pace := func(s decor.Statistics) string { return pace(s.Current, s.Total, b.now().Sub(start)) }
		bar = b.p.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(task, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(pace, decor.WCSyncSpaceR)))
		b.tasks[task] = bar
	}
	if total > 0 {
		bar.SetTotal(total, false)
	}
	bar.IncrInt64(done)
	if total > 0 && bar.Current() >= total {
		bar.SetTotal(total, true)
	}
}

// pace tells how much is done, of how much, how fast, and how long the rest will
// take at that rate. total is 0 when it is not known.
func pace(done, total int64, elapsed time.Duration) string {
	s := size(done)
	if total > 0 {
		s += " of " + size(total)
	}
	if done <= 0 || elapsed < time.Second {
		return s
	}
	rate := float64(done) / elapsed.Seconds()
	s += fmt.Sprintf(", %s/s", size(int64(rate)))
	if total > done {
		s += fmt.Sprintf(", %v left", time.Duration(float64(total-done)/rate*float64(time.Second)).Round(time.Second))
	}
	return s
}

// stop takes the bars off the terminal, also those whose task never ended.
func (b *bars) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bar := range b.tasks {
		bar.Abort(true)
	}
	b.p.Wait()
}
