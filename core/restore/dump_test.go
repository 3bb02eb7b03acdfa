package restore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
)

const header = "2ebbdf92-2339-4146-bee8-97e5d2a659af/header.bin"

func dump(w *backuptest.World, m *manifest.Manifest, component, member string, out io.Writer) (int64, error) {
	return restore.Dump(context.Background(), restore.DumpOptions{
		Repository: w.Repo(0), Manifest: m, Component: component, Member: member, Scratch: w.Path("staging"),
	}, out)
}

func TestDump(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	if err := os.WriteFile(w.Path("chroma/empty.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := w.Good().Targets[0].Manifest
	for component, path := range map[string]string{"registry": w.Path("registry.json"), "chroma " + header: w.Path("chroma/" + header), "chroma empty.txt": w.Path("chroma/empty.txt")} {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		component, member, _ := strings.Cut(component, " ")
		var out bytes.Buffer
		n, err := dump(w, m, component, member, &out)
		if err != nil || n != int64(len(want)) || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s %s: %d of %d bytes, %v", component, member, n, len(want), err)
		}
	}
	restored, err := os.ReadFile(filepath.Join(w.Restore(0, m), "db"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := dump(w, m, "db", "", &out); err != nil || n != m.Component("db").Size || !bytes.Equal(out.Bytes(), restored) {
		t.Errorf("db: %d bytes, %v", n, err)
	}
	for _, c := range [][2]string{{"vectors", ""}, {"db", "page-1"}, {"chroma", "../registry.json"}, {"chroma", "2ebbdf92-2339-4146-bee8-97e5d2a659af"}} {
		out.Reset()
		if n, err := dump(w, m, c[0], c[1], &out); !errors.Is(err, repository.ErrNoSnapshot) || n != 0 || out.Len() > 0 {
			t.Errorf("%s %s: %d bytes, %v", c[0], c[1], n, err)
		}
	}
	if left, _ := os.ReadDir(w.Path("staging")); len(left) > 0 {
		t.Errorf("scratch space still holds %v", left)
	}
}

// What is damaged does not reach the writer, not even its beginning.
func TestDumpDamaged(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	m := w.Good().Targets[0].Manifest
	for _, c := range [][2]string{{"db", ""}, {"chroma", ""}, {"chroma", "chroma.sqlite3"}} {
		key := m.Component(c[0]).Volumes[0].Key
		w.Damage(0, key, backuptest.Flip)
		var out bytes.Buffer
		if n, err := dump(w, m, c[0], c[1], &out); !errors.Is(err, repository.ErrDamaged) || !strings.Contains(err.Error(), key) || n != 0 || out.Len() > 0 {
			t.Errorf("%v: %d bytes, %v", c, out.Len(), err)
		}
		w.Damage(0, key, backuptest.Flip)
	}

	// Damage elsewhere in the archive is no reason not to give what is whole.
	w.Damage(0, m.Component("chroma").Volumes[0].Key, func(b []byte) []byte { b[len(b)-8] ^= 1; return b })
	var out bytes.Buffer
	if _, err := dump(w, m, "chroma", header, &out); err != nil {
		t.Errorf("a member that is whole: %v", err)
	}
	if _, err := dump(w, m, "chroma", "", io.Discard); !errors.Is(err, repository.ErrDamaged) {
		t.Errorf("the stream that is not: %v", err)
	}
}

// A reader that closes early is no success.
func TestDumpBrokenPipe(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	r, out := io.Pipe()
	r.Close()
	if n, err := dump(w, m, "db", "", out); !errors.Is(err, io.ErrClosedPipe) || n != 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// The dump of a Chroma directory is a tar that the tar of the system unpacks to the live files.
func TestDumpTar(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	m := w.Good().Targets[0].Manifest
	out := t.TempDir()
	var tar bytes.Buffer
	if _, err := dump(w, m, "chroma", "", &tar); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tar", "-x", "-C", out)
	cmd.Stdin, cmd.Stderr = &tar, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	same(t, w.Path("chroma"), out)
}

// same compares a live Chroma directory with a copy: the same files and bytes (but for the database, whose
// image SQLite makes), and modification times in whole seconds rounded down, which keeps their order.
func same(t *testing.T, live, copied string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(live, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		rel, _ := filepath.Rel(live, path)
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(copied, rel))
		if err != nil {
			return err
		}
		if rel != "chroma.sqlite3" && !bytes.Equal(got, want) {
			t.Errorf("%s differs", rel)
		}
		a, err := os.Stat(path)
		if err != nil {
			return err
		}
		b, err := os.Stat(filepath.Join(copied, rel))
		if err == nil && !b.ModTime().Equal(a.ModTime().Truncate(time.Second)) {
			t.Errorf("%s is of %v, and was of %v", rel, b.ModTime(), a.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 5 {
		t.Errorf("only %d files were compared", files)
	}
}

func TestChroma(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	w.Good()
	w.Touch("10")
	m := w.Good().Targets[0].Manifest
	same(t, w.Path("chroma"), filepath.Join(w.Restore(0, m), "chroma"))
}
