package progress_test

import (
	"testing"

	"github.com/atocore/holdfast/core/progress"
)

type sum map[string][2]int64

func (s sum) Add(task string, done, total int64) {
	s[task] = [2]int64{s[task][0] + done, max(s[task][1], total)}
}

func TestOr(t *testing.T) {
	progress.Or(nil).Add("db", 1, 2) // must not panic

	got := sum{}
	p := progress.Or(got)
	p.Add("db", 1, 3)
	p.Add("db", 2, 0)
	if got["db"] != [2]int64{3, 3} {
		t.Errorf("Or(p) does not report to p: %v", got)
	}
}
