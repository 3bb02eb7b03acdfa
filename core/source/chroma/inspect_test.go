package chroma

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

func TestInspectRecorded(t *testing.T) {
	dir := recorded(t)
	want := &manifest.ChromaFacts{
		Members:    15,
		Migrations: map[string]int64{"sysdb": 10, "metadb": 6, "embeddings_queue": 2},
		Collections: []manifest.Collection{
			{ID: "55ab937d-725b-4361-be48-e68088e7e81c", Name: "memories", Dimension: 32, Metric: "l2", Count: 430},
			{ID: "733b2c6b-02c1-4545-b79d-03c9de35dbd4", Name: "fresh", Dimension: 16, Metric: "l2", Count: 40},
			{ID: "82ff6033-296c-4a6f-b7f8-4e55160dbf68", Name: "atocore-chunks", Dimension: 64, Metric: "cosine", Count: 1250},
		},
	}
	for level, n := range map[source.Level]int{source.None: 0, source.Quick: 11, source.Full: 13} {
		r := inspect(t, dir, level, want)
		if d := cmp.Diff(want, r.Facts.Chroma); d != "" {
			t.Errorf("level %d: facts (-want +got):\n%s", level, d)
		}
		if len(r.Checks) != n {
			t.Errorf("level %d: %d checks, want %d", level, len(r.Checks), n)
		}
		for _, c := range r.Checks {
			if c.Result != manifest.OK || c.Detail != "" {
				t.Errorf("level %d: %+v", level, c)
			}
		}
	}
}

// le32 and le64 overwrite a little-endian integer in a file.
func le32(t *testing.T, path string, off int, v uint32) {
	b := read(t, path)
	binary.LittleEndian.PutUint32(b[off:], v)
	write(t, path, b)
}

