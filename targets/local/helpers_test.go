package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/targettest"
)

func create(t targettest.T, path string) *Target {
	t.Helper()
	made, err := Create(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return closing(t, made)
}

func open(t targettest.T, path string) *Target {
	t.Helper()
	opened, err := Open(Config{Path: path})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return closing(t, opened)
}

func closing(t targettest.T, x *Target) *Target {
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return x
}

// failing fails every step of one sort.
func failing(at step, err error) func(step, string) error {
	return func(s step, _ string) error {
		if s == at {
			return err
		}
		return nil
	}
}

func optionsFor(b []byte) target.PutOptions {
	return target.PutOptions{Size: int64(len(b)), SHA256: sha256.Sum256(b), IfAbsent: true}
}

func put(ctx context.Context, x *Target, key, b string) error {
	_, err := x.Put(ctx, key, bytes.NewReader([]byte(b)), optionsFor([]byte(b)))
	return err
}

func mustPut(t *testing.T, x *Target, key, b string) {
	t.Helper()
	if err := put(t.Context(), x, key, b); err != nil {
		t.Fatalf("Put %s: %v", key, err)
	}
}

func get(ctx context.Context, x *Target, key string) ([]byte, error) {
	r, err := x.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// keys lists everything. On an error there are no keys.
func keys(ctx context.Context, x *Target) ([]string, error) {
	var all []string
	for o, err := range x.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		all = append(all, o.Key)
	}
	return all, nil
}

// everything is what lies below path, temporary files included.
func everything(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(path), ".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
