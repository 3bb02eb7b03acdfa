package swap_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/restore/swap"
)

// A service that starts while the swap is verified makes a log beside the new database. The old database must
// not be moved beside that, for SQLite would apply it.
func TestLogOfAnIntruder(t *testing.T) {
	w := newWorld(t.TempDir())
	restored := ""
	w.fail = func(point string) error {
		if strings.HasSuffix(point, "verify:before") && restored == "" {
			restored = w.live()["data/db/app.db"]
			w.write(tree{"data/db/app.db-wal": "log of a service"})
		}
		return nil
	}
	out, err := w.restore()
	if out != nil || !errors.Is(err, swap.ErrUnfinished) || !errors.Is(err, swap.ErrServiceRan) {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := w.live()["data/db/app.db"]; got != restored {
		t.Errorf("beside the log of the service is %.40q", got)
	}
	w.fail = nil
	if _, err := w.recover(); !errors.Is(err, swap.ErrServiceRan) {
		t.Error(err)
	}
	if _, err := w.take(swap.New); err != nil {
		t.Fatal(err)
	}
	if got := w.live(); got["data/db/app.db"] != restored || !strings.HasSuffix(got["data/db/app.db-wal"], "log of a service") {
		t.Errorf("what the service wrote is gone: %v", got)
	}
}
