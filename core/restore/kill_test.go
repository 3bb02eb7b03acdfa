package restore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// What the child of TestKilled is told: where to restore to, and at which read to wait for its death.
const (
	childDir  = "HOLDFAST_TEST_RESTORE_TO"
	childStop = "HOLDFAST_TEST_RESTORE_STOP"
)

// child restores until it has asked for an object often enough, says so, and waits for its death; or says
// that it came to its end before.
func child(t *testing.T, dir string) {
	stop, err := strconv.Atoi(os.Getenv(childStop))
	if err != nil {
		t.Fatal(err)
	}
	w := backuptest.New(t, "nas")
	w.Chroma()
	m := w.Good().Targets[0].Manifest
	repo := w.Repo(0)
	var reads atomic.Int64
	w.Faults["nas"] = func(ctx context.Context, op memtarget.Op, _ string) memtarget.Fault {
		if op == memtarget.Get && int(reads.Add(1)) == stop {
			fmt.Println("waiting")
			<-ctx.Done()
		}
		return memtarget.Fault{}
	}
	if _, err := restore.ToDir(t.Context(), restore.Options{Repository: repo, Manifest: m, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("done")
}

// A restore that is killed leaves nothing but its staging directory, whose name says that it is partial,
// and the next restore to the same directory completes.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		child(t, dir)
		return
	}
	w := backuptest.New(t, "nas")
	w.Chroma()
	m := w.Good().Targets[0].Manifest
	dir := filepath.Join(t.TempDir(), "out")
	kills := 0
	for stop := 1; ; stop++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), childDir+"="+dir, childStop+"="+strconv.Itoa(stop))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := ""
		for s := bufio.NewScanner(out); said == "" && s.Scan(); {
			if line := s.Text(); line == "waiting" || line == "done" {
				said = line
			}
		}
		if said == "done" {
			_, _ = io.Copy(io.Discard, out)
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			break
		}
		if said != "waiting" {
			t.Fatalf("the child ended: %v", cmd.Wait())
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed, as it should be
		kills++
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || entries[0].Name() != ".holdfast-partial" {
			t.Fatalf("killed at read %d: %v, %v", stop, entries, err)
		}
	}
	if kills < 6 { // an index and a volume of each component
		t.Errorf("only %d kills", kills)
	}
	if got := tree(t, dir); strings.Contains(strings.Join(got, " "), "partial") {
		t.Errorf("the child that lived left %v", got)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := restore.ToDir(t.Context(), restore.Options{Repository: w.Repo(0), Manifest: m, Dir: dir}); err != nil {
		t.Fatal(err)
	}
}
