package local

import (
	"path/filepath"
	"testing"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/targettest"
)

func TestConformance(t *testing.T) {
	targettest.Run(t, targettest.Options{
		New: func(tt targettest.T) target.Target {
			return create(tt, filepath.Join(t.TempDir(), "root"))
		},
		Reopen: func(tt targettest.T, first target.Target) target.Target {
			return open(tt, first.(*Target).path)
		},
	})
}

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
