package swap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mount returns the id of the mount that path lies on. The device number would not do: a bind mount has
// that of what it shows, and a btrfs subvolume has one of its own without being a mount.
func (h Hooks) mount(path string) (uint64, error) {
	if h.Mount != nil {
		return h.Mount(path)
	}
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &st)
	if err == nil && st.Mask&unix.STATX_MNT_ID != 0 {
		return st.Mnt_id, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return 0, &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	return mountOfDescriptor(path) // Linux before 5.8
}

// mountOfDescriptor reads mnt_id of proc_pid_fdinfo(5), there since Linux 3.15.
func mountOfDescriptor(path string) (uint64, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	b, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return 0, fmt.Errorf("mount of %s: %w", path, err)
	}
	for line := range strings.Lines(string(b)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.ParseUint(strings.TrimSpace(id), 10, 64)
		}
	}
	return 0, fmt.Errorf("mount of %s: the kernel does not tell", path)
}

// isMountPoint says that path, which exists, is on another mount than its directory.
func (h Hooks) isMountPoint(path string) (bool, error) {
	a, err := h.mount(path)
	if err != nil {
		return false, err
	}
	b, err := h.mount(filepath.Dir(path))
	return a != b, err
}

// oneMount refuses a directory in which something else is mounted: it would move along, or not at all.
func (h Hooks) oneMount(root string) error {
	id, err := h.mount(root)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		got, err := h.mount(path)
		if err == nil && got != id {
			err = fmt.Errorf("%s %w: %s in it is a mount point; unmount that", root, ErrUnsuitable, path)
		}
		return err
	})
}
