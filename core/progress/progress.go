// Package progress is how long work says how far it has come.
//
// Core packages take a [Progress] and know nothing of who listens: the command
// line draws a bar on a terminal, writes an occasional line to a log or a
// status line of JSON, and with --quiet listens to nothing. Progress is news,
// never a result: nothing may depend on a report having been made.
package progress

// Progress receives reports. Implementations are safe for use by many
// goroutines at once and return quickly: they are called in the middle of work.
type Progress interface {
	// Add reports that done more bytes of task were dealt with: a difference,
	// not a sum. The task is a short stable label that a person understands,
	// such as "capture db", "upload nas" or "verify db", and is what reports
	// are added up by.
	//
	// total is how many bytes the task has in all, as far as is known now; a
	// later call may better it, and 0 says nothing about it. A task is over
	// when its sum reaches its total; it need not, since failed work stops
	// where it failed.
	Add(task string, done, total int64)
}

// Discard listens to nothing.
//
// It is a value of a type without state, so it may be compared and copied.
var Discard Progress = discard{}

type discard struct{}

func (discard) Add(string, int64, int64) {}

// Or returns p, or [Discard] when p is nil, so that a nil field in an options
// struct needs no check where reports are made.
func Or(p Progress) Progress {
	if p == nil {
		return Discard
	}
	return p
}
