package chroma

import (
	"archive/tar"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/internal/stamp"
	"github.com/atocore/holdfast/core/source/sqlite"
)

func TestCapture(t *testing.T) {
	dir := recorded(t)
	f := mustCapture(t, dir)
	if f.ChunkSize != 4096 {
		t.Errorf("chunk size %d", f.ChunkSize)
	}
	b := stream(t, f)
	if int64(len(b)) != f.Size() {
		t.Errorf("the stream has %d bytes, Size says %d", len(b), f.Size())
	}

	// What archive/tar reads back is what is in the directory.
	var names []string
	for tr := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		got, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		// SQLite's backup counts a change in the copy, nothing else differs.
		if want := read(t, filepath.Join(dir, h.Name)); h.Name != Database && !bytes.Equal(got, want) {
			t.Errorf("%s: other content", h.Name)
		}
		fi, err := os.Stat(filepath.Join(dir, h.Name))
		if err != nil {
			t.Fatal(err)
		}
		if want := fi.ModTime().Truncate(time.Second); !h.ModTime.Equal(want) {
			t.Errorf("%s: time %v, want %v", h.Name, h.ModTime, want)
		}
		if h.Mode != 0o600 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || h.Format&tar.FormatUSTAR == 0 {
			t.Errorf("%s: header %+v", h.Name, h)
		}
	}
	if len(names) != 15 || !slices.IsSorted(names) {
		t.Errorf("members %v", names)
	}

	var parts []string
	for i, p := range f.Parts {
		if p.Name != "" {
			parts = append(parts, p.Name)
		}
		if len(p.Header)%512 != 0 || len(p.Header) > f.ChunkSize || (int64(len(p.Header))+p.Size+p.Pad)%512 != 0 {
			t.Errorf("part %d: header of %d, %d bytes, padding of %d", i, len(p.Header), p.Size, p.Pad)
		}
	}
	if last := f.Parts[len(f.Parts)-1]; !slices.Equal(parts, names) || last.Name != "" || !bytes.Equal(last.Header, make([]byte, 1024)) {
		t.Errorf("parts %v", parts)
	}
	if again := stream(t, mustCapture(t, dir)); !bytes.Equal(again, b) {
		t.Error("an unchanged store gave another stream")
	}

	cmd := exec.Command("tar", "-tf", "-")
	cmd.Stdin = bytes.NewReader(b)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != strings.Join(names, "\n")+"\n" {
		t.Errorf("tar -t: %v\n%s", err, out)
	}

	// The staged copy and what is extracted from the stream both pass the census.
	to := filepath.Join(t.TempDir(), "restored")
	if err := Extract(context.Background(), bytes.NewReader(b), to, Limits{}); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{f.Path, to} {
		for _, c := range inspect(t, d, source.Full, nil).Checks {
			if c.Result != manifest.OK || c.Detail != "" {
				t.Errorf("%s: %+v", d, c)
			}
		}
	}
}

// Only what belongs to the store is captured.
func TestCaptureLeavesOut(t *testing.T) {
	dir := recorded(t)
	orphan := filepath.Join(dir, "0c9a1d2e-0000-4000-8000-000000000000")
	if err := os.MkdirAll(orphan, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(orphan, dataFile), []byte("left by a deleted collection"))
	write(t, filepath.Join(dir, "zürich.txt"), []byte("kept"))
	execSQL(t, dir, "PRAGMA journal_mode=WAL")
	f := mustCapture(t, dir)
	for _, p := range f.Parts {
		if strings.HasPrefix(p.Name, "0c9a") || p.Name == Database+"-wal" || p.Name == Database+"-shm" {
			t.Errorf("captured %s", p.Name)
		}
	}
	if n := len(f.Parts); n != 17 {
		t.Errorf("%d parts, want 15 members, one more file, and the end", n)
	}
	to := filepath.Join(t.TempDir(), "restored")
	if err := Extract(context.Background(), bytes.NewReader(stream(t, f)), to, Limits{}); err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, filepath.Join(to, "zürich.txt"))); got != "kept" {
		t.Errorf("the other file holds %q", got)
	}
}

func TestCaptureRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string) error
		id    string
		kind  error
		says  string
	}{
		{"no directory", func(_ *testing.T, d string) error { return os.RemoveAll(d) }, IDAbsent, source.ErrAbsent, "does not exist"},
		{"no database", func(_ *testing.T, d string) error { return os.Remove(filepath.Join(d, Database)) }, IDAbsent, source.ErrAbsent, "mounted"},
		{"a file", func(_ *testing.T, d string) error {
			return errors.Join(os.RemoveAll(d), os.WriteFile(d, nil, 0o600))
		}, IDOpen, source.ErrInvalid, "no directory"},
		{"empty database", func(_ *testing.T, d string) error { return os.Truncate(filepath.Join(d, Database), 0) }, sqlite.IDEmpty, source.ErrInvalid, "empty"},
		{"another database", func(t *testing.T, d string) error {
			execSQL(t, d, "DROP TABLE segments")
			return nil
		}, IDTables, source.ErrInvalid, "not Chroma's"},
		{"a link", func(_ *testing.T, d string) error {
			return os.Symlink("/etc/passwd", filepath.Join(d, segChunks, "link"))
		}, IDSpecial, source.ErrInvalid, segChunks + "/link"},
		{"a linked database", func(_ *testing.T, d string) error {
			db := filepath.Join(d, Database)
			return errors.Join(os.Rename(db, d+".sqlite"), os.Symlink(d+".sqlite", db))
		}, IDSpecial, source.ErrInvalid, Database},
		{"a FIFO", func(_ *testing.T, d string) error { return unix.Mkfifo(filepath.Join(d, "pipe"), 0o600) }, IDSpecial, source.ErrInvalid, "pipe"},
		{"names that differ in case", func(_ *testing.T, d string) error {
			return errors.Join(os.WriteFile(filepath.Join(d, "Note"), nil, 0o600), os.WriteFile(filepath.Join(d, "note"), nil, 0o600))
		}, IDSpecial, source.ErrInvalid, "case"},
		{"a hot journal", func(t *testing.T, d string) error {
			// The header of a journal that has one page of 4096 bytes to roll back.
			j := append([]byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 1, 163, 0, 0, 2, 0, 0, 0, 16, 0}, make([]byte, 8192)...)
			return os.WriteFile(filepath.Join(d, Database+"-journal"), j, 0o600)
		}, sqlite.IDHotJournal, source.ErrInvalid, "start the application"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := recorded(t)
			if err := c.spoil(t, dir); err != nil {
				t.Fatal(err)
			}
			_, err := capture(t, dir)
			if !errors.Is(err, c.kind) || source.ErrorID(err) != c.id || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (%s)", err, source.ErrorID(err))
			}
		})
	}
}

