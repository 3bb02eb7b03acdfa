// Package state is what holdfast keeps on its own host: a lock a set, what was last seen in each target,
// manifests that were read before, what a cleanup that waits goes on with, and the folder of a restore's journal.
// No snapshot depends on it. Who loses it loses warnings, the notice that a target was exchanged, a forget
// that no cleanup has ended, and the way to end or undo a restore in place.
package state

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked: another run of holdfast on this host works on the set.
var ErrLocked = errors.New("locked by another run")

// Dir is a state directory.
type Dir struct{ path string }

// Look is Open for whoever only looks: nothing is made.
func Look(path string) *Dir { return &Dir{path} }

// Open makes the directory, private to its user, unless it is there.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return &Dir{path}, nil
}

// Lock is a held lock. It ends with Unlock, or with the process.
type Lock struct{ f *os.File }

// Lock takes the lock of a set without waiting. Held by another process, the error Is ErrLocked and
// says by which.
func (d *Dir) Lock(set string) (*Lock, error) {
	path := filepath.Join(d.path, set+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock set %s: %w", set, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		who := make([]byte, 64)
		n, _ := f.Read(who) // what a holder could not write does not matter
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("set %s is %w (%s): wait for it to end", set, ErrLocked, cmp.Or(string(who[:n]), "unknown process"))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// Who holds it is for people: a disk that is full is no reason not to make a backup.
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "process %d", os.Getpid())
	}
	return &Lock{f}, nil
}

// Unlock lets the lock go. The file stays: removing it could let two runs in.
func (l *Lock) Unlock() error { return l.f.Close() }

// Seen is what a run last saw in a target.
type Seen struct {
	Repository string    `json:"repository"`
	ID         string    `json:"id"`       // of the newest snapshot
	Sequence   int64     `json:"sequence"` // greatest
	At         time.Time `json:"at"`
}

func (d *Dir) seenPath(set, target string) string {
	return filepath.Join(d.path, "seen", set+"."+target+".json")
}

// Seen returns what is remembered of a set in a target; the zero value when nothing is.
func (d *Dir) Seen(set, target string) (s Seen, err error) {
	b, err := os.ReadFile(d.seenPath(set, target))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return Seen{}, fmt.Errorf("what was last seen in target %s: %w", target, err)
	}
	return s, nil
}

// Remember replaces what is remembered, all or nothing.
func (d *Dir) Remember(set, target string, s Seen) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("remember what was seen in target %s: %w", target, err)
		}
	}()
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return replace(d.seenPath(set, target), append(b, '\n'))
}
