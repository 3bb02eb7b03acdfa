package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/examples/quickstart/store"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"holdfast": killable, "unprivileged": unprivileged})
}

// raceOptions are for -race: without them every process would end a second late.
const raceOptions = "atexit_sleep_ms=10"

// leakless fails a run of tests that leaves goroutines behind.
type leakless struct{ *testing.M }

func (l leakless) Run() int {
	os.Setenv("GORACE", raceOptions)
	code := l.M.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// The scripts in testdata/script are the tests of the commands. Beside
// testscript's own commands they have those of scriptCommands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                scriptCommands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			rescue, err := filepath.Abs("../../examples/rescue/rescue.py")
			if err != nil {
				return err
			}
			e.Setenv("RESCUE", rescue)
			vectors, err := filepath.Abs(manifestVectors)
			if err != nil {
				return err
			}
			e.Setenv("VECTORS", vectors)
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", raceOptions)
			return nil
		},
	})
}

var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	// exits CODE PROGRAM ARG...: the program ends with exactly that code. With
	// --json, its stdout has to be JSON lines whose last one says the same.
	"exits": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: exits CODE PROGRAM ARG...")
		}
		exits(ts, args[0], args[1:])
	},
	// both CODE PROGRAM ARG...: exits, first without and then with --json, for what changes nothing.
	"both": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: both CODE PROGRAM ARG...")
		}
		exits(ts, args[0], args[1:])
		exits(ts, args[0], append(slices.Clone(args[1:]), "--json"))
	},
	// jsonlines [TYPE]: stdout is JSON lines that follow their schemas, and the
	// last one, and no other, is a summary or an exit_error: of TYPE if given.
	"jsonlines": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) > 1 {
			ts.Fatalf("usage: jsonlines [summary|exit_error]")
		}
		last, err := checkLines([]byte(ts.ReadFile("stdout")))
		ts.Check(err)
		if len(args) == 1 && last != args[0] {
			ts.Fatalf("the last line is a %s, want %s", last, args[0])
		}
	},
	// mkstore DIR [BYTES]: an AtoCore-like live store.
	"mkstore": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 1 || len(args) > 2 {
			ts.Fatalf("usage: mkstore DIR [BYTES]")
		}
		o := store.Options{Seed: 1, Size: 1 << 20}
		if len(args) == 2 {
			n, err := strconv.ParseInt(args[1], 10, 64)
			ts.Check(err)
			o.Size = n
		}
		ts.Check(store.Generate(context.Background(), ts.MkAbs(args[0]), o))
	},
	// mkoriginal DIR STAMP...: a folder of snapshots of the original tool.
	"mkoriginal": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: mkoriginal DIR STAMP...")
		}
		var moments []time.Time
		for _, stamp := range args[1:] {
			at, err := time.Parse(stampLayout, stamp)
			ts.Check(err)
			moments = append(moments, at)
		}
		ts.Check(original(context.Background(), ts.MkAbs(args[0]), moments))
	},
	// touchstore DIR FRACTION: changes that share of its rows and adds as many.
	"touchstore": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: touchstore DIR FRACTION")
		}
		fraction, err := strconv.ParseFloat(args[1], 64)
		ts.Check(err)
		_, err = store.Touch(context.Background(), ts.MkAbs(args[0]), fraction, 1)
		ts.Check(err)
	},
	// damage GLOB: flips a bit in the middle of every file.
	"damage": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: damage GLOB")
		}
		paths, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(paths) == 0 {
			ts.Fatalf("no file is called %s", args[0])
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			ts.Check(err)
			b[len(b)/2] ^= 1
			ts.Check(os.WriteFile(path, b, 0o600))
		}
	},
	// checkstore FILE: the database is one moment of the generated store.
	"checkstore": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: checkstore FILE")
		}
		_, err := store.Check(context.Background(), ts.MkAbs(args[0]))
		ts.Check(err)
	},
	// sql FILE STATEMENT: changes a database as another application would.
	"sql": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: sql FILE STATEMENT")
		}
		db, err := sql.Open("sqlite3", "file:"+ts.MkAbs(args[0]))
		ts.Check(err)
		_, err = db.Exec(args[1])
		ts.Check(errors.Join(err, db.Close()))
	},
	// lockdb FILE: holds the exclusive lock of a database until the script ends. The holder is another process than holdfast's: this one.
	"lockdb": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: lockdb FILE")
		}
		db, err := sql.Open("sqlite3", "file:"+ts.MkAbs(args[0]))
		ts.Check(err)
		db.SetMaxOpenConns(1)
		_, err = db.Exec("BEGIN EXCLUSIVE")
		ts.Check(err)
		ts.Defer(func() { ts.Check(db.Close()) })
	},
	// lockset STATE SET: holds the lock of a set until the script ends.
	"lockset": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: lockset STATE SET")
		}
		dir, err := state.Open(ts.MkAbs(args[0]))
		ts.Check(err)
		lock, err := dir.Lock(args[1])
		ts.Check(err)
		ts.Defer(func() { ts.Check(lock.Unlock()) })
	},
}

func exits(ts *testscript.TestScript, code string, command []string) {
	want, err := strconv.Atoi(code)
	ts.Check(err)
	got := 0
	if err := ts.Exec(command[0], command[1:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(command, " "), got, want)
	}
	if slices.Contains(command, "--json") {
		ts.Check(checkVerdict([]byte(ts.ReadFile("stdout")), exitCode(got)))
	}
}

// checkLines checks stdout of a --json run and returns the type of its last line.
func checkLines(stdout []byte) (last string, err error) {
	if len(stdout) == 0 || stdout[len(stdout)-1] != '\n' {
		return "", fmt.Errorf("stdout does not end with a line: %q", stdout)
	}
	for line := range bytes.Lines(stdout) {
		if last == "summary" || last == "exit_error" {
			return "", fmt.Errorf("a line after the %s: %s", last, line)
		}
		var kind struct {
			MessageType string `json:"message_type"`
			Command     string `json:"command"`
		}
		if err := json.Unmarshal(line, &kind); err != nil {
			return "", fmt.Errorf("%w: %s", err, line)
		}
		last = kind.MessageType
		name := last
		if last == "summary" {
			name += "." + kind.Command
		}
		if err := checkSchema(name, line); err != nil {
			return "", fmt.Errorf("%w\n%s", err, line)
		}
	}
	if last != "summary" && last != "exit_error" {
		return "", fmt.Errorf("the last line is neither summary nor exit_error: %s", stdout)
	}
	return last, nil
}

// checkVerdict checks stdout of a --json run, and that its last line has the
// code that the process ended with.
func checkVerdict(stdout []byte, code exitCode) error {
	if _, err := checkLines(stdout); err != nil {
		return err
	}
	var last struct {
		Code exitCode `json:"code"`
	}
	lines := bytes.Split(bytes.TrimSuffix(stdout, []byte("\n")), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		return err
	}
	if last.Code != code {
		return fmt.Errorf("the last line has code %d, and the process ended with %d", last.Code, code)
	}
	return nil
}

// checkSchema checks one JSON document against schema/<name>.json.
func checkSchema(name string, document []byte) error {
	files, err := filepath.Glob("schema/*.json")
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		schema, err := jsonschema.UnmarshalJSON(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := compiler.AddResource(schemas+filepath.Base(path), schema); err != nil {
			return err
		}
	}
	schema, err := compiler.Compile(schemas + name + ".json")
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	return schema.Validate(instance)
}

// schemas is what the $id of every schema begins with.
const schemas = "https://github.com/atocore/holdfast/cmd/holdfast/schema/"