func le64(t *testing.T, path string, off int, v uint64) {
	b := read(t, path)
	binary.LittleEndian.PutUint64(b[off:], v)
	write(t, path, b)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// Every rule of the census finds its own corruption of the recorded store, and Quick finds it
// unless the rule belongs to Full.
func TestInspectFinds(t *testing.T) {
	const elementSize = 4 + 4*32 + 4*64 + 8 // of atocore-chunks
	seg := func(dir, file string) string { return filepath.Join(dir, segChunks, file) }
	for _, c := range []struct {
		name    string
		corrupt func(t *testing.T, dir string)
		check   string
		id      string
		full    bool // only Full finds it
	}{
		{"no directory", func(t *testing.T, d string) { remove(t, d) }, "present", IDMissing, false},
		{"no database", func(t *testing.T, d string) { remove(t, filepath.Join(d, Database)) }, "present", IDMissing, false},
		{"a link", func(t *testing.T, d string) {
			if err := os.Symlink("header.bin", seg(d, "link")); err != nil {
				t.Fatal(err)
			}
		}, "present", IDMissing, false},
		{"a journal", func(t *testing.T, d string) { write(t, filepath.Join(d, Database+"-journal"), []byte("x")) }, "no_journal", IDSidecar, false},
		{"a log", func(t *testing.T, d string) { write(t, filepath.Join(d, Database+"-wal"), []byte("x")) }, "no_journal", IDSidecar, false},
		{"database truncated", func(t *testing.T, d string) {
			if err := os.Truncate(filepath.Join(d, Database), 1<<16); err != nil {
				t.Fatal(err)
			}
		}, "database", IDDatabase, false},
		{"database empty", func(t *testing.T, d string) { write(t, filepath.Join(d, Database), nil) }, "database", IDDatabase, false},
		{"database page", func(t *testing.T, d string) {
			b := read(t, filepath.Join(d, Database))
			copy(b[len(b)-4096:], bytes.Repeat([]byte{0x5a}, 4096))
			write(t, filepath.Join(d, Database), b)
		}, "database", IDDatabase, false},
		{"full-text index", func(t *testing.T, d string) {
			execSQL(t, d, "DELETE FROM embedding_fulltext_search_content WHERE id IN (SELECT min(id) FROM embedding_fulltext_search_content)")
		}, "database", IDDatabase, false},
		{"no table", func(t *testing.T, d string) { execSQL(t, d, "DROP TABLE max_seq_id") }, "tables", IDTables, false},
		{"table of another shape", func(t *testing.T, d string) {
			execSQL(t, d, "ALTER TABLE embeddings_queue RENAME COLUMN topic TO subject")
		}, "tables", IDTables, false},
		{"no collections", func(t *testing.T, d string) {
			execSQL(t, d, "DELETE FROM collections", "DELETE FROM segments")
		}, "baseline", IDCollections, false},
		{"pickle gone", func(t *testing.T, d string) { remove(t, seg(d, pickleFile)) }, "segments", IDSegment, false},
		{"segment directory gone", func(t *testing.T, d string) { remove(t, filepath.Join(d, segChunks)) }, "segments", IDSegment, false},
		{"queue of an unpersisted segment purged", func(t *testing.T, d string) {
			execSQL(t, d, "DELETE FROM embeddings_queue WHERE seq_id = 1750")
		}, "segments", IDSegment, false},
		{"no metadata segment", func(t *testing.T, d string) {
			execSQL(t, d, "DELETE FROM segments WHERE scope = 'METADATA' AND id LIKE '2c40%'")
		}, "segments", IDSegment, false},
		{"segment id leads away", func(t *testing.T, d string) {
			execSQL(t, d, "UPDATE segments SET id = '../x' WHERE id = '"+segChunks+"'")
		}, "segments", IDSegment, false},
		{"header gone", func(t *testing.T, d string) { remove(t, seg(d, headerFile)) }, "headers", IDHeader, false},
		{"header short", func(t *testing.T, d string) { write(t, seg(d, headerFile), read(t, seg(d, headerFile))[:99]) }, "headers", IDHeader, false},
		{"header long", func(t *testing.T, d string) {
			write(t, seg(d, headerFile), append(read(t, seg(d, headerFile)), 0))
		}, "headers", IDHeader, false},
		{"header version", func(t *testing.T, d string) { le32(t, seg(d, headerFile), 0, 2) }, "headers", IDHeader, false},
		{"cur over max", func(t *testing.T, d string) { le64(t, seg(d, headerFile), 12, 999) }, "headers", IDHeader, false},
		{"element size", func(t *testing.T, d string) { le64(t, seg(d, headerFile), 28, 400) }, "headers", IDHeader, false},
		{"label offset", func(t *testing.T, d string) { le64(t, seg(d, headerFile), 36, 380) }, "headers", IDHeader, false},
		{"data offset", func(t *testing.T, d string) { le64(t, seg(d, headerFile), 44, 136) }, "headers", IDHeader, false},
		{"entry point", func(t *testing.T, d string) { le32(t, seg(d, headerFile), 56, 1000) }, "headers", IDHeader, false},
		{"maxM0", func(t *testing.T, d string) { le64(t, seg(d, headerFile), 68, 33) }, "headers", IDHeader, false},
		{"mult", func(t *testing.T, d string) { le64(t, seg(d, headerFile), 84, math.Float64bits(math.NaN())) }, "headers", IDHeader, false},
		{"dimension of the collection", func(t *testing.T, d string) {
			execSQL(t, d, "UPDATE collections SET dimension = 65 WHERE name = 'atocore-chunks'")
		}, "headers", IDHeader, false},
		{"torn persist", func(t *testing.T, d string) {
			le64(t, seg(d, headerFile), 20, 999)
			for _, f := range []struct {
				name string
				size int
			}{{dataFile, 999 * elementSize}, {lengthFile, 999 * 4}} {
				write(t, seg(d, f.name), read(t, seg(d, f.name))[:f.size])
			}
		}, "persist", IDTorn, false},
		{"pickle damaged", func(t *testing.T, d string) {
			b := read(t, seg(d, pickleFile))
			write(t, seg(d, pickleFile), b[:len(b)/2])
		}, "persist", IDTorn, false},
		{"elements without a pickle", func(t *testing.T, d string) {
			le64(t, filepath.Join(d, segFresh, headerFile), 20, 1)
			le32(t, filepath.Join(d, segFresh, headerFile), 52, 0)
			le32(t, filepath.Join(d, segFresh, headerFile), 56, 0)
		}, "persist", IDTorn, false},
		{"data short", func(t *testing.T, d string) { write(t, seg(d, dataFile), read(t, seg(d, dataFile))[:999*elementSize]) }, "lengths", IDLength, false},
		{"data gone", func(t *testing.T, d string) { remove(t, seg(d, dataFile)) }, "lengths", IDLength, false},
		{"length long", func(t *testing.T, d string) { write(t, seg(d, lengthFile), make([]byte, 4004)) }, "lengths", IDLength, false},
		{"links short", func(t *testing.T, d string) {
			b := read(t, seg(d, linksFile))
			write(t, seg(d, linksFile), b[:len(b)-4])
		}, "lengths", IDLength, false},
		{"links long", func(t *testing.T, d string) {
			write(t, seg(d, linksFile), append(read(t, seg(d, linksFile)), 0, 0, 0, 0))
		}, "lengths", IDLength, false},
		{"links of a strange length", func(t *testing.T, d string) { le32(t, seg(d, linksFile), 0, 4) }, "lengths", IDLength, false},
		{"highest level", func(t *testing.T, d string) { le32(t, seg(d, headerFile), 52, 3) }, "lengths", IDLength, false},
		{"link on an upper level", func(t *testing.T, d string) {
			b := read(t, seg(d, linksFile))
			off := 0
			for binary.LittleEndian.Uint32(b[off:]) == 0 {
				off += 4
			}
			le32(t, seg(d, linksFile), off+8, 1000)
		}, "lengths", IDLength, false},
		{"queue vector of another length", func(t *testing.T, d string) {
			execSQL(t, d, "UPDATE embeddings_queue SET vector = zeroblob(60) WHERE seq_id = 1750")
		}, "queue", IDSet, false},
		{"queue without a vector", func(t *testing.T, d string) {
			execSQL(t, d, "UPDATE embeddings_queue SET vector = NULL WHERE seq_id = 1100")
		}, "replay", IDSet, true},
		{"too many links", func(t *testing.T, d string) { le32(t, seg(d, dataFile), 0, 33) }, "graph", IDGraph, true},
		{"link to nowhere", func(t *testing.T, d string) { le32(t, seg(d, dataFile), 4, 1000) }, "graph", IDGraph, true},
		{"NaN", func(t *testing.T, d string) { le32(t, seg(d, dataFile), 132+4, 0x7fc00000) }, "graph", IDGraph, true},
		{"infinity", func(t *testing.T, d string) { le32(t, seg(d, dataFile), 132+4*63, 0xff800000) }, "graph", IDGraph, true},
		{"label twice", func(t *testing.T, d string) {
			b := read(t, seg(d, dataFile))
			copy(b[elementSize-8:elementSize], b[2*elementSize-8:2*elementSize])
			write(t, seg(d, dataFile), b)
		}, "graph", IDGraph, true},
		{"label unknown", func(t *testing.T, d string) { le64(t, seg(d, dataFile), elementSize-8, 77777) }, "graph", IDGraph, true},
		{"element deleted", func(t *testing.T, d string) {
			b := read(t, seg(d, dataFile))
			b[2] |= 1
			write(t, seg(d, dataFile), b)
		}, "graph", IDGraph, true},
		{"lost vectors", func(t *testing.T, d string) {
			execSQL(t, d, "DELETE FROM embeddings_queue WHERE seq_id = 1200")
		}, "replay", IDSet, true},
		{"files older than the last sequence number", func(t *testing.T, d string) {
			execSQL(t, d, "UPDATE max_seq_id SET seq_id = 1250 WHERE segment_id = '"+segChunks+"'")
		}, "replay", IDSet, true},
		{"files older, and the queue purged", func(t *testing.T, d string) {
			execSQL(t, d, "UPDATE max_seq_id SET seq_id = 1250 WHERE segment_id = '"+segChunks+"'", "DELETE FROM embeddings_queue WHERE seq_id < 1250")
		}, "replay", IDSet, true},
		{"ghosts", func(t *testing.T, d string) {
			execSQL(t, d, "DELETE FROM embeddings WHERE embedding_id = 'atocore-chunks-464'")
		}, "replay", IDSet, true},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			dir := recorded(t)
			base := inspect(t, dir, source.None, nil).Facts.Chroma
			c.corrupt(t, dir)
			for _, level := range []source.Level{source.Quick, source.Full} {
				var got manifest.Check
				r := inspect(t, dir, level, base)
				for _, k := range r.Checks {
					if k.Name == c.check {
						got = k
					}
				}
				switch {
				case c.full && level == source.Quick:
					if got.Result == manifest.Failed {
						t.Errorf("Quick finds it too: %+v", got)
					}
				case got.Result != manifest.Failed || got.ID != c.id || got.Detail == "":
					t.Errorf("level %d: check %s is %+v\nall: %+v", level, c.check, got, r.Checks)
				}
			}
		})
	}
}

