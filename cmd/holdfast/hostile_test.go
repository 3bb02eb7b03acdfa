package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/manifest"
)

// The format's own test vectors, read as a user would.
const (
	manifestVectors   = "../../core/manifest/testdata/vectors"
	repositoryVectors = "../../core/archive/testdata/repositories"
)

// A manifest is read by list, show, validate and restore: a good one is shown, a
// bad one ends with the code of damage or of a later format, an encrypted one
// with that of a missing key, and nothing is ever restored from it.
func TestManifestVectors(t *testing.T) {
	vectors := glob(t, manifestVectors+"/manifest-*")
	for _, path := range vectors {
		t.Run(filepath.Base(path), func(t *testing.T) {
			expect, body := vector(t, path)
			const (
				repository = "0123456789abcdef0123456789abcdef"
				set        = "atocore"
				id         = "20260411T094646Z-7f3a9c01"
			)
			dir := t.TempDir()
			write(t, filepath.Join(dir, manifest.MarkerKey), manifest.NewMarker(repository).Encode())
			write(t, filepath.Join(dir, manifest.ManifestKey(set, id)), body)
			w := &world{t: t, dir: dir}
			from := []string{"--from", "file://" + dir, "--set", set, "--json"}
			to := filepath.Join(t.TempDir(), "out")

			list, stdout, _ := w.run(append([]string{"list"}, from...)...)
			show, _, stderr := w.run(append([]string{"show", id}, from...)...)
			restore, _, _ := w.run(append([]string{"restore", id, "--to", to}, from...)...)
			validate, _, _ := w.run(append([]string{"validate", id}, from...)...)
			none(t, to)
			got := [4]exitCode{list, show, restore, validate}
			want := [4]exitCode{exitDamage, exitDamage, exitDamage, exitDamage}
			m, err := manifest.Decode(body)
			switch {
			case manifest.IsTombstone(body, id): // a create that was revoked
				want = [4]exitCode{exitOK, exitNoMatch, exitNoMatch, exitNoMatch}
			case expect == "unsupported_format":
				want = [4]exitCode{exitFormat, exitFormat, exitFormat, exitFormat}
			case expect == "ok" && (err != nil || m.Set != set || string(m.ID) != id || m.Repository != repository): // good, and in the wrong place
			case expect == "ok" && m.Encryption != nil: // and none of its objects is there
				want = [4]exitCode{exitOK, exitOK, exitAuth, exitDamage}
			case expect == "ok": // but none of its objects is there
				want = [4]exitCode{exitOK, exitOK, exitDamage, exitDamage}
			}
			if got != want {
				t.Errorf("list, show, restore, validate ended with %v, want %v\n%s%s", got, want, stdout, stderr)
			}
		})
	}
}

// The vector repositories: a good one restores to the files that it says, and so
// does a damaged one that is restorable; a bad one ends with the code of what is
// wrong with it, and nothing of it is left.
func TestRepositoryVectors(t *testing.T) {
	for _, path := range glob(t, repositoryVectors+"/*") {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			expect, facts := vector(t, filepath.Join(path, "expect.txt"))
			// Git keeps no empty directories and no modes, and validate must not mark what is shared.
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(path, "repository"))); err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, dir: dir}
			restorable := expect == "ok" || expect == "restorable"
			want := exitOK
			switch {
			case name == "bad-requires":
				want = exitFormat
			case expect != "ok":
				want = exitDamage
			}
			from := []string{"--from", "file://" + dir, "--set", "vector"}
			if code, stdout, stderr := w.run(append([]string{"validate", "--all", "--level", "content", "--json"}, from...)...); code != want && (expect != "ok" || code != exitDamage) {
				t.Errorf("validate ended with %d, want %d\n%s%s", code, want, stdout, stderr)
			}
			for _, file := range glob(t, filepath.Join(dir, "vector", "manifests", "[0-9]*.json")) {
				id := strings.TrimSuffix(filepath.Base(file), ".json")
				if b, err := os.ReadFile(file); err != nil || manifest.IsTombstone(b, manifest.ID(id)) {
					continue
				}
				to := filepath.Join(t.TempDir(), "out")
				code, stdout, stderr := w.run(append([]string{"restore", id, "--to", to, "--json"}, from...)...)
				if !restorable {
					if code != want {
						t.Errorf("restore %s ended with %d, want %d\n%s%s", id, code, want, stdout, stderr)
					}
					none(t, to)
					continue
				}
				// The vectors' streams are no real databases: their hashes are right, their contents are not.
				if code != exitOK && code != exitDamage || stdout == "" {
					t.Errorf("restore %s ended with %d\n%s%s", id, code, stdout, stderr)
				}
				checkFacts(t, string(facts), id, to)
			}
		})
	}
}

// checkFacts compares what was restored with the hashes and sizes in a vector's facts.
func checkFacts(t *testing.T, facts, id, dir string) {
	t.Helper()
	checked := 0
	for line := range strings.Lines(facts) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)  // hash, size, id, path
		if len(fields) != 4 || fields[2] != id || fields[3] == "chroma" { // of Chroma the stream's own hash
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, fields[3]))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != fields[0] {
			t.Errorf("%s of snapshot %s has another hash", fields[3], id)
		}
		checked++
	}
	if checked == 0 {
		t.Errorf("the vector says nothing of snapshot %s", id)
	}
}

// vector splits a vector file into what it expects and its body.
func vector(t *testing.T, path string) (expect string, body []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := bytes.Cut(b, []byte("\n\n"))
	expect, _, _ = strings.Cut(string(head), "\n")
	if expect, found := strings.CutPrefix(expect, "expect: "); ok && found {
		return expect, body
	}
	t.Fatalf("%s does not begin as a vector does", path)
	return "", nil
}

// glob returns the paths that match, at least one.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("nothing matches %s: %v", pattern, err)
	}
	return paths
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
