package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a store") // with a space
	stdin, hold := io.Pipe()                     // stays open: write ends by its time
	defer hold.Close()
	for _, step := range []struct {
		args string
		want string
	}{
		{"--size 1MiB --dir", ""},
		{"touch --fraction 0.1 --dir", "updated "},
		{"write --for 200ms --rate 100 --journal delete --dir", "committed 1\n"},
		{"check --db", "ok: "},
	} {
		args := append(strings.Fields(step.args), dir)
		if strings.HasPrefix(step.args, "check") {
			args[len(args)-1] = store.Database(dir)
		}
		var out bytes.Buffer
		if err := run(t.Context(), args, stdin, &out); err != nil {
			t.Fatalf("%s: %v", step.args, err)
		}
		if !strings.HasPrefix(out.String(), step.want) {
			t.Errorf("%s: printed %q, want it to begin with %q", step.args, out.String(), step.want)
		}
	}
}

func TestWriteEndsWithItsInput(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if err := run(t.Context(), []string{"--size", "1MiB", "--dir", dir}, strings.NewReader(""), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"write", "--for", "1h", "--dir", dir}, strings.NewReader(""), io.Discard); err != nil {
		t.Fatal(err)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range []string{"sing --dir x", "--size 20MiB", "touch", "--dir x y", "--dir x --size lots", "check --dir x", "--dir x --journal memory"} {
		if err := run(t.Context(), strings.Fields(args), strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
}