// A snapshot between the two commits of a write is no damage: the queue brings both sides to the same set.
func TestInspectMetadataBehind(t *testing.T) {
	dir := recorded(t)
	execSQL(t, dir,
		"DELETE FROM embeddings WHERE seq_id = 1250",
		"UPDATE max_seq_id SET seq_id = 1249 WHERE seq_id = 1250",
	)
	r := inspect(t, dir, source.Full, nil)
	for _, c := range r.Checks {
		// The row's text is still in the full-text index and in embedding_metadata: SQLite does not mind.
		if c.Result != manifest.OK {
			t.Errorf("%+v", c)
		}
	}
	if n := r.Facts.Chroma.Collections[2].Count; n != 1250 {
		t.Errorf("%d embeddings with the queue, want 1250", n)
	}
}

func TestInspectOrphans(t *testing.T) {
	dir := recorded(t)
	if err := os.Mkdir(filepath.Join(dir, "0c9a1d2e-0000-4000-8000-000000000000"), 0o700); err != nil {
		t.Fatal(err)
	}
	execSQL(t, dir, "INSERT INTO segments VALUES('loose', 'x', 'VECTOR', 'gone')")
	r := inspect(t, dir, source.Quick, nil)
	last := r.Checks[len(r.Checks)-1]
	if last.Name != "orphans" || last.Result != manifest.OK || !strings.Contains(last.Detail, "0c9a1d2e") || !strings.Contains(last.Detail, "loose") {
		t.Errorf("%+v", last)
	}
}

func TestInspectUnknownSegmentKind(t *testing.T) {
	dir := recorded(t)
	execSQL(t, dir, "UPDATE segments SET type = 'urn:chroma:segment/vector/spann' WHERE id = '"+segChunks+"'")
	for _, c := range inspect(t, dir, source.Full, nil).Checks {
		want := manifest.OK
		if c.Name == "segments" {
			want = manifest.Inconclusive
		}
		if c.Result != want {
			t.Errorf("%+v", c)
		}
	}
}

func TestInspectCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Inspect(ctx, recorded(t), source.Full, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
