package restore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/chroma"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// BusyError says that a live store is in use: the service is not stopped.
type BusyError struct {
	Path string // the live file
	By   string // who uses it, as far as can be told
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s is in use by %s: the service is not stopped", e.Path, e.By)
}

// look is what was found out about who uses the live stores.
type look struct {
	claims []*sqlite.Claim
	blind  string // why another process may have escaped the look; "" when none can
}

// lookFor sees that no other process uses any of the live stores, and claims their databases, so that
// none can begin to until release; and so for the stores at waiting, which are to take their places, for
// a service that starts before all is in its place and verified would write to them. The error is a
// *BusyError when one does.
//
// It looks in two ways, for neither is enough: an idle connection to a database in rollback mode holds
// no lock, and a process in another container shows no descriptors.
func lookFor(stores []Live, waiting ...Live) (_ *look, err error) {
	l := &look{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.release())
		}
	}()
	watched, err := identities(stores)
	if err != nil {
		return nil, err
	}
	if l.blind, err = descriptors("/proc", watched); err != nil {
		return nil, err
	}
	for _, s := range slices.Concat(stores, waiting) {
		path := s.Path
		switch s.Kind {
		case manifest.SQLite:
		case manifest.Chroma:
			path = filepath.Join(s.Path, chroma.Database)
		default:
			continue
		}
		claim, err := sqlite.NewClaim(path)
		var fault *source.Fault
		switch {
		case err == nil:
			l.claims = append(l.claims, claim)
		case errors.Is(err, source.ErrBusy) && errors.As(err, &fault):
			return nil, &BusyError{path, strings.TrimPrefix(fault.Problem, "is in use by ")}
		case errors.Is(err, source.ErrInvalid): // whatever it is, it is replaced, and nobody can have a database open in it
		default:
			return nil, fmt.Errorf("see whether the service is stopped: %w", err)
		}
	}
	return l, nil
}

// release lets the databases go.
func (l *look) release() (err error) {
	for _, c := range l.claims {
		err = errors.Join(err, c.Release())
	}
	l.claims = nil
	return err
}

// inode is what a file is, whatever it is called.
type inode struct{ dev, ino uint64 }

// identities are the files of the live stores, sidecars included, by what they are.
func identities(stores []Live) (map[inode]string, error) {
	watched := map[inode]string{}
	for _, s := range stores {
		err := s.files(func(path string, fi fs.FileInfo) error {
			var st unix.Stat_t
			err := unix.Lstat(path, &st)
			if err == nil && fi.Mode().IsRegular() {
				watched[inode{st.Dev, st.Ino}] = path
			}
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look at component %s: %w", s.Name, err)
		}
	}
	return watched, nil
}

// descriptors looks for an open descriptor on a watched file in the processes that proc, a procfs,
// shows. This process does not count.
func descriptors(proc string, watched map[inode]string) (blind string, err error) {
	entries, err := os.ReadDir(proc)
	if err != nil || !exists(filepath.Join(proc, "1")) {
		return proc + " does not show the processes of others", nil
	}
	unread := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join(proc, e.Name(), "fd")
		fds, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrPermission) {
			unread++
			continue
		} // else it ended meanwhile, or has some all the same
		for _, fd := range fds {
			var st unix.Stat_t
			if unix.Stat(filepath.Join(dir, fd.Name()), &st) != nil {
				continue // closed meanwhile, or a socket's name
			}
			if path, ok := watched[inode{st.Dev, st.Ino}]; ok {
				return "", &BusyError{path, process(proc, pid)}
			}
		}
	}
	switch unread {
	case 0:
		return "", nil
	case 1:
		return "1 process of another user cannot be looked into; only root can", nil
	}
	return fmt.Sprintf("%d processes of other users cannot be looked into; only root can", unread), nil
}

func process(proc string, pid int) string {
	comm, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm"))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, bytes.TrimSpace(comm))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
