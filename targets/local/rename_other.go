//go:build !linux

package local

import (
	"errors"
	"os"
)

// renameNoReplace has no counterpart outside of Linux.
func renameNoReplace(*os.Root, string, string) error { return errors.ErrUnsupported }
