package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	begin := time.Now()
	if err := run(t.Context(), []string{"write", "--for", "20s", "--dir", dir}, strings.NewReader(""), io.Discard); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("wrote for %v although there was no input", took)
	}
}

func TestUsageErrors(t *testing.T) {
	for args, want := range map[string]string{
		"sing --dir x":             "unknown mode",
		"--size 20MiB":             "say where",
		"touch":                    "say where",
		"--dir x y":                "unexpected argument",
		"--dir x --size lots":      "lots",
		"check --dir x":            "not defined",
		"--dir x --journal memory": "journal mode",
	} {
		err := run(t.Context(), strings.Fields(args), strings.NewReader(""), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error that says %q", args, err, want)
		}
	}
}
