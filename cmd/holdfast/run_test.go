package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
)

func noEnv(string) (string, bool) { return "", false }

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A result that nobody received is no success, and a failure stays what it was.
func TestBrokenStdout(t *testing.T) {
	tests := []struct {
		args []string
		want exitCode
	}{
		{[]string{"version"}, exitFailed},
		{[]string{"version", "--json"}, exitFailed},
		{[]string{"completion", "bash"}, exitFailed},
		{[]string{"nonsense"}, exitUsage},
		{[]string{"nonsense", "--json"}, exitUsage},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var stderr bytes.Buffer
			if got := run(t.Context(), tt.args, strings.NewReader(""), brokenPipe{}, &stderr, noEnv); got != tt.want {
				t.Errorf("exit code %d, want %d; stderr: %s", got, tt.want, stderr.String())
			}
		})
	}
}

// The same over a real pipe whose reader is gone: SIGPIPE must not kill the process.
func TestClosedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := exec.Command(testBinary(t), "version")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != int(exitFailed) || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("%v, stderr: %s", err, stderr.String())
	}
}

// testBinary returns a path under which this test binary behaves as holdfast.
func testBinary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "holdfast")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

func TestClassify(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(signalled{syscall.SIGINT})
	terminated, cancel := context.WithCancelCause(t.Context())
	cancel(signalled{syscall.SIGTERM})
	at := func(k target.Kind) error {
		return &target.Error{Target: "nas", Op: "put", Key: "k", Kind: k, Err: errors.New("x")}
	}

	tests := []struct {
		name string
		ctx  context.Context
		err  error
		code exitCode
		id   string
	}{
		{"anything", t.Context(), io.ErrUnexpectedEOF, exitFailed, "failed"},
		{"interrupted", interrupted, context.Canceled, exitInterrupted, "interrupted"},
		{"terminated", terminated, context.Canceled, exitTerminated, "interrupted"},
		{"the cause itself", terminated, context.Cause(terminated), exitTerminated, "interrupted"},
		{"a failure before the signal counted", interrupted, io.ErrUnexpectedEOF, exitFailed, "failed"},
		{"cancelled, but by no signal", t.Context(), context.Canceled, exitFailed, "failed"},
		{"usage", t.Context(), usage(io.EOF), exitUsage, "usage"},
		{"configuration", t.Context(), config.Errors{{Message: "x"}}, exitConfig, "config_invalid"},
		{"no configuration", t.Context(), configFailure(os.ErrNotExist), exitConfig, "config_missing"},
		{"unreadable configuration", t.Context(), configFailure(os.ErrPermission), exitConfig, "config_unreadable"},
		{"newer format", t.Context(), &manifest.DecodeError{ID: manifest.UnsupportedFormat}, exitFormat, "format_unsupported"},
		{"bad manifest", t.Context(), &manifest.DecodeError{ID: manifest.DuplicateField}, exitDamage, "manifest_duplicate_field"},
		{"locked", t.Context(), state.ErrLocked, exitLocked, "locked"},
		{"staging full", t.Context(), &source.SpaceError{}, exitFailed, "no_space"},
		{"disk full", t.Context(), &restore.SpaceError{}, exitFailed, "no_space"},
		{"not empty", t.Context(), restore.ErrNotEmpty, exitRefused, "directory_not_empty"},
		{"not initialised", t.Context(), repository.ErrNotInitialised, exitUninitialised, "target_not_initialised"},
		{"no snapshot", t.Context(), repository.ErrNoSnapshot, exitNoMatch, "no_snapshot"},
		{"encrypted", t.Context(), repository.ErrSealed, exitAuth, "snapshot_encrypted"},
		{"revoked", t.Context(), repository.ErrRevoked, exitFailed, "create_revoked"},
		{"newer repository", t.Context(), repository.ErrNewer, exitFormat, "format_unsupported"},
		{"damaged", t.Context(), &repository.ObjectError{Key: "k", Err: io.EOF}, exitDamage, "repository_damaged"},
		{"damaged volume", t.Context(), &archive.DamageError{Err: io.EOF}, exitDamage, "repository_damaged"},
		{"nothing captured, by a target", t.Context(), errors.Join(backup.ErrNothing, at(target.KindDenied)), exitTarget, "target_denied"},
		{"source", t.Context(), &source.Fault{ID: "db_truncated", Kind: source.ErrInvalid}, exitFailed, "db_truncated"},
		{"target", t.Context(), at(target.KindUnknown), exitTarget, "target_failed"},
		{"target denied", t.Context(), at(target.KindDenied), exitTarget, "target_denied"},
		{"target full", t.Context(), at(target.KindFull), exitTarget, "target_full"},
		{"target away", t.Context(), at(target.KindUnavailable), exitTarget, "target_unreachable"},
		{"target throttled", t.Context(), at(target.KindThrottled), exitTarget, "target_unreachable"},
		{"object locked", t.Context(), at(target.KindLocked), exitTarget, "target_locked"},
		{"object missing", t.Context(), at(target.KindNotFound), exitDamage, "object_missing"},
		{"object corrupt", t.Context(), at(target.KindCorrupt), exitDamage, "object_corrupt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := classify(tt.ctx, tt.err)
			if f.code != tt.code || f.id != tt.id {
				t.Errorf("classify = %d %s, want %d %s", f.code, f.id, tt.code, tt.id)
			}
			line, err := exitLine(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkSchema("exit_error", line); err != nil {
				t.Error(err)
			}
		})
	}
}

func exitLine(f *failure) ([]byte, error) {
	var out bytes.Buffer
	a := newApp(nil, &out, io.Discard, noEnv)
	err := a.fail(f)
	return out.Bytes(), err
}

// Every code of the table is in the schema of exit_error, and no other but 0.
func TestExitCodesInSchema(t *testing.T) {
	known := map[exitCode]bool{}
	for _, e := range exitTable {
		known[e.code] = true
	}
	for code := range exitCode(200) {
		line, err := exitLine(&failure{code: code, id: "x", err: io.EOF})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := checkSchema("exit_error", line) == nil, known[code] && code != exitOK; got != want {
			t.Errorf("code %d: schema accepts it: %v, want %v", code, got, want)
		}
	}
}
