package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/mattn/go-sqlite3"
)

// conn is the one connection of a database handle of its own: no pool may open a second one behind
// our back, or close this one while it pins a transaction.
type conn struct {
	*sql.Conn
	db *sql.DB
}

// How a database is opened.
const (
	// openLive never writes to the database and never recovers, checkpoints or deletes its log.
	openLive = "mode=ro&_query_only=1&_busy_timeout=0"
	// openStaged takes the image as it is: staged copies of a WAL database keep the header bytes that
	// call for a -wal, and there is none. Never to be used on a live database: it hides what is in the -wal.
	openStaged = "mode=ro&immutable=1&_query_only=1&_busy_timeout=0"
	// openImage is for the copy that the backup API fills: scratch, so neither journal nor fsync.
	openImage = "mode=rw&_journal_mode=OFF&_synchronous=OFF&_locking_mode=EXCLUSIVE&_busy_timeout=0"
)

// open opens the database at the absolute path. The driver reads the schema while it opens, so
// SQLITE_BUSY and the errors of a damaged file can come from here.
func open(ctx context.Context, path, how string) (*conn, error) {
	return dial(ctx, uri(path, how))
}

func dial(ctx context.Context, dsn string) (*conn, error) {
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &conn{Conn: c, db: db}, nil
}

// openMemory opens an empty database of its own.
func openMemory(ctx context.Context) (*conn, error) {
	return dial(ctx, ":memory:")
}

// uri is the SQLite URI of an absolute path: it may hold any character but NUL.
func uri(path, query string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

func (c *conn) Close() error { return errors.Join(c.Conn.Close(), c.db.Close()) }

func (c *conn) exec(ctx context.Context, q string) error {
	_, err := c.ExecContext(ctx, q)
	return err
}

// get scans the first row of a query.
func (c *conn) get(ctx context.Context, q string, into ...any) error {
	return c.QueryRowContext(ctx, q).Scan(into...)
}

// raw calls f with the driver's connections of dst and src.
func raw(dst, src *conn, f func(dst, src *sqlite3.SQLiteConn) error) error {
	return dst.Raw(func(d any) error {
		return src.Raw(func(s any) error {
			dc, ok1 := d.(*sqlite3.SQLiteConn)
			sc, ok2 := s.(*sqlite3.SQLiteConn)
			if !ok1 || !ok2 {
				return fmt.Errorf("the driver gave a %T and a %T", d, s)
			}
			return f(dc, sc)
		})
	})
}

// code returns SQLite's result code in err, and the extended one; zeros when there is none.
func code(err error) (sqlite3.ErrNo, sqlite3.ErrNoExtended) {
	var e sqlite3.Error
	if errors.As(err, &e) {
		return e.Code, e.ExtendedCode
	}
	return 0, 0
}

// busy reports whether waiting may help.
func busy(err error) bool {
	c, _ := code(err)
	return c == sqlite3.ErrBusy || c == sqlite3.ErrLocked || c == sqlite3.ErrProtocol
}

// poll calls try until it gives anything but busy, for at most wait; it always tries once, and
// returns the last error. SQLite's own busy handler would not hear ctx.
func poll(ctx context.Context, wait time.Duration, try func() error) error {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 25*time.Millisecond) {
		err := try()
		if !busy(err) {
			return err
		}
		next := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			next.Stop()
			return ctx.Err()
		case <-deadline.C:
			next.Stop()
			return err
		case <-next.C:
		}
	}
}
