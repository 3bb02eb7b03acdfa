package file

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/source"
)

// midway changes the file once, when the first bytes of it have been read.
type midway struct {
	t      *testing.T
	change func() error
}

func (m *midway) Write(p []byte) (int, error) {
	if m.change != nil {
		if err := m.change(); err != nil {
			m.t.Error(err)
		}
		m.change = nil
	}
	return len(p), nil
}

// A file that changes while it is read is never taken for whole.
func TestTornRead(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 1<<20)
	for name, change := range map[string]func(path string) error{
		"rewritten, size and time kept": func(path string) error {
			fi, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, bytes.ToUpper(content), 0o600), os.Chtimes(path, fi.ModTime(), fi.ModTime()))
		},
		"grown":     func(path string) error { return os.WriteFile(path, append(content, 'y'), 0o600) },
		"truncated": func(path string) error { return os.Truncate(path, 10) },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+".new", content, 0o600), os.Rename(path+".new", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			past := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, past, past); err != nil {
				t.Fatal(err)
			}
			s := New("f", path, "")
			_, err := s.read(context.Background(), &midway{t, func() error { return change(path) }})
			if !errors.Is(err, source.ErrMoved) || source.ErrorID(err) != IDUnstable {
				t.Errorf("got %v", err)
			}
			if _, err := s.read(context.Background(), &midway{}); err != nil {
				t.Errorf("at rest: %v", err)
			}
		})
	}
}
