package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// doctor collects the checks of one run.
type doctor struct {
	*app
	config *config.Config
	checks []doctorCheck
	need   int64 // bytes that staging has to take
}

func (d *doctor) ok(subject, format string, args ...any) {
	d.checks = append(d.checks, doctorCheck{Subject: subject, Result: doctorOK, Detail: fmt.Sprintf(format, args...)})
}

func (d *doctor) warn(subject, id, hint, format string, args ...any) {
	d.checks = append(d.checks, doctorCheck{Subject: subject, Result: doctorWarning, ID: id, Hint: hint, Detail: fmt.Sprintf(format, args...)})
}

func (d *doctor) fail(subject string, f *failure) {
	hint := f.hint
	if hint == seeDoctor {
		hint = ""
	}
	detail := strings.TrimPrefix(f.Error(), subject+": ")
	d.checks = append(d.checks, doctorCheck{Subject: subject, Result: doctorFailed, ID: f.id, Hint: hint, Detail: detail, code: f.code})
}

// minSQLite has the fix of the WAL-reset bug, which could corrupt a database
// while it was read (sqlite.org/releaselog/3_51_3.html).
var minSQLite = [3]int{3, 51, 3}

func (d *doctor) versions(context.Context) {
	var v [3]int
	_, err := fmt.Sscanf(sqlite.Version(), "%d.%d.%d", &v[0], &v[1], &v[2])
	switch {
	case err != nil || v[0] != minSQLite[0] || v[1] < minSQLite[1] || v[1] == minSQLite[1] && v[2] < minSQLite[2]:
		d.fail("SQLite", &failure{code: exitFailed, id: "sqlite_too_old", err: fmt.Errorf("version %s, want at least 3.51.3", sqlite.Version()), hint: "build holdfast with a newer mattn/go-sqlite3"})
	case !sqlite.HasFTS5():
		d.warn("SQLite", "no_fts5", "build with -tags sqlite_fts5, as make build does", "version %s without FTS5: full-text indexes are not checked", sqlite.Version())
	default:
		d.ok("SQLite", "version %s with FTS5", sqlite.Version())
	}
	d.ok("holdfast", "version %s", toolVersion())
}

// file checks who may change the configuration: whoever can, can send the
// backups elsewhere.
func (d *doctor) file(context.Context) {
	c := d.config
	info, err := os.Stat(c.File)
	switch {
	case err != nil:
		d.fail("configuration", &failure{code: exitConfig, id: "config_unreadable", err: err})
	case info.Mode().Perm()&0o022 != 0:
		d.warn("configuration", "config_writable", "chmod go-w "+c.File, "%s may be changed by others (mode %#o)", c.File, info.Mode().Perm())
	default:
		d.ok("configuration", "%s: set %s, %s, %s", c.File, c.Set, count(len(c.Components), "component"), count(len(c.Targets), "target"))
	}
}

// paths repeats the check of the configuration with symbolic links resolved.
func (d *doctor) paths(context.Context) {
	conflicts := d.config.Apart(resolve)
	for _, x := range conflicts {
		d.fail("paths", &failure{code: exitConfig, id: "paths_overlap", err: x, hint: "keep them apart"})
	}
	beside := d.config.Beside(resolve)
	for _, x := range beside {
		d.warn("paths", "target_beside_database", "give the target a directory, and better a disk, of its own", "%v", x)
	}
	if len(conflicts)+len(beside) == 0 {
		d.ok("paths", "components, targets, state and staging are apart")
	}
}

// resolve follows the symbolic links of the part of path that exists.
func resolve(path string) string {
	for at, rest := path, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == filepath.Dir(at) {
			return path
		}
	}
}

