package chroma

import (
	"context"
	"database/sql"
	"fmt"
	"hash/maphash"
	"slices"
)

// replay compares the ids of the vectors with those of the metadata, after each has been brought up
// to date with the rows of the queue beyond its last sequence number, which for the vectors is
// since, as a start of Chroma does. So it finds lost vectors and ghosts exactly.
func (c *census) replay(ctx context.Context, st *store, col *collection, labels []label, since int64, r rule) error {
	ids := make([]uint64, 0, len(labels))
	for _, l := range labels {
		ids = append(ids, l.id)
	}
	vectors, err := c.applyQueue(ctx, st, lastVectors, col.topic, since, ids)
	if err != nil {
		return err
	}
	ids = nil
	err = each(ctx, st.db, func(scan func(...any) error) error {
		var id sql.RawBytes
		err := scan(&id)
		ids = append(ids, maphash.Bytes(c.seed, id))
		return err
	}, "SELECT embedding_id FROM embeddings WHERE segment_id = ?", col.metadata.id)
	if err != nil {
		return err
	}
	metadata, err := c.applyQueue(ctx, st, lastOperations, col.topic, col.metadata.maxSeq, ids)
	if err != nil {
		return err
	}
	lost, ghosts := compare(metadata, vectors)
	if lost > 0 {
		example, err := c.firstNotIn(ctx, st, col, vectors)
		if err != nil {
			return err
		}
		c.fail(r, "collection %s: %d of %d embeddings have no vector%s", col.name, lost, len(metadata), example)
	}
	if ghosts > 0 {
		c.fail(r, "collection %s: %d vectors have no embedding", col.name, ghosts)
	}
	return nil
}

// applyQueue applies the queue's rows that q selects, those beyond since, to a set of ids, and
// returns it sorted.
func (c *census) applyQueue(ctx context.Context, st *store, q, topic string, since int64, ids []uint64) ([]uint64, error) {
	last := map[uint64]bool{} // true: added
	err := each(ctx, st.db, func(scan func(...any) error) error {
		var id sql.RawBytes
		var op, seq int64
		err := scan(&id, &op, &seq)
		last[maphash.Bytes(c.seed, id)] = op != 3
		return err
	}, q, topic, since)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id uint64) bool {
		_, touched := last[id]
		return touched
	})
	for id, added := range last {
		if added {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// firstNotIn names an embedding without a vector, for a person to look at; "" when only the queue has one.
func (c *census) firstNotIn(ctx context.Context, st *store, col *collection, vectors []uint64) (example string, err error) {
	err = each(ctx, st.db, func(scan func(...any) error) error {
		var id string
		if err := scan(&id); err != nil || example != "" {
			return err
		}
		if _, found := slices.BinarySearch(vectors, maphash.String(c.seed, id)); !found {
			example = fmt.Sprintf(", such as %.80q", id)
		}
		return nil
	}, "SELECT embedding_id FROM embeddings WHERE segment_id = ? ORDER BY id", col.metadata.id)
	return example, err
}
