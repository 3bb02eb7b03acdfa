package chroma

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
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

// The last add (0), upsert (2) or delete (3) of each id of a topic beyond a sequence number. Updates
// (1) change no membership; for vectors, neither does a row that brings none.
const (
	lastOperations = `SELECT id, operation, max(seq_id) FROM embeddings_queue
		WHERE topic = ?1 AND seq_id > ?2 AND operation <> 1 GROUP BY id`
	lastVectors = `SELECT id, operation, max(seq_id) FROM embeddings_queue
		WHERE topic = ?1 AND seq_id > ?2 AND operation <> 1 AND (operation = 3 OR vector IS NOT NULL) GROUP BY id`
)

func (c *census) readFacts(ctx context.Context, st *store) error {
	for _, col := range st.collections {
		f := manifest.Collection{ID: col.id, Name: col.name, Dimension: col.dimension}
		var queued int64
		err := st.db.QueryRowContext(ctx, `SELECT count(*) FROM embeddings WHERE segment_id = ?`, col.metadata.id).Scan(&f.Count)
		if err == nil {
			err = st.db.QueryRowContext(ctx, `WITH last AS (`+lastOperations+`)
				SELECT coalesce(sum((operation <> 3) - EXISTS(SELECT 1 FROM embeddings WHERE segment_id = ?3 AND embedding_id = last.id)), 0)
				FROM last`, col.topic, col.metadata.maxSeq, col.metadata.id).Scan(&queued)
		}
		if err != nil {
			return err
		}
		f.Count += queued
		if f.Metric, err = c.metric(ctx, st, col.id); err != nil {
			return err
		}
		c.facts.Collections = append(c.facts.Collections, f)
	}
	return nil
}

// metric finds the collection's distance in the three places where versions have kept it: the
// schema, the configuration, and the metadata.
func (c *census) metric(ctx context.Context, st *store, id string) (metric string, err error) {
	err = each(ctx, st.db, func(scan func(...any) error) error {
		return scan(&metric)
	}, "SELECT str_value FROM collection_metadata WHERE collection_id = ? AND key = 'hnsw:space' AND str_value IS NOT NULL", id)
	if err != nil && strings.Contains(err.Error(), "no such table") {
		err = nil
	}
	if err != nil {
		return "", err
	}
	for _, column := range []string{"config_json_str", "schema_str"} {
		var doc sql.NullString
		switch err := st.db.QueryRowContext(ctx, "SELECT "+column+" FROM collections WHERE id = ?", id).Scan(&doc); {
		case err != nil && strings.Contains(err.Error(), "no such column"):
			continue
		case err != nil:
			return "", err
		}
		if space := spaceIn(doc.String); space != "" {
			metric = space
		}
	}
	return metric, nil
}

// spaceIn finds hnsw.space in a collection's configuration or schema; "" when it is not there.
func spaceIn(doc string) string {
	type index struct {
		Space string `json:"space"`
	}
	var d struct {
		HNSW    index `json:"hnsw"`
		Hnsw06  index `json:"hnsw_configuration"`
		Default struct {
			Floats struct {
				Vector struct {
					Config index `json:"config"`
				} `json:"vector_index"`
			} `json:"float_list"`
		} `json:"defaults"`
	}
	if json.Unmarshal([]byte(doc), &d) != nil {
		return ""
	}
	for _, s := range []string{d.Default.Floats.Vector.Config.Space, d.HNSW.Space, d.Hnsw06.Space} {
		if s != "" {
			return s
		}
	}
	return ""
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
