package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ReplacedError says that a target is not the repository that it was when it was last seen: another
// disk is mounted, or none.
type ReplacedError struct {
	Target string
	Seen   Seen
	Now    string // id of the repository that is there; "" when there is none
}

func (e *ReplacedError) Error() string {
	now := "is repository " + e.Now
	if e.Now == "" {
		now = "holds no repository"
	}
	return fmt.Sprintf("target %s: it was repository %s with snapshot %s when last seen on %s, now it %s",
		e.Target, e.Seen.Repository, e.Seen.ID, e.Seen.At.Format("2006-01-02"), now)
}

// Check compares the repository that a target holds now, "" for none, with what is remembered. The
// error is a *ReplacedError. A memory that cannot be read is none.
func (d *Dir) Check(set, target, repository string) error {
	seen, err := d.Seen(set, target)
	if err != nil || seen.Repository == "" || seen.Repository == repository {
		return nil
	}
	return &ReplacedError{target, seen, repository}
}

// Forget drops what is remembered, if anything is.
func (d *Dir) Forget(set, target string) error {
	if err := os.Remove(d.seenPath(set, target)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget what was seen in target %s: %w", target, err)
	}
	return nil
}
