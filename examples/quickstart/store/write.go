package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"
)

// WriteOptions says how Write behaves. The zero value keeps the journal mode and commits as fast as it can.
type WriteOptions struct {
	Seed    uint64
	Journal Journal // "" leaves the database in the mode it has
	Rate    int     // commits a second; 0 means as fast as possible
}

// Write is an application at work: it moves money between accounts of the store at dir, one transaction after the
// other, until ctx is done, which is its normal end and no error. After the commit of transfer n it writes the line
// `committed n` to acks, so whoever reads the line knows that every snapshot begun from then on holds transfer n.
func Write(ctx context.Context, dir string, o WriteOptions, acks io.Writer) error {
	err := write(ctx, Database(dir), o, acks)
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return nil
	}
	return fmt.Errorf("write %s: %w", Database(dir), err)
}

func write(ctx context.Context, path string, o WriteOptions, acks io.Writer) error {
	db, err := open(path, "rw")
	if err != nil {
		return err
	}
	defer db.Close()
	if o.Journal != "" {
		if err := setJournal(ctx, db, o.Journal); err != nil {
			return err
		}
	}
	var tick <-chan time.Time // nil: no pace
	if o.Rate > 0 {
		t := time.NewTicker(time.Second / time.Duration(o.Rate))
		defer t.Stop()
		tick = t.C
	}
	a := newAuthor(o.Seed, "write")
	for {
		n, err := transfer(ctx, db, a)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(acks, "committed %d\n", n); err != nil {
			return fmt.Errorf("acknowledge transfer %d: %w", n, err)
		}
		if tick != nil {
			select {
			case <-tick:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// transfer commits one transfer and returns its number. Source and destination are updated by two statements, so a
// copy that is no single moment can hold one without the other.
func transfer(ctx context.Context, db *sql.DB, a *author) (n int64, err error) {
	source, amount := 1+a.IntN(Accounts), 1+a.IntN(50)
	destination := 1 + (source+a.IntN(Accounts-1))%Accounts // never the source itself
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO transfers (source, destination, amount) VALUES (?,?,?)",
			source, destination, amount)
		if err != nil {
			return err
		}
		if n, err = res.LastInsertId(); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance - ? WHERE id = ?", amount, source); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE accounts SET balance = balance + ? WHERE id = ?", amount, destination)
		return err
	})
	return n, err
}
