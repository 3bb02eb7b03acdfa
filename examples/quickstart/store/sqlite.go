package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// open gives the only connection to the database at path. mode is that of SQLite's URI: ro, rw or rwc. It waits up to
// ten seconds for a lock that another process holds.
func open(path, mode string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Path: abs}
	db, err := sql.Open("sqlite3", "file:"+u.EscapedPath()+"?mode="+mode+"&_busy_timeout=10000")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // a pragma then holds for every statement that follows
	return db, nil
}

// pragmas runs `PRAGMA ...` statements and reads their answers to the end, without which some have no effect.
func pragmas(ctx context.Context, db *sql.DB, statements ...string) error {
	for _, s := range statements {
		rows, err := db.QueryContext(ctx, "PRAGMA "+s)
		if err != nil {
			return fmt.Errorf("pragma %s: %w", s, err)
		}
		for rows.Next() {
		}
		if err := rows.Close(); err != nil {
			return fmt.Errorf("pragma %s: %w", s, err)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("pragma %s: %w", s, err)
		}
	}
	return nil
}

// setJournal changes the journal mode and insists on it: SQLite answers with the old mode when it could not.
func setJournal(ctx context.Context, db *sql.DB, j Journal) error {
	var got string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode="+string(j)).Scan(&got); err != nil {
		return fmt.Errorf("journal mode %s: %w", j, err)
	}
	if got != string(j) {
		return fmt.Errorf("journal mode %s: the database stays in %s; is it open elsewhere?", j, got)
	}
	return nil
}

// inTx runs f in one transaction.
func inTx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // f's error is the story
		return err
	}
	return tx.Commit()
}
