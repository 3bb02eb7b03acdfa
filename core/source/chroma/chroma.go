package chroma

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/internal/stamp"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// Source is a live Chroma persistence directory, captured in mode cold.
type Source struct {
	name string
	path string // as configured
	real string // symlinks resolved; set by locate

	db       *sqlite.Source // its database
	store    string         // the staged copy, a directory
	segments map[string]bool
	before   map[string]stamp.Stamp // what Prepare saw
}

var _ source.Source = (*Source)(nil)

// prepareWait bounds the wait for a reader's lock in Prepare. Nothing else is held there.
const prepareWait = source.Wait(5 * time.Second)

// New returns the source of the persistence directory at path. It touches nothing.
func New(name, path string) *Source { return &Source{name: name, path: path} }

// Name is the component's configured name.
func (s *Source) Name() string { return s.name }

// Kind is manifest.Chroma.
func (s *Source) Kind() manifest.Kind { return manifest.Chroma }

// Order is OrderChroma.
func (s *Source) Order() source.Order { return source.OrderChroma }

// Estimate is the size of everything in the directory, orphans included, and of the database's log.
func (s *Source) Estimate(ctx context.Context) (int64, error) {
	if err := s.locate(); err != nil {
		return 0, err
	}
	all, err := scan(s.real, func(string) bool { return true })
	if err != nil {
		return 0, err
	}
	size, err := s.db.Estimate(ctx)
	if err != nil {
		return 0, err
	}
	for name, st := range all {
		if name != Database {
			size += st.Size
		}
	}
	return size, nil
}

// Prepare reads which segments are live, stats everything and copies the segments' files.
func (s *Source) Prepare(ctx context.Context, dir string) error {
	if err := s.locate(); err != nil {
		return err
	}
	s.store = filepath.Join(dir, "store")
	if err := os.Mkdir(s.store, 0o700); err != nil {
		return err
	}
	if err := s.db.Prepare(ctx, dir); err != nil {
		return err
	}
	live, err := s.readSegments(ctx)
	if err != nil {
		return err
	}
	s.segments = live
	if s.before, err = scan(s.real, func(d string) bool { return live[d] }); err != nil {
		return err
	}
	names := newNameSet()
	for _, name := range files(s.before) {
		if err := names.add(name); err != nil {
			return special(filepath.Join(s.real, name), "cannot be kept: "+err.Error())
		}
		if name == Database {
			continue
		}
		if err := s.copyFile(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// readSegments takes the database's lock for a moment.
func (s *Source) readSegments(ctx context.Context) (_ map[string]bool, err error) {
	if err := s.db.Freeze(ctx, prepareWait); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.db.Thaw()) }()
	return s.liveSegments(ctx)
}

// liveSegments are the ids of the vector segments, which name directories.
func (s *Source) liveSegments(ctx context.Context) (map[string]bool, error) {
	live := map[string]bool{}
	err := s.db.Read(func(c *sql.Conn) error {
		rows, err := c.QueryContext(ctx, "SELECT id FROM segments WHERE scope = 'VECTOR'")
		if err != nil {
			return &source.Fault{
				Path: s.path, ID: IDTables, Kind: source.ErrInvalid, Cause: err,
				Problem: "has a " + Database + " that is not Chroma's", Next: "is this the directory that Chroma persists to?",
			}
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			live[id] = true
		}
		return rows.Err()
	})
	return live, err
}

// Freeze takes a read transaction on the database.
func (s *Source) Freeze(ctx context.Context, wait source.Wait) error { return s.db.Freeze(ctx, wait) }

// Confirm has nothing to check: Capture looks at everything once more.
func (s *Source) Confirm(ctx context.Context) error { return s.db.Confirm(ctx) }

// Capture copies the database, and then demands that nothing changed since Prepare.
func (s *Source) Capture(ctx context.Context) (*source.Frozen, error) {
	live, err := s.liveSegments(ctx)
	if err != nil {
		return nil, err
	}
	image, err := s.db.Capture(ctx)
	if err != nil {
		return nil, err
	}
	staged := filepath.Join(s.store, Database)
	if err := os.Rename(image.Path, staged); err != nil {
		return nil, err
	}
	// The segments that Prepare knew: one that is new by now shows as a directory or in the database.
	after, err := scan(s.real, func(d string) bool { return s.segments[d] })
	if err != nil {
		return nil, err
	}
	if d := difference(s.before, after); d != "" {
		return nil, moved(filepath.Join(s.real, d))
	}
	if len(live) != len(s.segments) {
		return nil, moved(filepath.Join(s.real, Database))
	}
	db := time.Unix(0, s.before[Database].Mtime)
	if err := os.Chtimes(staged, db, db); err != nil {
		return nil, err
	}
	return s.freezeStream(image.Size())
}

func (s *Source) freezeStream(dbSize int64) (*source.Frozen, error) {
	var members []member
	for _, name := range files(s.before) {
		st := s.before[name]
		m := member{name: name, size: st.Size, mtime: time.Unix(0, st.Mtime)}
		if name == Database {
			m.size = dbSize
		}
		members = append(members, m)
	}
	ps, err := parts(s.store, members)
	if err != nil {
		return nil, err
	}
	return &source.Frozen{ChunkSize: chunkSize, Path: s.store, Parts: ps}, nil
}

// Thaw ends the read transaction.
func (s *Source) Thaw() error {
	if s.db == nil {
		return nil
	}
	return s.db.Thaw()
}

// Close thaws and closes the descriptors.
func (s *Source) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// locate resolves the path. Descriptors on the database must outlive connections, so it happens once.
func (s *Source) locate() error {
	if s.db != nil {
		return nil
	}
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
		return &source.Fault{Path: s.path, ID: IDAbsent, Kind: source.ErrAbsent, Problem: "does not exist", Next: "check the component's path"}
	case err != nil:
		return &source.Fault{Path: s.path, ID: IDOpen, Problem: "cannot be reached", Cause: err}
	case !fi.IsDir():
		return &source.Fault{Path: s.path, ID: IDOpen, Kind: source.ErrInvalid, Problem: "is no directory"}
	}
	db := filepath.Join(real, Database)
	switch fi, err := os.Lstat(db); {
	case errors.Is(err, fs.ErrNotExist):
		return &source.Fault{Path: s.path, ID: IDAbsent, Kind: source.ErrAbsent, Problem: "holds no " + Database, Next: "is the path right, and the volume mounted?"}
	case err == nil && !fi.Mode().IsRegular():
		return special(db, "is no plain file")
	}
	s.real, s.db = real, sqlite.New(s.name, db)
	return nil
}
