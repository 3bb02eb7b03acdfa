package main

import (
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars draws one progress bar for each task on a terminal: bytes, rate, time
// left. A bar vanishes when its task is over, and all of them with stop.
type bars struct {
	p *mpb.Progress

	mu    sync.Mutex
	tasks map[string]*mpb.Bar
}

func newBars(w io.Writer) *bars {
	return &bars{
		p:     mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(150*time.Millisecond)),
		tasks: map[string]*mpb.Bar{},
	}
}

// Add implements progress.Progress.
func (b *bars) Add(task string, done, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bar := b.tasks[task]
	if bar == nil {
		bar = b.p.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(task, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(
				decor.CountersKibiByte("% .1f / % .1f", decor.WCSyncSpace),
				decor.AverageSpeed(decor.SizeB1024(0), "% .1f", decor.WCSyncSpace),
				decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace),
			))
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

// stop takes the bars off the terminal, also those whose task never ended.
func (b *bars) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bar := range b.tasks {
		bar.Abort(true)
	}
	b.p.Wait()
}
