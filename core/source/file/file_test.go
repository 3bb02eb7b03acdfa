package file_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/file"
)

const second = source.Wait(time.Second)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registry.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func frozen(t *testing.T, path, format string) (*file.Source, error) {
	t.Helper()
	s := file.New("registry", path, format)
	t.Cleanup(func() { s.Close() })
	ctx := context.Background()
	if err := s.Prepare(ctx, t.TempDir()); err != nil {
		return s, err
	}
	return s, s.Freeze(ctx, second)
}

func TestCapture(t *testing.T) {
	for name, content := range map[string]string{"text": "hello", "empty": "", "large": strings.Repeat("0123456789", 1e6)} {
		path := write(t, content)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		s, err := frozen(t, link, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f, err := s.Capture(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := []byte{}
		if f.Parts[0].Open != nil {
			r, err := f.Parts[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err = io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != content || f.Size() != int64(len(content)) || f.ChunkSize != 4096 {
			t.Errorf("%s: %d bytes of %d, chunk size %d", name, len(got), f.Size(), f.ChunkSize)
		}
		if n, err := s.Estimate(context.Background()); err != nil || n != int64(len(content)) {
			t.Errorf("%s: estimate %d, %v", name, n, err)
		}
	}
}

func TestConfirm(t *testing.T) {
	ctx := context.Background()
	path := write(t, `{"a": 1}`)
	s, err := frozen(t, path, file.JSON)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(ctx); err != nil {
		t.Errorf("nothing changed, and Confirm gave %v", err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"a": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(ctx); !errors.Is(err, source.ErrMoved) {
		t.Errorf("same size, same mtime, other content: %v", err)
	}
}

// A file that was there and is gone has moved, at every step, and may come back; one that was never there is absent.
func TestGone(t *testing.T) {
	ctx := t.Context()
	for _, estimated := range []bool{true, false} {
		path := write(t, "hello")
		aside := path + ".aside"
		move := func(from, to string) {
			t.Helper()
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		s := file.New("registry", path, "")
		if estimated {
			if _, err := s.Estimate(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Prepare(ctx, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		move(path, aside)
		want := source.ErrMoved
		if !estimated {
			want = source.ErrAbsent
		}
		if err := s.Freeze(ctx, second); !errors.Is(err, want) {
			t.Errorf("freeze, estimated %v: %v, want %v", estimated, err, want)
		}
		move(aside, path)
		if err := s.Freeze(ctx, second); err != nil {
			t.Fatal(err)
		}
		move(path, aside)
		if err := s.Confirm(ctx); !errors.Is(err, source.ErrMoved) || errors.Is(err, source.ErrAbsent) {
			t.Errorf("confirm, estimated %v: %v", estimated, err)
		}
		move(aside, path)
		if err := s.Confirm(ctx); err != nil {
			t.Errorf("it is back: %v", err)
		}
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, file.MaxSize+1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, id string
		kind     error
	}{
		{filepath.Join(dir, "none"), file.IDAbsent, source.ErrAbsent},
		{filepath.Join(huge, "below a file"), file.IDAbsent, source.ErrAbsent},
		{dir, file.IDSpecial, source.ErrInvalid},
		{fifo, file.IDSpecial, source.ErrInvalid},
		{"/dev/zero", file.IDSpecial, source.ErrInvalid},
		{huge, file.IDTooLarge, source.ErrInvalid},
	} {
		_, err := file.New("r", c.path, "").Estimate(context.Background())
		if !errors.Is(err, c.kind) || source.ErrorID(err) != c.id {
			t.Errorf("Estimate of %s gave %v", c.path, err)
		}
		if _, err := frozen(t, c.path, ""); !errors.Is(err, c.kind) || source.ErrorID(err) != c.id {
			t.Errorf("Freeze of %s gave %v", c.path, err)
		}
	}
}

// A writer that truncates first is given the time to finish.
func TestWaitsForJSON(t *testing.T) {
	path := write(t, `{"half": `)
	timer := time.AfterFunc(60*time.Millisecond, func() {
		if err := os.WriteFile(path, []byte(`{"whole": true}`), 0o600); err != nil {
			t.Error(err)
		}
	})
	defer timer.Stop()
	s, err := frozen(t, path, file.JSON)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Capture(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(f.Path); string(b) != `{"whole": true}` {
		t.Errorf("captured %q", b)
	}
}

func TestInspect(t *testing.T) {
	for _, c := range []struct {
		content string
		entries int64 // -1: not JSON
	}{
		{`{"a": {"x": 1}, "b": [1, 2, 3]}`, 2},
		{`[1, {"a": 2}, [3]]`, 3},
		{"{}", 0},
		{" \n 17 ", 0},
		{"", -1},
		{"  ", -1},
		{`{"a": 1`, -1},
		{`{"a": 1} {}`, -1},
		{`{'a': 1}`, -1},
		{`{"a": NaN}`, -1},
		{"{\"a\": \"\xff\"}", -1},
		{"[1 2]", -1},
		{"[1,]", -1},
		{strings.Repeat("[", 1<<20), -1},
	} {
		name := c.content[:min(len(c.content), 20)]
		path := write(t, c.content)
		// Invalid content is captured all the same.
		if _, err := frozen(t, path, file.JSON); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		r, err := file.Inspect(context.Background(), path, file.JSON, source.Quick)
		if err != nil {
			t.Fatal(err)
		}
		last := r.Checks[len(r.Checks)-1]
		if c.entries < 0 {
			if last.Name != "json" || last.Result != manifest.Failed || last.ID != file.IDInvalidJSON || last.Detail == "" {
				t.Errorf("%q: %+v", name, last)
			}
		} else if last.Result != manifest.OK || r.Facts.File.Entries != c.entries {
			t.Errorf("%q: %+v, %d entries", name, last, r.Facts.File.Entries)
		}
		if r, err := file.Inspect(context.Background(), path, "", source.Full); err != nil || len(r.Checks) != 1 {
			t.Errorf("%q without a format: %+v, %v", name, r, err)
		}
	}
	r, err := file.Inspect(context.Background(), filepath.Join(t.TempDir(), "none"), file.JSON, source.Quick)
	if err != nil || len(r.Checks) != 1 || r.Checks[0].ID != file.IDMissing {
		t.Errorf("a missing copy: %+v, %v", r, err)
	}
}
