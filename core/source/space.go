package source

import (
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

// FreeSpace is how many bytes this user can still write on dir's file system.
func FreeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
