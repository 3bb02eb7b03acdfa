package retention

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The policy classic keeps, stamp by stamp, what a restatement of the original's rule in another language
// keeps, over trees of three years that have gaps, days with many snapshots, and equal seconds.
func TestClassicIsTheOriginals(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 runs the other statement of the rule: ", err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 12 {
		end := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(random.Int64N(int64(400 * 24 * time.Hour))))
		share := random.Float64() // of the days that have a snapshot
		var snapshots []Snapshot
		var stamps []string
		for when := end.AddDate(-3, 0, 0); when.Before(end); when = when.AddDate(0, 0, 1) {
			if random.Float64() > share {
				continue
			}
			for range 1 + random.IntN(1+random.IntN(4)) {
				second := time.Duration(random.IntN(24*3600)) * time.Second
				if random.IntN(8) == 0 {
					second = []time.Duration{0, 24*time.Hour - time.Second}[random.IntN(2)] // the ends of a day
				}
				s := snapshot(when.Truncate(24 * time.Hour).Add(second))
				snapshots = append(snapshots, s)
				stamps = append(stamps, stampOf(s))
			}
		}
		cmd := exec.Command(python, "testdata/classic.py")
		cmd.Stdin = strings.NewReader(strings.Join(stamps, "\n"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		random.Shuffle(len(snapshots), func(i, j int) { snapshots[i], snapshots[j] = snapshots[j], snapshots[i] })
		var got []string
		for _, d := range Plan(snapshots, Classic(), end.AddDate(0, 0, 1)) {
			if d.Keep {
				got = append(got, stampOf(Snapshot{ID: d.ID}))
			}
		}
		if diff := cmp.Diff(strings.Fields(string(out)), got); diff != "" {
			t.Fatalf("of %d snapshots (-original +classic):\n%s", len(snapshots), diff)
		}
	}
}

func stampOf(s Snapshot) string { return string(s.ID[:len("20060102T150405Z")]) }
