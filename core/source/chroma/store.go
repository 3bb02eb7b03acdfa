package chroma

import (
	"context"
	"database/sql"
	"encoding/binary"
	"os"
	"path"
	"slices"
)

// store is what Chroma's database says about itself.
type store struct {
	db          *sql.Conn
	collections []*collection
	live        map[string]bool // vector segments of a collection
	loose       []string        // segments without one
}

// collection is a collection with its two segments.
type collection struct {
	id, name  string
	dimension int64
	topic     string // what the queue calls it; "" when the queue does not know it
	vector    segment
	metadata  segment
}

type segment struct {
	id, kind string
	maxSeq   int64 // the last sequence number that reached it
	hasSeq   bool
}

// hnsw is the kind of vector segments that this package knows the files of.
const hnsw = "urn:chroma:segment/vector/hnsw-local-persisted"

// tables that every version from 0.4 on has, with columns that the census reads.
var tables = []string{
	"SELECT id, name, dimension FROM collections",
	"SELECT id, type, scope, collection FROM segments",
	"SELECT segment_id, embedding_id FROM embeddings",
	"SELECT id, key FROM embedding_metadata",
	"SELECT seq_id, operation, topic, id, vector, encoding FROM embeddings_queue",
	"SELECT segment_id, seq_id FROM max_seq_id",
	"SELECT dir, version FROM migrations",
}

// load reads the facts and the collections. It returns nil when tables are missing.
func (c *census) load(ctx context.Context, db *sql.Conn) (*store, error) {
	st := &store{db: db, live: map[string]bool{}}
	for _, q := range tables {
		rows, err := db.QueryContext(ctx, q+" LIMIT 0")
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			c.fail(ruleTables, "%v", err)
			continue
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	if len(c.failed[ruleTables]) > 0 {
		return nil, nil
	}
	for _, f := range []func(context.Context, *store) error{c.migrations, c.readCollections, c.readSegments, c.readTopics, c.readFacts} {
		if err := f(ctx, st); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			c.fail(ruleTables, "%v", err)
			return nil, nil
		}
	}
	return st, nil
}

// each calls f for every row; f scans it.
func each(ctx context.Context, db *sql.Conn, f func(scan func(...any) error) error, q string, args ...any) error {
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *census) migrations(ctx context.Context, st *store) error {
	return each(ctx, st.db, func(scan func(...any) error) error {
		var dir string
		var version int64
		err := scan(&dir, &version)
		c.facts.Migrations[dir] = version
		return err
	}, "SELECT dir, max(version) FROM migrations GROUP BY dir")
}

func (c *census) readCollections(ctx context.Context, st *store) error {
	return each(ctx, st.db, func(scan func(...any) error) error {
		col := &collection{}
		st.collections = append(st.collections, col)
		return scan(&col.id, &col.name, &col.dimension)
	}, "SELECT id, name, coalesce(dimension, 0) FROM collections ORDER BY id")
}

func (c *census) readSegments(ctx context.Context, st *store) error {
	seqs := map[string]int64{}
	err := each(ctx, st.db, func(scan func(...any) error) error {
		var id string
		var seq any
		err := scan(&id, &seq)
		if seq != nil {
			seqs[id] = sequence(seq)
		}
		return err
	}, "SELECT segment_id, seq_id FROM max_seq_id")
	if err != nil {
		return err
	}
	byID := map[string]*collection{}
	for _, col := range st.collections {
		byID[col.id] = col
	}
	return each(ctx, st.db, func(scan func(...any) error) error {
		var s segment
		var scope, of string
		if err := scan(&s.id, &s.kind, &scope, &of); err != nil {
			return err
		}
		s.maxSeq, s.hasSeq = seqs[s.id], false
		if _, ok := seqs[s.id]; ok {
			s.hasSeq = true
		}
		col := byID[of]
		switch {
		case col == nil:
			st.loose = append(st.loose, s.id)
		case scope == "VECTOR":
			col.vector = s
			st.live[s.id] = true
		case scope == "METADATA":
			col.metadata = s
		}
		return nil
	}, "SELECT id, type, scope, coalesce(collection, '') FROM segments ORDER BY id")
}

// sequence reads a sequence number: an integer, or before 1.0 eight bytes, big-endian.
func sequence(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case []byte:
		if len(v) == 8 {
			return int64(binary.BigEndian.Uint64(v))
		}
	}
	return 0
}

// readTopics finds the queue's name of each collection, which ends in its id.
func (c *census) readTopics(ctx context.Context, st *store) error {
	topics := map[string]string{}
	err := each(ctx, st.db, func(scan func(...any) error) error {
		var topic string
		err := scan(&topic)
		topics[path.Base(topic)] = topic
		return err
	}, "SELECT DISTINCT topic FROM embeddings_queue")
	for _, col := range st.collections {
		col.topic = topics[col.id]
	}
	return err
}

// orphans notes directories and segments that belong to no collection.
func (c *census) orphans(st *store) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && !st.live[e.Name()] {
			c.notes[ruleOrphans] = append(c.notes[ruleOrphans], "directory "+e.Name()+" belongs to no collection")
		}
	}
	slices.Sort(st.loose)
	for _, id := range st.loose {
		c.notes[ruleOrphans] = append(c.notes[ruleOrphans], "segment "+id+" belongs to no collection")
	}
	return nil
}
