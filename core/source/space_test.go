package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/atocore/holdfast/core/source"
)

func TestScratch(t *testing.T) {
	dir := t.TempDir()
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		err := source.Scratch(fmt.Errorf("stage db: %w", &fs.PathError{Op: "write", Path: "x", Err: full}), dir, 4096)
		var scratch *source.ScratchError
		if !errors.As(err, &scratch) || scratch.Dir != dir || scratch.Need != 4096 || scratch.Free <= 0 || !errors.Is(err, full) {
			t.Errorf("%v gave %#v", full, err)
		}
		for _, want := range []string{dir, "4096", "staging_dir", "TMPDIR"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not name %s", err, want)
			}
		}
	}
	if err := source.Scratch(fs.ErrPermission, dir, 1); err != fs.ErrPermission {
		t.Errorf("another error became %v", err)
	}
	if err := source.Scratch(nil, dir, 1); err != nil {
		t.Errorf("no error became %v", err)
	}
}
