package sqlite

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/source"
)

const nonblock = unix.O_NONBLOCK

// Extended result codes that the driver does not name. https://www.sqlite.org/rescode.html
const (
	readonlyRecovery  = sqlite3.ErrNoExtended(264)
	readonlyRollback  = sqlite3.ErrNoExtended(776)
	readonlyCantInit  = sqlite3.ErrNoExtended(1288)
	readonlyDirectory = sqlite3.ErrNoExtended(1544)
)

// explain turns what SQLite said about the live database into a Fault with a next step.
func (s *Source) explain(ctx context.Context, err error, wait time.Duration) error {
	var f *source.Fault
	if ctx.Err() != nil || errors.As(err, &f) {
		return err
	}
	c, x := code(err)
	switch {
	case busy(err):
		return s.fault(IDLocked, source.ErrBusy, "is locked by "+blocker(s.file)+" for longer than "+wait.String(),
			"if this repeats, stop that process or raise freeze_timeout", nil)
	case x == readonlyRollback:
		return s.fault(IDHotJournal, source.ErrInvalid, "has a hot journal: a writer was killed in mid-transaction",
			"start the application, or open the database once with a tool that may write to it: SQLite then rolls back", nil)
	case s.head.wal && (c == sqlite3.ErrCantOpen || x == readonlyRecovery || x == readonlyCantInit || x == readonlyDirectory):
		return s.fault(IDSidecars, nil, "is in WAL mode, and its -shm file can be neither opened nor made",
			"let this user write to the database's directory, or start the application first; on read-only media copy the database together with its -wal elsewhere and back up the copy", err)
	case c == sqlite3.ErrNotADB:
		return s.fault(IDNotADatabase, source.ErrInvalid, "is no SQLite database, or an encrypted one", "", err)
	case c == sqlite3.ErrCorrupt:
		if t := s.short(); t != nil {
			return t
		}
		return s.fault(IDOpen, source.ErrInvalid, "is too damaged to be read", "restore it from a snapshot, or try sqlite3's .recover", err)
	}
	return s.fault(IDOpen, nil, "cannot be read", "", err)
}

// short tells whether the database file is too short. In WAL mode pages may still be in the log: then the header proves nothing.
func (s *Source) short() error {
	if wal, err := os.Stat(s.real + "-wal"); err == nil && wal.Size() > 0 {
		return nil
	}
	fi, err := s.file.Stat()
	if err != nil {
		return nil
	}
	return s.head.truncated(s.path, fi.Size())
}
