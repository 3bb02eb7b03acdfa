package chroma

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/atocore/holdfast/core/source"
)

// collection applies the rules to one collection. The error is for SQLite or the file system
// failing, or ctx ending.
func (c *census) collection(ctx context.Context, st *store, col *collection) error {
	if col.vector.id == "" || col.metadata.id == "" {
		c.fail(ruleSegments, "collection %s lacks its vector or its metadata segment", col.name)
		return nil
	}
	if err := c.queue(ctx, st, col); err != nil {
		return err
	}
	if col.vector.kind != hnsw {
		c.unsure[ruleSegments] = append(c.unsure[ruleSegments], "collection "+col.name+" has a vector segment of the unknown kind "+col.vector.kind)
		return nil
	}
	if filepath.Base(col.vector.id) != col.vector.id || !filepath.IsLocal(col.vector.id) {
		c.fail(ruleSegments, "collection %s has a segment whose id %q names no directory", col.name, col.vector.id)
		return nil
	}
	v := &vectors{census: c, col: col}
	if err := v.files(ctx); err != nil {
		return err
	}
	switch {
	case !v.persisted: // the queue is the only copy of the vectors
		return c.replay(ctx, st, col, nil, 0, ruleSegments)
	case c.level < source.Full || v.pickle == nil:
		return nil
	}
	since := v.pickle.maxSeqID
	if col.vector.hasSeq {
		since = col.vector.maxSeq
	}
	return c.replay(ctx, st, col, v.pickle.labels, since, ruleReplay)
}

// queue checks that the vectors of a collection in the queue have its dimension. Both encodings,
// FLOAT32 and INT32, take four bytes a number.
func (c *census) queue(ctx context.Context, st *store, col *collection) error {
	var bad int64
	err := st.db.QueryRowContext(ctx, `SELECT count(*) FROM embeddings_queue
		WHERE topic = ? AND length(vector) <> 4 * ?`, col.topic, col.dimension).Scan(&bad)
	if err == nil && bad > 0 {
		c.fail(ruleQueue, "collection %s, of dimension %d, has %d vectors of another length in the queue", col.name, col.dimension, bad)
	}
	return err
}

// vectors are the files of one collection's vector segment.
type vectors struct {
	*census
	col       *collection
	persisted bool // there is a pickle
	head      header
	pickle    *pickle
}

func (v *vectors) file(name string) string { return v.path(v.col.vector.id + "/" + name) }

// size is a file's length; -1 when it does not exist.
func (v *vectors) size(name string) (int64, error) {
	fi, err := os.Lstat(v.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// files checks the segment's files as far as they are there and one does not depend on another that failed.
func (v *vectors) files(ctx context.Context) error {
	size, err := v.size(pickleFile)
	if err != nil {
		return err
	}
	v.persisted = size >= 0
	if !v.persisted && v.col.vector.maxSeq > 0 {
		v.fail(ruleSegments, "collection %s was persisted up to %d, and its %s is gone", v.col.name, v.col.vector.maxSeq, pickleFile)
	}
	sound, err := v.header()
	if err != nil || !sound {
		return err
	}
	sound, err = v.lengths()
	if err != nil || !v.persisted {
		return err
	}
	if err := v.counts(sound); err != nil {
		return err
	}
	if !sound {
		return nil
	}
	if err := v.links(ctx); err != nil || v.level < source.Full {
		return err
	}
	return v.graph(ctx)
}

// header reads header.bin, and reports whether the other files can be judged by it.
func (v *vectors) header() (sound bool, err error) {
	f, err := os.Open(v.file(headerFile))
	if errors.Is(err, fs.ErrNotExist) {
		if v.persisted {
			v.fail(ruleHeaders, "collection %s has no %s", v.col.name, headerFile)
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, headerSize+1))
	if err != nil {
		return false, err
	}
	v.head, err = decodeHeader(b)
	if err == nil && (v.persisted || v.col.dimension > 0) {
		err = v.head.check(v.col.dimension)
	}
	if err != nil {
		v.fail(ruleHeaders, "collection %s: %s: %v", v.col.name, headerFile, err)
		return false, nil
	}
	if !v.persisted && v.head.cur != 0 {
		v.fail(ruleCounts, "collection %s: %s counts %d elements, and there is no %s", v.col.name, headerFile, v.head.cur, pickleFile)
		return false, nil
	}
	return v.col.dimension > 0, nil
}

// lengths compares the data files' lengths with the header; a segment that was never persisted has
// room for maxElements preallocated.
func (v *vectors) lengths() (sound bool, err error) {
	sound = true
	for _, f := range []struct {
		name string
		unit uint64
	}{{dataFile, v.head.elementSize}, {lengthFile, 4}} {
		got, err := v.size(f.name)
		if err != nil {
			return false, err
		}
		want, spare := int64(v.head.cur*f.unit), int64(v.head.maxElements*f.unit)
		if got != want && (v.persisted || got != spare) {
			sound = false
			v.fail(ruleLengths, "collection %s: %s has %s, not %d", v.col.name, f.name, bytesOf(got), want)
		}
	}
	got, err := v.size(linksFile)
	if err == nil && (got < 0 || !v.persisted && got != 0) {
		sound = false
		v.fail(ruleLengths, "collection %s: %s has %s", v.col.name, linksFile, bytesOf(got))
	}
	return sound, err
}

// counts reads the pickle and compares the count that a persist writes first with the one that it
// writes last. known says that the count in the header agrees with the lengths, so that it may bound memory.
func (v *vectors) counts(known bool) error {
	f, err := os.Open(v.file(pickleFile))
	if err != nil {
		return err
	}
	defer f.Close()
	var elements uint64
	if known {
		elements = v.head.cur
	}
	p, err := readPickle(f, v.seed, elements)
	switch {
	case err != nil && !known: // the failed lengths say it all
	case err != nil:
		v.fail(ruleCounts, "collection %s: %s: %v", v.col.name, pickleFile, err)
	case uint64(p.totalAdded) != v.head.cur:
		v.fail(ruleCounts, "collection %s: %s counts %d elements, %s %d: they are of two persists", v.col.name, headerFile, v.head.cur, pickleFile, p.totalAdded)
	default:
		v.pickle = p
	}
	return nil
}

// stream opens a file of the segment for one pass.
func (v *vectors) stream(name string) (*bufio.Reader, io.Closer, error) {
	f, err := os.Open(v.file(name))
	if err != nil {
		return nil, nil, err
	}
	return bufio.NewReaderSize(f, 1<<20), f, nil
}
