package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// Inspect looks into the staged or restored copy at path, which nobody may have open for writing.
// What is wrong with the copy is in the report, as failed checks; the error is for an inspection
// that could not be carried out, above all because ctx ended: even a long integrity_check is
// interrupted. The integrity check, and the facts with the tables check, may take source.Patience each;
// past it the check is inconclusive, and facts that are not known by then are left out.
//
// The checks are, in this order: header; quick_check (Quick) or integrity_check (Full); tables,
// which fails when a table of the baseline is gone and is left out without a baseline. A check that
// has no sense after an earlier one failed is skipped. At level None there is no check but
// what failed on the way to the facts.
func Inspect(ctx context.Context, path string, level source.Level, baseline *manifest.SQLiteFacts) (source.Report, error) {
	return inspect(ctx, path, level, baseline, source.Patience)
}

func inspect(ctx context.Context, path string, level source.Level, baseline *manifest.SQLiteFacts, patience func(int64) time.Duration) (source.Report, error) {
	in := &inspection{path: path, level: level, facts: &manifest.SQLiteFacts{Rows: map[string]int64{}}, patience: patience}
	if level == source.None {
		baseline = nil
	}
	if err := in.run(ctx, baseline); err != nil {
		return source.Report{}, fmt.Errorf("inspect %s: %w", path, err)
	}
	if level == source.None {
		in.checks = source.Unasked(in.checks)
	}
	return source.Report{Facts: &manifest.Facts{SQLite: in.facts}, Checks: in.checks}, nil
}

// CheckIntegrity runs quick_check (Quick) or integrity_check (Full) on the staged or restored copy
// at path, as Inspect does, for databases that are a part of something else. Only ctx bounds its time.
func CheckIntegrity(ctx context.Context, path string, level source.Level) (manifest.Check, error) {
	in := &inspection{path: path, level: level, facts: &manifest.SQLiteFacts{Rows: map[string]int64{}}}
	c, err := in.open(ctx)
	if err != nil || c == nil {
		return in.failure(integrityName(level)), err
	}
	defer c.Close()
	return in.integrity(ctx, c)
}

// OpenCopy opens the staged or restored copy at path for reading, without locks. The caller closes
// both; every query must use the Conn.
func OpenCopy(ctx context.Context, path string) (*sql.DB, *sql.Conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := open(ctx, abs, openStaged)
	if err != nil {
		return nil, nil, err
	}
	// The copy may come from a hostile repository: its schema may not call functions with side effects.
	if err := c.exec(ctx, "PRAGMA trusted_schema=OFF"); err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return c.db, c.Conn, nil
}

type inspection struct {
	path   string
	level  source.Level
	facts  *manifest.SQLiteFacts
	checks []manifest.Check

	size     int64
	patience func(size int64) time.Duration // for each step
}

func (in *inspection) add(c manifest.Check) { in.checks = append(in.checks, c) }

func (in *inspection) run(ctx context.Context, baseline *manifest.SQLiteFacts) error {
	c, err := in.open(ctx)
	if err != nil {
		return err
	}
	if c == nil {
		in.add(skipped(integrityName(in.level), "the header check failed"))
		return nil
	}
	defer c.Close()

	limit := in.patience(in.size)
	var endless *source.EndlessError
	if in.level > source.None {
		var check manifest.Check
		err := source.Within(ctx, limit, func(ctx context.Context) (err error) {
			check, err = in.integrity(ctx, c)
			return err
		})
		switch {
		case errors.As(err, &endless):
			check = inconclusive(integrityName(in.level), endless)
		case err != nil:
			return err
		}
		in.add(check)
	}
	var tables []string
	err = source.Within(ctx, limit, func(ctx context.Context) (err error) {
		tables, err = in.gather(ctx, c)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &endless):
		in.add(inconclusive("tables", endless))
	case err != nil: // damage: the integrity check has failed, or fails here
		in.add(failed("tables", IDOpen, err.Error()))
	case baseline != nil:
		in.add(compare(tables, baseline))
	}
	return nil
}

// open checks the header and opens the copy. Without a connection and without an error, the last check says why.
func (in *inspection) open(ctx context.Context) (*conn, error) {
	h, size, err := headerOf(in.path)
	if err == nil {
		err = h.truncated(in.path, size)
	}
	if err != nil {
		in.add(failed("header", faultID(err), err.Error()))
		return nil, nil
	}
	in.size, in.facts.PageSize = size, h.pageSize
	in.facts.Journal = "rollback"
	if h.wal {
		in.facts.Journal = "wal"
	}
	db, c, err := OpenCopy(ctx, in.path)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		in.add(failed("header", IDOpen, err.Error()))
		return nil, nil
	}
	in.add(manifest.Check{Name: "header", Result: manifest.OK})
	return &conn{Conn: c, db: db}, nil
}

// failure is the last check if it failed, under another name.
func (in *inspection) failure(name string) manifest.Check {
	if len(in.checks) == 0 {
		return failed(name, IDOpen, "")
	}
	c := in.checks[len(in.checks)-1]
	c.Name = name
	return c
}

// headerOf reads the header of a copy. Its descriptor is closed before SQLite opens the file.
func headerOf(path string) (header, int64, error) {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return header{}, 0, &source.Fault{Path: path, ID: IDMissing, Kind: source.ErrAbsent, Problem: "is missing"}
	}
	if err != nil {
		return header{}, 0, err
	}
	if !fi.Mode().IsRegular() {
		return header{}, 0, &source.Fault{Path: path, ID: IDNotADatabase, Kind: source.ErrInvalid, Problem: "is no regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return header{}, 0, err
	}
	defer f.Close()
	h, err := readHeader(f, path)
	return h, fi.Size(), err
}

func faultID(err error) string {
	if id := source.ErrorID(err); id != "" {
		return id
	}
	return IDOpen
}

func failed(name, id, detail string) manifest.Check {
	return manifest.Check{Name: name, Result: manifest.Failed, ID: id, Detail: manifest.ClipText(detail)}
}

func inconclusive(name string, why error) manifest.Check {
	return manifest.Check{Name: name, Result: manifest.Inconclusive, Detail: manifest.ClipText("not checked: " + why.Error())}
}

func skipped(name, why string) manifest.Check {
	return manifest.Check{Name: name, Result: manifest.Skipped, Detail: why}
}

// damaged reports whether err is SQLite's verdict on the file, and not on our being able to ask.
func damaged(err error) bool {
	c, _ := code(err)
	return c == sqlite3.ErrCorrupt || c == sqlite3.ErrNotADB || c == sqlite3.ErrIoErr || c == sqlite3.ErrFormat
}
