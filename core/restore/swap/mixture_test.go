package swap_test

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// Beside a database that is overwritten there is a log only while all but the header is what the log belongs to:
// SQLite takes the first page from the log, header and all, and then opens the file, whatever the rest is.
func TestNoMixture(t *testing.T) {
	for _, journal := range []string{"-wal", "-journal"} {
		t.Run(journal, func(t *testing.T) {
			w := newWorld(t.TempDir(), "data/db/app.db")
			w.write(tree{"data/db/app.db" + journal: "old log"})
			read := func(rel string) string {
				b, err := os.ReadFile(w.path(rel))
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				return string(b)
			}
			const block = 512 // the least that a disk writes at once, in which the header is
			old := read("data/db/app.db")
			beside, at := 0, ""
			watch := func(point string) error {
				if read("data/db/app.db"+journal) == "" {
					return nil
				}
				beside++
				if got := read("data/db/app.db"); at == "" && (len(got) < block || got[block:] != old[block:]) {
					at = point
				}
				return nil
			}
			taken := func(what string, err error) {
				t.Helper()
				if err != nil || at != "" {
					t.Fatalf("%s: %v; at %q the log is beside a file that it does not belong to", what, err, at)
				}
			}
			w.fail = watch
			_, err := w.restore()
			taken("restore", err)
			_, err = w.undo()
			taken("undo", err)
			w.fail = func(point string) error {
				if strings.HasPrefix(point, "forward verify") {
					return errors.New("go back")
				}
				return watch(point)
			}
			if _, err := w.restore(); err == nil {
				t.Fatal("it did not go back")
			}
			taken("going back", nil)
			if read("data/db/app.db") != old || beside == 0 {
				t.Errorf("the log was seen %d times", beside)
			}
		})
	}
}
