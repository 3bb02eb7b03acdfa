package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// matrix says with which exit codes a verb can end, and so which ones the scripts
// have to show, with and without --json. Code 2 is Go's own, 14 is of plugins,
// which this version does not have.
var matrix = map[string][]exitCode{
	"init":       {0, 1, 4, 7, 13, 15, 64, 78},
	"create":     {0, 1, 3, 4, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"list":       {0, 3, 4, 7, 10, 13, 15, 64, 78, 130, 143},
	"show":       {0, 4, 6, 10, 13, 15, 64, 78, 130, 143}, // an encrypted one can be shown
	"validate":   {0, 1, 4, 5, 6, 10, 13, 15, 64, 78, 130, 143},
	"restore":    {0, 1, 4, 6, 7, 10, 11, 12, 13, 15, 64, 78, 130, 143},
	"undo":       {0, 4, 6, 7, 11, 64, 78},
	"recover":    {0, 4, 7, 11, 64, 78},
	"dump":       {0, 1, 4, 6, 10, 12, 13, 15, 64, 78, 130, 143},
	"import":     {0, 1, 3, 4, 6, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"cleanup":    {0, 1, 3, 4, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"forget":     {0, 1, 3, 4, 6, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"undelete":   {0, 1, 3, 4, 6, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"pin":        {0, 1, 3, 4, 6, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"unpin":      {0, 1, 3, 4, 6, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"copy":       {0, 1, 3, 4, 6, 7, 10, 11, 13, 15, 64, 78, 130, 143},
	"diff":       {0, 1, 4, 6, 10, 12, 13, 15, 64, 78, 130, 143},
	"doctor":     {0, 1, 4, 7, 10, 13, 15, 64, 78, 130, 143},
	"version":    {0, 1, 64},
	"completion": {0, 64},
}

// Every pair of a verb and an exit code is shown by a script (130 and 143 by TestSignalledAtRandom,
// TestImportSignalled, TestCopySignalledAtRandom and TestSignalledAtOnce, and version's 1 by TestBrokenStdout), once with --json;
// dump and completion have no JSON but for a usage error.
func TestMatrix(t *testing.T) {
	type shown struct {
		verb string
		code exitCode
		json bool
	}
	seen := map[shown]bool{
		{"version", exitFailed, false}: true, {"version", exitFailed, true}: true,
	}
	for _, verb := range slices.Concat([]string{"import", "copy"}, interruptible, brief) {
		for _, code := range []exitCode{exitInterrupted, exitTerminated} {
			seen[shown{verb, code, false}], seen[shown{verb, code, true}] = true, true
		}
	}
	for _, path := range glob(t, filepath.Join("testdata", "script", "*.txtar")) {
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(script)) {
			f := strings.Fields(line)
			at := slices.Index(f, "holdfast")
			if len(f) < 4 || f[0] != "exits" && f[0] != "both" || at < 0 {
				continue
			}
			code, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatalf("%s: %s", path, line)
			}
			cmd, _, err := newRoot(newApp(nil, io.Discard, io.Discard, noEnv)).Find(f[at+1:])
			if err != nil || cmd.Name() == "holdfast" {
				continue // no verb
			}
			s := shown{cmd.Name(), exitCode(code), slices.Contains(f, "--json")}
			seen[s] = true
			if f[0] == "both" {
				seen[shown{s.verb, s.code, true}] = true
			}
			if !slices.Contains(matrix[s.verb], s.code) {
				t.Errorf("%s: %s ends with %d, which the matrix does not know: %s", path, s.verb, s.code, line)
			}
		}
	}
	for verb, codes := range matrix {
		for _, code := range codes {
			for _, json := range []bool{false, true} {
				if json && code != exitUsage && (verb == "dump" || verb == "completion") {
					continue
				}
				if !seen[shown{verb, code, json}] {
					t.Errorf("no script shows %s ending with %d (with --json: %v)", verb, code, json)
				}
			}
		}
	}
}
