package chroma

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// archive makes a tar of the headers, with content of the sizes that they name.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExtract(t *testing.T) {
	when := time.Unix(1600000000, 0)
	b := archive(t, tar.Header{Name: "a", Size: 3, Mode: 0o777, ModTime: when}, tar.Header{Name: "d/e/f", Size: 1000, ModTime: when.Add(-time.Hour)}, tar.Header{Name: "empty", ModTime: when})
	dir := filepath.Join(t.TempDir(), "new")
	if err := Extract(context.Background(), iotest.DataErrReader(bytes.NewReader(b)), dir, Limits{Bytes: 1003, Members: 3}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		mode fs.FileMode
		size int64
	}{".": {0o700, -1}, "d": {0o700, -1}, "a": {0o600, 3}, "d/e/f": {0o600, 1000}, "empty": {0o600, 0}} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != want.mode || want.size >= 0 && fi.Size() != want.size {
			t.Errorf("%s: mode %v, %d bytes", name, fi.Mode(), fi.Size())
		}
	}
	if fi, err := os.Stat(filepath.Join(dir, "d/e/f")); err != nil || !fi.ModTime().Equal(when.Add(-time.Hour)) {
		t.Errorf("time %v, %v", fi.ModTime(), err)
	}
	if err := Extract(context.Background(), bytes.NewReader(b), dir, Limits{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("into a directory that exists: %v", err)
	}
}

func TestExtractHostile(t *testing.T) {
	good := archive(t, tar.Header{Name: "a", Size: 600})
	for _, c := range []struct {
		name string
		b    []byte
		says string
	}{
		{"parent", archive(t, tar.Header{Name: "../evil", Size: 1}), "plain relative path"},
		{"parent within", archive(t, tar.Header{Name: "a/../../evil", Size: 1}), "plain relative path"},
		{"absolute", archive(t, tar.Header{Name: "/tmp/evil", Size: 1}), "plain relative path"},
		{"symbolic link", archive(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}), "no plain file"},
		{"hard link", archive(t, tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "a"}), "no plain file"},
		{"device", archive(t, tar.Header{Name: "d", Typeflag: tar.TypeBlock, Devmajor: 8}), "no plain file"},
		{"FIFO", archive(t, tar.Header{Name: "p", Typeflag: tar.TypeFifo}), "no plain file"},
		{"directory", archive(t, tar.Header{Name: "d/", Typeflag: tar.TypeDir}), "no plain file"},
		{"duplicate", archive(t, tar.Header{Name: "a", Size: 1}, tar.Header{Name: "a", Size: 1}), "same name"},
		{"case collision", archive(t, tar.Header{Name: "a", Size: 1}, tar.Header{Name: "A", Size: 1}), "same name"},
		{"prefix conflict", archive(t, tar.Header{Name: "a", Size: 1}, tar.Header{Name: "a/b", Size: 1}), "is a file"},
		{"prefix conflict reversed", archive(t, tar.Header{Name: "a/b", Size: 1}, tar.Header{Name: "a", Size: 1}), "directory"},
		{"too many members", archive(t, tar.Header{Name: "a"}, tar.Header{Name: "b"}, tar.Header{Name: "c"}, tar.Header{Name: "d"}), "more than 3 members"},
		{"too many bytes", archive(t, tar.Header{Name: "a", Size: 700}, tar.Header{Name: "b", Size: 301}), "over the limit by 1 bytes"},
		{"GNU format", archive(t, tar.Header{Name: strings.Repeat("x", 200), Format: tar.FormatGNU}), "format GNU"},
		{"extended attributes", archive(t, tar.Header{Name: "a", PAXRecords: map[string]string{"SCHILY.xattr.user.x": "1"}}), "PAX record"},
		{"sparse", archive(t, tar.Header{Name: "a", PAXRecords: map[string]string{"VENDOR.sparse": "1"}}), "PAX record"},
		{"no end", good[:1536], "truncated"},
		{"half an end", good[:2048], "truncated"},
		{"truncated content", good[:700], "unexpected EOF"},
		{"trailing data", append(bytes.Clone(good), 0), "follows"},
		{"no tar", []byte(strings.Repeat("hello ", 200)), "header"},
		{"nothing", nil, "truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			err := Extract(context.Background(), bytes.NewReader(c.b), filepath.Join(parent, "new"), Limits{Bytes: 1000, Members: 3})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if entries, _ := os.ReadDir(parent); len(entries) != 1 {
				t.Errorf("beside the directory there is %v", entries)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Extract(ctx, bytes.NewReader(good), filepath.Join(t.TempDir(), "new"), Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestMostMembers: a directory has as many members, and as long names, as an index has room for.
func TestMostMembers(t *testing.T) {
	for _, c := range []struct{ fit, length int }{{manifest.MaxParts, 5}, {manifest.MaxPartNames / 1000, 1000}} {
		n, folder := newNameSet(), strings.Repeat(strings.Repeat("d", 198)+"/", 5)
		for i := range c.fit {
			if err := n.add((folder + fmt.Sprintf("%05x", i))[1000-c.length:]); err != nil {
				t.Fatalf("member %d of %d: %v", i, c.fit, err)
			}
		}
		if err := n.add(strings.Repeat("y/", 480) + "z"); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("one member more than %d: %v", c.fit, err)
		}
	}
}

// Whatever is extracted lies below the directory, is a plain file, and obeys the limits.
func FuzzExtract(f *testing.F) {
	f.Add(archive(f, tar.Header{Name: "a", Size: 3}, tar.Header{Name: "b/c", Size: 600}))
	f.Add(archive(f, tar.Header{Name: "../evil", Size: 1}))
	f.Add(archive(f, tar.Header{Name: strings.Repeat("long/", 40) + "x", Size: 1}))
	f.Add(archive(f, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		parent := t.TempDir()
		err := Extract(context.Background(), bytes.NewReader(b), filepath.Join(parent, "new"), Limits{Bytes: 1 << 16, Members: 16})
		if entries, _ := os.ReadDir(parent); len(entries) != 1 {
			t.Fatalf("beside the directory there is %v (%v)", entries, err)
		}
		files, total := 0, int64(0)
		walk := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			fi, err := d.Info()
			if err != nil {
				return err
			}
			if !fi.Mode().IsRegular() {
				t.Errorf("%s is %v", path, fi.Mode())
			}
			files++
			total += fi.Size()
			return nil
		})
		if walk != nil || files > 16 || total > 1<<16 {
			t.Errorf("%d files of %d bytes, %v", files, total, walk)
		}
		if err == nil { // what is accepted is a tar to archive/tar as well
			n := 0
			for tr := tar.NewReader(bytes.NewReader(b)); ; n++ {
				if _, err := tr.Next(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if n != files {
				t.Errorf("%d members, %d files", n, files)
			}
		}
	})
}
