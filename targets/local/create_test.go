package local_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/validate"
	"github.com/atocore/holdfast/targets/local"
)

// createAt tells the child of TestCreateKilled where its repository is.
const createAt = "HOLDFAST_TEST_CREATE_AT"

func store(t *testing.T, path string) *target.Store {
	t.Helper()
	x, err := local.Open(local.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	s := target.Open("local", x, target.Options{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// createForEver is the child: it takes snapshots until it is killed.
func createForEver(t *testing.T, path string) {
	w := backuptest.New(t)
	w.Stores = []*target.Store{store(t, path)}
	fmt.Println("ready")
	for {
		w.Good()
		w.Touch("20")
	}
}

// TestCreateKilled kills creates at random moments: the repository then holds
// whole snapshots and nothing that shows as one, and the next create works.
func TestCreateKilled(t *testing.T) {
	if path := os.Getenv(createAt); path != "" {
		createForEver(t, path)
	}
	seed, err := strconv.ParseUint(os.Getenv("HOLDFAST_TEST_SEED"), 10, 64)
	if err != nil {
		seed = mathrand.Uint64()
	}
	t.Logf("HOLDFAST_TEST_SEED=%d", seed)
	rng := mathrand.New(mathrand.NewPCG(seed, 0))

	path := filepath.Join(t.TempDir(), "repository")
	made, err := local.Create(t.Context(), local.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	w := backuptest.New(t)
	w.Stores = []*target.Store{store(t, path)}
	if _, _, err := repository.Init(t.Context(), w.Stores[0], rand.Reader); err != nil {
		t.Fatal(err)
	}
	open := 0
	for round := 0; round < 8 || open == 0 && round < 60; round++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCreateKilled$")
		cmd.Env = append(os.Environ(), createAt+"="+path, "TMPDIR="+t.TempDir())
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatalf("the child said %q, %v", line, err)
		}
		time.Sleep(time.Duration(rng.IntN(250)) * time.Millisecond) // the moment of the kill, not a wait for anything
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}

		intents, err := w.Stores[0].ListAll(t.Context(), backuptest.Set+"/intents/")
		if err != nil {
			t.Fatal(err)
		}
		open = max(open, len(intents))
		before := w.Validate(0, validate.Data)
		if before.Damaged() || before.Inconclusive() {
			t.Fatalf("after kill %d: %+v", round, before.Snapshots)
		}
		m := w.Good().Targets[0].Manifest
		if got := w.Rows(0, m); got != backuptest.Rows {
			t.Errorf("%d rows", got)
		}
		if after := w.Validate(0, validate.Data, m.ID); len(after.Snapshots) != 1 || after.Damaged() || after.Inconclusive() {
			t.Errorf("the create after kill %d: %+v", round, after)
		}
	}
	if open == 0 {
		t.Error("no kill met a create")
	}
}