func (d *doctor) components(ctx context.Context) {
	for _, c := range d.config.Components {
		subject := "component " + c.Name
		s, err := openSource(c)
		if err != nil {
			d.fail(subject, classify(ctx, err))
			continue
		}
		n, err := s.Estimate(ctx)
		err = errors.Join(err, s.Close())
		if err == nil {
			err = readable(c.Path)
		}
		if err == nil {
			err = freeze(ctx, c)
		}
		switch {
		case errors.Is(err, source.ErrAbsent) && c.Optional:
			d.ok(subject, "%s is absent, which is allowed", c.Path)
		case errors.Is(err, source.ErrAbsent):
			f := classify(ctx, err)
			f.hint = "correct its path, or add optional: true if it may be absent"
			d.fail(subject, f)
		case errors.Is(err, source.ErrBusy):
			d.need += n
			d.warn(subject, source.ErrorID(err), "run doctor again; a create waits for as long as freeze_timeout says", "%v", err)
		case err != nil:
			d.fail(subject, classify(ctx, err))
		default:
			d.need += n
			d.ok(subject, "%s %s, %s to stage", c.Kind, c.Path, size(n))
		}
	}
}

// doctorWait is for how long doctor waits for the lock of a live store.
const doctorWait = source.Wait(2 * time.Second)

// freeze pins the component as a create does, and lets it go: what SQLite itself
// needs, such as a -shm file or no hot journal, shows only then. Of Chroma it is
// the database: to freeze it all would be to copy it all.
func freeze(ctx context.Context, c config.Component) (err error) {
	if c.Kind == config.Chroma {
		c.Kind, c.Path = config.SQLite, filepath.Join(c.Path, "chroma.sqlite3")
	}
	if c.Kind == config.SQLite {
		c.Mode = ""
	}
	s, err := openSource(c)
	if err != nil {
		return err
	}
	dir, remove, err := scratchFor(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(), remove()) }()
	if err := s.Prepare(ctx, dir); err != nil {
		return err
	}
	if err := s.Freeze(ctx, doctorWait); err != nil {
		return err
	}
	return s.Thaw()
}

func readable(path string) error {
	mode := uint32(unix.R_OK)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		mode |= unix.X_OK
	}
	if err := unix.Access(path, mode); err != nil {
		return &os.PathError{Op: "read", Path: path, Err: err}
	}
	return nil
}

func (d *doctor) directories(context.Context) {
	d.directory("state_dir", d.config.StateDir)
	if !d.directory("staging_dir", d.config.StagingDir) {
		return
	}
	at := nearestExisting(d.config.StagingDir)
	free, err := source.FreeSpace(at)
	need := d.need + d.need/20 // as source.Cut wants it
	switch {
	case err != nil:
		d.fail("space", &failure{code: exitFailed, id: "staging_space_unknown", err: err})
	case free < need:
		d.fail("space", &failure{
			code: exitFailed, id: "staging_space", err: fmt.Errorf("staging needs %s, and %s has %s free", size(need), at, size(free)),
			hint: "make room, or set staging_dir to a larger volume",
		})
	default:
		d.ok("space", "staging needs %s, %s free", size(need), size(free))
	}
}

// directory checks that a directory is there or can be made, and can be written.
func (d *doctor) directory(subject, path string) bool {
	at := nearestExisting(path)
	info, err := os.Stat(at)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", at)
	}
	if err == nil {
		if err = unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
			err = &os.PathError{Op: "write", Path: at, Err: err}
		}
	}
	switch {
	case err != nil:
		d.fail(subject, &failure{code: exitFailed, id: "directory_unwritable", err: err, hint: "make it writable, or set " + subject + " to another directory"})
		return false
	case at != path:
		d.ok(subject, "%s will be made in %s", path, at)
	case info.Mode().Perm()&0o077 != 0:
		d.warn(subject, "directory_open", "chmod 700 "+path, "%s can be entered by others (mode %#o): copies of the stores pass through it", path, info.Mode().Perm())
	default:
		d.ok(subject, "%s", path)
	}
	return true
}

// nearestExisting returns path or the nearest directory above it that exists.
func nearestExisting(path string) string {
	for {
		_, err := os.Stat(path)
		up := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || up == path {
			return path
		}
		path = up
	}
}
