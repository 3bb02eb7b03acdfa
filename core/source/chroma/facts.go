package chroma

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
)

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