// Whatever changes between Prepare and the end of Capture is noticed, and named.
func TestCaptureMoved(t *testing.T) {
	touch := func(path string) error {
		fi, err := os.Stat(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// Same size, same bytes, same mtime: only the ctime tells.
		return errors.Join(os.WriteFile(path, b, 0o600), os.Chtimes(path, fi.ModTime(), fi.ModTime()))
	}
	for _, c := range []struct {
		name   string
		wal    bool
		change func(t *testing.T, dir string) error
		says   string
	}{
		{"a file is rewritten", false, func(_ *testing.T, d string) error { return touch(filepath.Join(d, segChunks, dataFile)) }, dataFile},
		{"a file appears", false, func(_ *testing.T, d string) error {
			return os.WriteFile(filepath.Join(d, segFresh, pickleFile), nil, 0o600)
		}, segFresh + "/" + pickleFile},
		{"a file is gone", false, func(_ *testing.T, d string) error { return os.Remove(filepath.Join(d, segChunks, linksFile)) }, linksFile},
		{"a directory appears", false, func(_ *testing.T, d string) error { return os.Mkdir(filepath.Join(d, "new"), 0o700) }, "new"},
		{"a commit", false, func(t *testing.T, d string) error {
			execSQL(t, d, "DELETE FROM embeddings_queue WHERE seq_id = 1000")
			return nil
		}, Database},
		{"a commit to the log", true, func(t *testing.T, d string) error {
			path := filepath.Join(d, Database)
			db, err := sql.Open("sqlite3", "file:"+path)
			if err != nil {
				return err
			}
			t.Cleanup(func() { db.Close() }) // the last to close would move the commit into the database
			before, err := stamp.OfPath(path)
			if err != nil {
				return err
			}
			if _, err := db.Exec("DELETE FROM embeddings_queue WHERE seq_id = 1000"); err != nil {
				return err
			}
			if after, err := stamp.OfPath(path); err != nil || after != before {
				return fmt.Errorf("the commit is in the database: this test no longer shows what it means to (%v)", err)
			}
			return nil
		}, Database},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			dir := recorded(t)
			if c.wal {
				execSQL(t, dir, "PRAGMA journal_mode=WAL")
			}
			s := New("chroma", dir)
			defer s.Close()
			if err := s.Prepare(ctx, t.TempDir()); err != nil {
				t.Fatal(err)
			}
			if err := c.change(t, dir); err != nil {
				t.Fatal(err)
			}
			if err := s.Freeze(ctx, source.Wait(time.Second)); err != nil {
				t.Fatal(err)
			}
			_, err := s.Capture(ctx)
			if !errors.Is(err, source.ErrMoved) || source.ErrorID(err) != IDMoved || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "stop ingestion") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEstimate(t *testing.T) {
	dir := recorded(t)
	n, err := New("chroma", dir).Estimate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	f := mustCapture(t, dir)
	var staged int64
	for _, p := range f.Parts {
		staged += p.Size
	}
	if n < staged || n > staged+4096 {
		t.Errorf("the estimate is %d, %d were staged", n, staged)
	}
}

// Headers choose PAX only where USTAR cannot tell, and always fit a chunk.
func TestTarHeader(t *testing.T) {
	when := time.Unix(1700000000, 999_999_999)
	for _, c := range []struct {
		m      member
		format tar.Format
		sec    int64
	}{
		{member{"chroma.sqlite3", 4096, when}, tar.FormatUSTAR, 1700000000},
		{member{"a/" + strings.Repeat("x", 99), 0, when}, tar.FormatUSTAR, 1700000000},
		{member{strings.Repeat("x", 101), 1, when}, tar.FormatPAX, 1700000000},
		{member{"zürich", 1, when}, tar.FormatPAX, 1700000000},
		{member{"large", 9 << 30, when}, tar.FormatPAX, 1700000000},
		{member{"old", 1, time.Unix(-1, 500_000_000)}, tar.FormatPAX, -1},
		{member{strings.Repeat(strings.Repeat("x", 250)+"/", 4) + "y", 1 << 40, when}, tar.FormatPAX, 1700000000},
	} {
		b, err := tarHeader(c.m)
		if err != nil {
			t.Errorf("%.20s: %v", c.m.name, err)
			continue
		}
		h, err := tar.NewReader(bytes.NewReader(b)).Next()
		if err != nil {
			t.Errorf("%.20s: %v", c.m.name, err)
			continue
		}
		if h.Name != c.m.name || h.Size != c.m.size || h.ModTime.Unix() != c.sec || h.ModTime.Nanosecond() != 0 || h.Format&c.format == 0 {
			t.Errorf("%.20s: %+v", c.m.name, h)
		}
		if want := c.format == tar.FormatUSTAR; want != (len(b) == 512) || len(b) > chunkSize {
			t.Errorf("%.20s: a header of %d bytes", c.m.name, len(b))
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		names string // separated by spaces
		ok    bool
	}{
		{"a b a.b c/a c/b d/e/f", true},
		{"a A", false},
		{"a a", false},
		{"a a/b", false},
		{"a/b a", false},
		{"a/b A/c", false},
		{"straße STRASSE", true},
		{"ſ s É é", true}, // only ASCII letters count
		{"..", false},
		{"../x", false},
		{"/x", false},
		{"a/../b", false},
		{"a//b", false},
		{"a/", false},
		{"./a", false},
		{".", false},
		{`a\b`, false},
		{"a\x00b", false},
		{"\xff", false},
	} {
		n, err := newNameSet(), error(nil)
		for _, name := range strings.Split(c.names, " ") {
			err = errors.Join(err, n.add(name))
		}
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.names, err)
		}
	}
	if err := newNameSet().add(strings.Repeat("x/", maxName)); err == nil {
		t.Error("a name of any length is accepted")
	}
	if err := newNameSet().add(fmt.Sprint(1e9)); err != nil {
		t.Error(err)
	}
}
