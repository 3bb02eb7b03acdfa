package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
)

// Touched says how many rows a Touch updated and added, of all tables together.
type Touched struct {
	Updated, Added int64
}

// Touch updates the share fraction (0 to 1) of the rows of the database of the store at dir, spread evenly over the
// file, and adds as many new ones, in small transactions as an application would. It may run beside other connections.
// Registry and Chroma stay as they are. Called again with the same seed it makes other changes, the same in every run.
func Touch(ctx context.Context, dir string, fraction float64, seed uint64) (Touched, error) {
	t, err := touch(ctx, Database(dir), fraction, seed)
	if err != nil {
		return t, fmt.Errorf("touch %s: %w", Database(dir), err)
	}
	return t, nil
}

func touch(ctx context.Context, path string, fraction float64, seed uint64) (t Touched, err error) {
	if math.IsNaN(fraction) || fraction < 0 || fraction > 1 {
		return t, fmt.Errorf("fraction %v: want 0 to 1", fraction)
	}
	db, err := open(path, "rw")
	if err != nil {
		return t, err
	}
	defer db.Close()
	var documents int64
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(rowid), 0) FROM documents").Scan(&documents); err != nil {
		return t, err
	}
	projects, err := readProjects(ctx, db)
	if err != nil {
		return t, err
	}
	// The number of documents tells a second touch from the first: it must not draw the same UUIDs.
	a := newAuthor(seed, fmt.Sprintf("touch %d", documents))
	total := int64(0)
	for _, table := range []string{"chunks", "memories", "interactions"} {
		rows, updated, err := updateSpread(ctx, db, a, table, fraction)
		if err != nil {
			return t, fmt.Errorf("update %s: %w", table, err)
		}
		total += rows
		t.Updated += updated
	}
	const batch = 20
	for left := int(math.Ceil(float64(total) * fraction / rowsPerImport)); left > 0; left -= batch {
		n := min(left, batch)
		if err := inTx(ctx, db, func(tx *sql.Tx) error { return addImports(ctx, tx, a, projects, n) }); err != nil {
			return t, err
		}
		t.Added += int64(n * (rowsPerImport + 2)) // and a document with its attachment
	}
	return t, db.Close()
}

// updateSpread rewrites every (1/fraction)-th row of table and returns how many rows it has and how many it updated.
func updateSpread(ctx context.Context, db *sql.DB, a *author, table string, fraction float64) (rows, updated int64, err error) {
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(rowid), 0) FROM "+table).Scan(&rows); err != nil {
		return 0, 0, err
	}
	want := int64(math.Ceil(float64(rows) * fraction))
	const batch = 200
	for updated < want {
		err := inTx(ctx, db, func(tx *sql.Tx) error {
			stmt, err := tx.PrepareContext(ctx, "UPDATE "+table+" SET content=?, metadata=?, updated_at=? WHERE rowid=?")
			if err != nil {
				return err
			}
			defer stmt.Close()
			for range min(batch, want-updated) {
				rowid := 1 + int64(float64(updated)*float64(rows)/float64(want))
				if _, err := stmt.ExecContext(ctx, a.text(a.between(200, 1000)), a.metadata(), a.stamp(), rowid); err != nil {
					return err
				}
				updated++
			}
			return nil
		})
		if err != nil {
			return rows, updated, err
		}
	}
	return rows, updated, nil
}

func readProjects(ctx context.Context, db *sql.DB) ([]project, error) {
	rows, err := db.QueryContext(ctx, "SELECT id, name FROM projects ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []project
	for rows.Next() {
		var p project
		if err := rows.Scan(&p.ID, &p.Name); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
