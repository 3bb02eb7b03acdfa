package targettest

import (
	"runtime"
	"strings"
	"time"
)

// leakPatience is how long goroutines may take to end after a target is closed.
const leakPatience = 2 * time.Second

// goroutines gives the stacks of all goroutines but the calling one by their
// first words, "goroutine 18". Numbers are never used twice in a process, so one
// that is about to end cannot hide a new one, as it would in a mere count.
func goroutines() map[string]string {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	stacks := strings.Split(string(buf[:n]), "\n\n")
	all := make(map[string]string, len(stacks))
	for _, stack := range stacks[1:] { // the calling goroutine comes first
		number, _, _ := strings.Cut(stack, " [")
		all[number] = stack
	}
	return all
}

// checkLeak fails if there are goroutines that were not there before, and do not
// end soon.
func checkLeak(t T, before map[string]string) {
	t.Helper()
	deadline := time.Now().Add(leakPatience)
	for {
		var leaked []string
		for number, stack := range goroutines() {
			if _, old := before[number]; !old {
				leaked = append(leaked, stack)
			}
		}
		if len(leaked) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines are left:\n%s", len(leaked), strings.Join(leaked, "\n\n"))
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
