package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/atocore/holdfast/core/target"
)

// The test binary runs itself as a writer that kills itself at a step.
const (
	crashStep = "HOLDFAST_TEST_CRASH_STEP"
	crashPath = "HOLDFAST_TEST_CRASH_PATH"
	crashKey  = "s/archives/1/volume"
)

var crashBody = strings.Repeat("0123456789abcdef", 5*bufferSize/16)

// putAndCrash is the child: it puts crashBody and dies when the step comes up.
func putAndCrash(at string) int {
	x, err := Open(Config{Path: os.Getenv(crashPath)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	writes := 0
	x.failAt = func(s step, _ string) error {
		if s == stepWrite {
			writes++
		}
		if string(s) != at || s == stepWrite && writes < 3 {
			return nil
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return err
		}
		select {} // until the signal arrives
	}
	err = put(context.Background(), x, crashKey, crashBody)
	fmt.Fprintln(os.Stderr, "still alive:", err)
	return 1
}

// TestKilled kills a writer at every step: the object is absent or whole, no
// listing shows anything else, a later put works, and RemoveStale tidies up.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at    step
		whole bool // the object has its name by then
		stale int  // temporary files left behind
	}{
		{stepMkdir, false, 0},
		{stepCreate, false, 0},
		{stepWrite, false, 1},
		{stepFsync, false, 1},
		{stepClose, false, 1},
		{stepLink, false, 1},
		{stepUnlink, true, 1},
		{stepSyncDir, true, 0},
	} {
		t.Run(string(c.at), func(t *testing.T) {
			path := t.TempDir()
			x := create(t, path)
			mustPut(t, x, "s/before", "x")
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), crashStep+"="+string(c.at), crashPath+"="+path)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the writer ended with %v: %s", err, out)
			}

			err = put(t.Context(), x, "s/after", "x")
			if err != nil {
				t.Errorf("Put of another key: %v", err)
			}
			if c.whole {
				wantKeys(t, x, "s/after", crashKey, "s/before")
				err = put(t.Context(), x, crashKey, crashBody)
				if !errors.Is(err, target.ErrExists) {
					t.Errorf("Put again: %v, want ErrExists", err)
				}
			} else {
				wantKeys(t, x, "s/after", "s/before")
				if err := put(t.Context(), x, crashKey, crashBody); err != nil {
					t.Errorf("Put again: %v", err)
				}
			}
			if b, err := get(t.Context(), x, crashKey); err != nil || string(b) != crashBody {
				t.Errorf("Get: %d bytes, %v", len(b), err)
			}
			if n, err := x.RemoveStale(t.Context()); n != c.stale || err != nil {
				t.Errorf("RemoveStale: %d, %v; want %d", n, err, c.stale)
			}
			if names := everything(t, path); slices.ContainsFunc(names, func(s string) bool { return strings.Contains(s, "~") }) {
				t.Errorf("left %q", names)
			}
		})
	}
}
