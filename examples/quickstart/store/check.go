package store

import (
	"context"
	"fmt"
)

// Facts is what Check read in a database.
type Facts struct {
	Memories  int64 // rows
	Chunks    int64 // rows
	Transfers int64 // number of the last one committed; they are numbered from 1 without a gap
	Total     int64 // sum of the balances, always the constant Total
}

// Check reads the database file at path, the live one or a restored copy, and returns an error when it is not one
// moment of a store: SQLite's integrity_check, the sum of the balances, every balance against the transfers that led
// to it, and that the full-text index has every row.
func Check(ctx context.Context, path string) (Facts, error) {
	f, err := check(ctx, path)
	if err != nil {
		return f, fmt.Errorf("check %s: %w", path, err)
	}
	return f, nil
}

func check(ctx context.Context, path string) (f Facts, err error) {
	db, err := open(path, "rw") // as the application would; a read-only connection cannot clear away its -shm
	if err != nil {
		return f, err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil) // one moment, also beside a writer
	if err != nil {
		return f, err
	}
	defer tx.Rollback()

	var verdict string
	var transfers, wrong, unindexed int64
	for _, q := range []struct {
		text string
		into []any
	}{
		{"PRAGMA integrity_check(1)", []any{&verdict}},
		{"SELECT count(*) FROM memories", []any{&f.Memories}},
		{"SELECT count(*) FROM chunks", []any{&f.Chunks}},
		{"SELECT coalesce(sum(balance), 0) FROM accounts", []any{&f.Total}},
		{"SELECT coalesce(max(n), 0), count(*) FROM transfers", []any{&f.Transfers, &transfers}},
		{fmt.Sprintf(`SELECT count(*) FROM accounts a WHERE balance != %d
			+ (SELECT coalesce(sum(amount), 0) FROM transfers WHERE destination = a.id)
			- (SELECT coalesce(sum(amount), 0) FROM transfers WHERE source = a.id)`, OpeningBalance), []any{&wrong}},
		{"SELECT (SELECT count(*) FROM memories) - (SELECT count(*) FROM memories_search_docsize)", []any{&unindexed}},
	} {
		if err := tx.QueryRowContext(ctx, q.text).Scan(q.into...); err != nil {
			return f, fmt.Errorf("%s: %w", q.text, err)
		}
	}
	switch {
	case verdict != "ok":
		return f, fmt.Errorf("integrity_check: %s", verdict)
	case f.Total != Total:
		return f, fmt.Errorf("the balances sum to %d, not %d: this is no single moment", f.Total, Total)
	case transfers != f.Transfers:
		return f, fmt.Errorf("%d transfers, but the last one is number %d", transfers, f.Transfers)
	case wrong != 0:
		return f, fmt.Errorf("%d balances disagree with the transfers", wrong)
	case unindexed != 0:
		return f, fmt.Errorf("%d memories are missing from the full-text index", unindexed)
	}
	return f, nil
}
