// Package rescue_test holds the rescue program, which shares no code with holdfast, and holdfast's own
// reader against each other.
package rescue_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/examples/quickstart/store"
	"github.com/atocore/holdfast/targets/local"
)

func TestUnittest(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "python3", "-m", "unittest", "discover", "-s", ".", "-p", "*test*.py").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nOK") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// rescue runs the program.
func rescue(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", append([]string{"rescue.py"}, args...)...).CombinedOutput()
	return string(out), err
}

// tree is the hash of every file below dir, by its name, and of the modification time where keepTimes.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = fmt.Sprintf("%x %s", sha256.Sum256(data), info.Mode())
		if strings.HasPrefix(name, "chroma/") {
			files[name] += info.ModTime().UTC().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func open(t *testing.T, dir string) *target.Store {
	t.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := local.Open(local.Config{Path: abs})
	if err != nil {
		t.Fatal(err)
	}
	s := target.Open("local", l, target.Options{})
	t.Cleanup(func() { s.Close() })
	return s
}

// restoreAll restores every snapshot of a repository with holdfast, each into a directory of its id.
func restoreAll(ctx context.Context, s *target.Store, out string) ([]manifest.ID, error) {
	r, err := repository.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	view, err := r.View(ctx, "vector")
	if err != nil {
		return nil, err
	}
	var ids []manifest.ID
	snapshots, err := r.Snapshots(ctx, view)
	if err != nil {
		return nil, err
	}
	for _, snap := range snapshots {
		if snap.Err != nil {
			return nil, snap.Err
		}
		if _, err := restore.ToDir(ctx, restore.Options{Repository: r, Manifest: snap.Manifest, Dir: filepath.Join(out, string(snap.ID))}); err != nil {
			return nil, err
		}
		ids = append(ids, snap.ID)
	}
	return ids, nil
}

// TestReadersAgree: both readers restore the same from every good repository, and nothing from a bad one.
func TestReadersAgree(t *testing.T) {
	dirs, err := filepath.Glob("../../core/archive/testdata/repositories/*")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("%d repositories: %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			ours, theirs := t.TempDir(), t.TempDir()
			repo := filepath.Join(dir, "repository")
			ids, err := restoreAll(t.Context(), open(t, repo), ours)
			if strings.HasPrefix(filepath.Base(dir), "bad-") {
				if err == nil {
					t.Error("holdfast restored it")
				}
				return // that the rescue program does not is a test of its own
			}
			if err != nil || len(ids) == 0 {
				t.Fatalf("%d snapshots: %v", len(ids), err)
			}
			for _, id := range ids {
				if out, err := rescue(t, "restore", repo, "vector", string(id), filepath.Join(theirs, string(id))); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			compare(t, tree(t, theirs), tree(t, ours))
		})
	}
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	if len(got) == 0 || len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s is %q, want %q", name, got[name], w)
		}
	}
}

// TestLiveStore: snapshots of a live store, the second an increment, are restored by both readers alike.
func TestLiveStore(t *testing.T) {
	work := t.TempDir()
	live, repo, staging := filepath.Join(work, "live"), filepath.Join(work, "repo"), filepath.Join(work, "staging")
	if err := os.Mkdir(staging, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := store.Generate(t.Context(), live, store.Options{Size: 4 << 20}); err != nil {
		t.Fatal(err)
	}
	l, err := local.Create(t.Context(), local.Config{Path: repo})
	if err != nil {
		t.Fatal(err)
	}
	s := target.Open("local", l, target.Options{})
	defer s.Close()
	r, _, err := repository.Init(t.Context(), s, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	first := create(t, live, staging, s)
	if _, err := store.Touch(t.Context(), live, 0.01, 1); err != nil {
		t.Fatal(err)
	}
	second := create(t, live, staging, s)
	if second.Parent != first.ID {
		t.Fatalf("the second snapshot's parent is %q", second.Parent)
	}
	if out, err := rescue(t, "verify", repo); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range []*manifest.Manifest{first, second} {
		ours, theirs := filepath.Join(work, "ours-"+string(m.ID)), filepath.Join(work, "theirs-"+string(m.ID))
		if _, err := restore.ToDir(t.Context(), restore.Options{Repository: r, Manifest: m, Dir: ours}); err != nil {
			t.Fatal(err)
		}
		if out, err := rescue(t, "restore", repo, "atocore", string(m.ID), theirs); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		compare(t, tree(t, theirs), tree(t, ours))
	}
	byHand(t, repo, first, filepath.Join(work, "ours-"+string(first.ID)))
}

func create(t *testing.T, live, staging string, s *target.Store) *manifest.Manifest {
	t.Helper()
	var components []backup.Component
	for _, c := range []kinds.Config{
		{Name: "db", Kind: manifest.SQLite, Path: store.Database(live)},
		{Name: "registry", Kind: manifest.File, Path: store.Registry(live), Format: "json"},
		{Name: "chroma", Kind: manifest.Chroma, Path: store.Chroma(live)},
	} {
		src, err := kinds.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		components = append(components, backup.Component{Source: src, Format: c.Format})
	}
	report, err := backup.Run(t.Context(), backup.Options{
		Set: "atocore", Components: components, Targets: []*target.Store{s}, Staging: staging, Check: backup.CheckQuick,
		Host: "host", Tool: "holdfast test", Rand: rand.Reader, FreezeTimeout: source.FreezeTimeout,
	})
	if err != nil || report.Targets[0].Err != nil {
		t.Fatalf("%v: %+v", err, report.Targets[0])
	}
	m := report.Targets[0].Manifest
	if m.Grade != manifest.Good {
		t.Fatalf("grade %s: %+v", m.Grade, m.Reasons)
	}
	return m
}

// byHand restores a snapshot without a parent with cat, zstd, tar and cmp.
func byHand(t *testing.T, repo string, m *manifest.Manifest, want string) {
	t.Helper()
	script := exec.CommandContext(t.Context(), "sh", "-eux")
	script.Stdin = strings.NewReader(fmt.Sprintf(`
		cd %q
		out=$(mktemp -d)
		cat db-*.zst | zstd -d > $out/db
		cat registry-*.zst | zstd -d > $out/registry
		mkdir $out/chroma
		cat chroma-*.zst | zstd -d | tar x -C $out/chroma
		cmp $out/db %[2]q/db
		cmp $out/registry %[2]q/registry
		diff -r $out/chroma %[2]q/chroma
		rm -r $out
	`, filepath.Join(repo, "atocore", "archives", string(m.ID)), want))
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
