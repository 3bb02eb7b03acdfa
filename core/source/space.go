package source

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// SpaceError means that staging cannot take the copies.
type SpaceError struct {
	Dir  string
	Need int64 // bytes
	Free int64 // bytes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("staging directory %s: %d bytes are needed and %d are free: free %d bytes, or set staging_dir to a larger volume",
		e.Dir, e.Need, e.Free, e.Need-e.Free)
}

// ScratchError means that scratch space ran out while something was written there.
type ScratchError struct {
	Dir  string
	Need int64 // bytes that it may take altogether, at least
	Free int64 // bytes
	Err  error
}

func (e *ScratchError) Error() string {
	return fmt.Sprintf("scratch space in %s ran out, with %d bytes free; what is checked or written takes %d and more: free room there, or set staging_dir (without a configuration, $TMPDIR) to a larger volume: %v",
		e.Dir, e.Free, e.Need, e.Err)
}

func (e *ScratchError) Unwrap() error { return e.Err }

// Scratch returns err, as a *ScratchError when it says that a disk or a quota is full. It is for errors of
// work that writes to dir alone.
func Scratch(err error, dir string, need int64) error {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	free, serr := FreeSpace(dir)
	if serr != nil {
		return errors.Join(err, serr)
	}
	return &ScratchError{dir, need, free, err}
}

// FreeSpace is how many bytes this user can still write on dir's file system.
func FreeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
