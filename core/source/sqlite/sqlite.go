// Package sqlite reads live SQLite databases, and inspects copies of them.
//
// New gives a source.Source. It copies with SQLite's online backup API from a read transaction
// that is pinned first, so that a writer in another process neither disturbs the copy nor makes it
// start again. In WAL mode writers go on meanwhile. In rollback mode they can prepare
// transactions but not commit them until the copy is done.
//
// What it promises about the live database: it is opened with mode=ro and query_only; it is never
// checkpointed, vacuumed or recovered; its journal mode, its -wal and its -shm are left alone, also
// when this was the last connection. Two things must hold for that, and the code keeps to them:
//
//   - Closing any descriptor of a file drops all POSIX locks that the process has on it. So the
//     descriptor through which the header is read is opened before SQLite opens the file and closed
//     only by Close; source.Cut thaws every source, which closes SQLite's connections, before it
//     closes one. Nothing else in the process may open a database that a Source has frozen.
//   - There is one SQLite in the process (mattn/go-sqlite3).
//
// Inspect looks into a staged or restored copy.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// Source is a live database.
type Source struct {
	name string
	path string // as configured
	real string // absolute, symlinks resolved; set by locate
	dir  string // staging

	head header
	file *os.File   // the database, for its header; the newest of held
	held []*os.File // closed by Close, when no SQLite connection is left
	pin  *conn      // holds the read transaction; nil while thawed
}

var _ source.Source = (*Source)(nil)

// New returns the source of the database at path. It touches nothing.
func New(name, path string) *Source { return &Source{name: name, path: path} }

// Name is the component's configured name.
func (s *Source) Name() string { return s.name }

// Kind is manifest.SQLite.
func (s *Source) Kind() manifest.Kind { return manifest.SQLite }

// Estimate is the size of the database and of its log. It opens neither.
func (s *Source) Estimate(context.Context) (int64, error) {
	fi, err := s.locate()
	if err != nil {
		return 0, err
	}
	size := fi.Size()
	if wal, err := os.Stat(s.real + "-wal"); err == nil {
		size += wal.Size()
	}
	return size, nil
}

// Prepare reads the header, which decides the Order. It copies nothing: a copy without a lock would be torn.
func (s *Source) Prepare(_ context.Context, dir string) error {
	s.dir = dir
	return s.look()
}

// Order is OrderWAL or OrderRollback, by the database's journal mode.
func (s *Source) Order() source.Order {
	if s.head.wal {
		return source.OrderWAL
	}
	return source.OrderRollback
}

// Freeze opens the database and pins a read transaction.
func (s *Source) Freeze(ctx context.Context, wait source.Wait) error {
	if err := s.Thaw(); err != nil {
		return err
	}
	was := s.head.wal
	if err := s.look(); err != nil {
		return err
	}
	if s.head.wal != was {
		return s.fault(IDReplaced, source.ErrMoved, "changed its journal mode", "", nil)
	}
	err := poll(ctx, time.Duration(wait), func() error { return s.begin(ctx) })
	if err != nil {
		return s.explain(ctx, err, time.Duration(wait))
	}
	return nil
}

// begin opens a connection and starts its read transaction: in rollback mode that is a SHARED lock.
func (s *Source) begin(ctx context.Context) error {
	c, err := open(ctx, s.real, openLive)
	if err != nil {
		return err
	}
	var (
		version int64
		mode    string
	)
	err = c.exec(ctx, "BEGIN")
	if err == nil { // BEGIN alone pins nothing: the first read does
		err = c.get(ctx, "SELECT count(*) FROM sqlite_schema", &version)
	}
	if err == nil {
		err = c.get(ctx, "PRAGMA journal_mode", &mode)
	}
	if err == nil && (mode == "wal") != s.head.wal {
		err = s.fault(IDReplaced, source.ErrMoved, fmt.Sprintf("is in journal mode %s, which is not what its header said", mode), "", nil)
	}
	if err != nil {
		return errors.Join(err, c.Close())
	}
	s.pin = c
	return nil
}

// Confirm has nothing to check: the pinned transaction cannot move.
func (s *Source) Confirm(context.Context) error { return nil }

// Thaw ends the read transaction and closes the connection.
func (s *Source) Thaw() error {
	if s.pin == nil {
		return nil
	}
	c := s.pin
	s.pin = nil
	if err := c.Close(); err != nil {
		return fmt.Errorf("close %s: %w", s.path, err)
	}
	return nil
}

// Close thaws and closes the descriptors.
func (s *Source) Close() error {
	err := s.Thaw()
	for _, f := range s.held {
		err = errors.Join(err, f.Close())
	}
	s.held, s.file = nil, nil
	return err
}

// locate resolves the path and stats what is there.
func (s *Source) locate() (fs.FileInfo, error) {
	real, err := filepath.EvalSymlinks(s.path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	var fi fs.FileInfo
	if err == nil {
		fi, err = os.Stat(real)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.fault(IDAbsent, source.ErrAbsent, "does not exist", "check the component's path", nil)
	case err != nil:
		return nil, s.fault(IDOpen, nil, "cannot be reached", "", err)
	case !fi.Mode().IsRegular():
		return nil, s.fault(IDNotADatabase, source.ErrInvalid, "is no regular file but "+source.FileType(fi.Mode()), "", nil)
	}
	s.real = real
	return fi, nil
}

// look reads the header, through the descriptor it has while that still is the file at the path.
func (s *Source) look() error {
	fi, err := s.locate()
	if err != nil {
		return err
	}
	if s.file == nil || !same(s.file, fi) {
		// O_NONBLOCK: whoever put a FIFO there since must not hang us.
		f, err := os.OpenFile(s.real, os.O_RDONLY|nonblock, 0)
		if err != nil {
			return s.fault(IDOpen, nil, "cannot be opened", "run as the application's user", err)
		}
		s.held = append(s.held, f)
		s.file = f
	}
	s.head, err = readHeader(s.file, s.path)
	return err
}

func same(f *os.File, fi fs.FileInfo) bool {
	have, err := f.Stat()
	return err == nil && os.SameFile(have, fi)
}

func (s *Source) fault(id string, kind error, problem, next string, cause error) error {
	return &source.Fault{Path: s.path, ID: id, Kind: kind, Problem: problem, Next: next, Cause: cause}
}

// Version is the version of the SQLite in this process.
func Version() string {
	v, _, _ := sqlite3.Version()
	return v
}
