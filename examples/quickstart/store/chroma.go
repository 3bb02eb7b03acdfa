package store

import (
	"archive/tar"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/atocore/holdfast/core/source/chroma/testdata"
)

// Synthetic collections have the dimension of the usual small embedding model. Each is persisted in full.
const (
	dimension        = 384
	collectionLimit  = 20_000
	bytesPerVector   = 3_200 // in files and database together; only decides how many to add at a time
	persistentVector = "urn:chroma:segment/vector/hnsw-local-persisted"
	persistentRows   = "urn:chroma:segment/metadata/sqlite"
)

// generateChroma puts the recorded directory at path and adds synthetic collections until all files together have
// size bytes.
func generateChroma(ctx context.Context, path string, a *author, size int64) error {
	if err := unpackRecorded(path); err != nil {
		return fmt.Errorf("unpack the recorded directory: %w", err)
	}
	for n := 0; ; n++ {
		have, err := treeSize(path)
		if err != nil || have >= size {
			return err
		}
		vectors := min(max(int((size-have)/bytesPerVector)+1, 50), collectionLimit)
		if err := addCollection(ctx, path, a, fmt.Sprintf("synthetic-%03d", n), vectors); err != nil {
			return fmt.Errorf("collection synthetic-%03d: %w", n, err)
		}
	}
}

func treeSize(root string) (total int64, err error) {
	err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// unpackRecorded writes the recorded directory to path with the files' times, of which the order matters.
func unpackRecorded(path string) error {
	z, err := zstd.NewReader(bytes.NewReader(testdata.Small), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(h.Name, "chroma/")
		if !ok || !filepath.IsLocal(h.Name) {
			return fmt.Errorf("unexpected member %q", h.Name)
		}
		to := filepath.Join(path, name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(to, 0o755)
		case tar.TypeReg:
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, b, 0o644)
			}
			if err == nil {
				err = os.Chtimes(to, h.ModTime, h.ModTime)
			}
		default:
			err = fmt.Errorf("unexpected type %q", h.Typeflag)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// addCollection adds a collection of n vectors as a server leaves it after persisting all of them: rows in
// chroma.sqlite3, nothing in the queue, and the files of its vector segment.
func addCollection(ctx context.Context, path string, a *author, name string, n int) error {
	segment := a.uuid()
	db, err := open(filepath.Join(path, "chroma.sqlite3"), "rw")
	if err != nil {
		return err
	}
	defer db.Close()
	if err := pragmas(ctx, db, "journal_mode=OFF", "synchronous=OFF", "cache_size=-32768"); err != nil {
		return err
	}
	err = inTx(ctx, db, func(tx *sql.Tx) error { return addCollectionRows(ctx, tx, a, name, segment, n) })
	if err != nil {
		return err
	}
	if err := setJournal(ctx, db, Rollback); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	// The recorded database's own time would be now: keep the directory's bytes independent of when it is made.
	if err := os.Chtimes(filepath.Join(path, "chroma.sqlite3"), epoch, epoch); err != nil {
		return err
	}
	return writeSegment(ctx, filepath.Join(path, segment), a, name, n)
}

func vectorID(collection string, i int) string { return fmt.Sprintf("%s-%d", collection, i) }

func addCollectionRows(ctx context.Context, tx *sql.Tx, a *author, name, segment string, n int) error {
	collection, metadata := a.uuid(), a.uuid()
	var seq, row int64
	err := tx.QueryRowContext(ctx, `SELECT (SELECT max(seq_id) FROM max_seq_id), (SELECT max(id) FROM embeddings)`).Scan(&seq, &row)
	if err != nil {
		return err
	}
	created := epoch.Format("2006-01-02 15:04:05")
	for i := range n {
		id := row + int64(i) + 1
		document := fmt.Sprintf("note %s: %s", vectorID(name, i), a.text(a.between(60, 200)))
		for _, s := range []struct {
			text string
			args []any
		}{
			{"INSERT INTO embeddings VALUES (?,?,?,?,?)", []any{id, metadata, vectorID(name, i), seq + int64(i) + 1, created}},
			{"INSERT INTO embedding_metadata (id, key, string_value) VALUES (?,'chroma:document',?)", []any{id, document}},
			{"INSERT INTO embedding_metadata (id, key, int_value) VALUES (?,'n',?)", []any{id, i}},
			{"INSERT INTO embedding_metadata (id, key, string_value) VALUES (?,'project',?)", []any{id, fmt.Sprintf("p%d", i%5)}},
			{"INSERT INTO embedding_fulltext_search (rowid, string_value) VALUES (?,?)", []any{id, document}},
		} {
			if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
				return err
			}
		}
	}
	last := seq + int64(n)
	for _, s := range []struct {
		text string
		args []any
	}{
		// The recorded collection of the same metric (cosine) lends its configuration.
		{
			`INSERT INTO collections (id, name, dimension, database_id, config_json_str, schema_str)
			SELECT ?, ?, ?, database_id, config_json_str, schema_str FROM collections WHERE name = 'atocore-chunks'`,
			[]any{collection, name, dimension},
		},
		{"INSERT INTO segments VALUES (?,?,'VECTOR',?)", []any{segment, persistentVector, collection}},
		{"INSERT INTO segments VALUES (?,?,'METADATA',?)", []any{metadata, persistentRows, collection}},
		{"INSERT INTO max_seq_id VALUES (?,?)", []any{segment, last}},
		{"INSERT INTO max_seq_id VALUES (?,?)", []any{metadata, last}},
	} {
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}
