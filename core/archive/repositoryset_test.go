package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// pages is a stream of n pages that differ.
func pages(n, size int, of string) []byte {
	var b []byte
	for i := range n {
		b = append(b, page(size, fmt.Sprintf("%s, page %d\n", of, i))...)
	}
	return b
}

func database(content []byte) component {
	return component{name: "db", kind: manifest.SQLite, chunk: 4096, parts: []source.Part{bytesPart("", nil, content, 0)}}
}

func registry(content string) component {
	return component{name: "registry", kind: manifest.File, chunk: 4096, parts: []source.Part{bytesPart("", nil, []byte(content), 0)}}
}

func chroma(t *testing.T, names []string, members map[string][]byte) component {
	return component{name: "chroma", kind: manifest.Chroma, chunk: 4096, parts: tarParts(t, names, members), members: members}
}

func writeRepositories(t *testing.T) {
	if err := os.RemoveAll(repositoryDir); err != nil {
		t.Fatal(err)
	}
	goodRepositories(t)
	badRepositories(t)
}

func goodRepositories(t *testing.T) {
	members := map[string][]byte{
		"b7c1/data_level0.bin": pages(3, 4096, "vectors")[:10000], "b7c1/length.bin": {}, "chroma.sqlite3": pages(2, 4096, "chroma"),
		"long/" + strings.Repeat("ü", 120): []byte("a name that needs a PAX record\n"),
	}
	folded := newBuilder(t, "good-unicode-case")
	folded.snapshot(chroma(t, []string{"\u00c9", "\u00e9"}, map[string][]byte{"\u00c9": []byte("capital\n"), "\u00e9": []byte("small\n")}))
	folded.finish("ok", "names that differ in the case of a letter that is not ASCII")

	names := []string{"b7c1/data_level0.bin", "b7c1/length.bin", "chroma.sqlite3", "long/" + strings.Repeat("ü", 120)}
	first := newBuilder(t, "good-first")
	first.snapshot(database(pages(6, 4096, "db")), registry("{\"projects\": []}\n"), chroma(t, names, members))
	first.finish("ok", "a first snapshot of a database, a file and a Chroma directory")

	inc := newBuilder(t, "good-incremental")
	db := pages(300, 4096, "db")
	inc.snapshot(database(db), registry("{\"projects\": []}\n"), chroma(t, names, members))
	db = append(bytes.Clone(db), pages(2, 4096, "more")...)
	copy(db[4096*7:], page(4096, "changed\n"))
	copy(db[4096*20:], db[:4096])
	grown := map[string][]byte{"a": []byte("new\n"), "b7c1/data_level0.bin": pages(4, 4096, "vectors"), "b7c1/length.bin": {}, "chroma.sqlite3": members["chroma.sqlite3"]}
	inc.snapshot(database(db), registry("{\"projects\": []}\n"), chroma(t, []string{"a", "b7c1/data_level0.bin", "b7c1/length.bin", "chroma.sqlite3"}, grown))
	copy(db[4096*8:], page(4096, "changed again\n"))
	inc.snapshot(database(db[:4096*290]), registry("{\"projects\": [1]}\n"))
	inc.finish("ok", "a patch of inserted, changed, moved and removed chunks on a base; unchanged components name their parent's index; the third snapshot has no Chroma")

	fresh := newBuilder(t, "good-refreshed")
	db = pages(40, 4096, "db")
	fresh.snapshot(database(db))
	copy(db, pages(10, 4096, "second"))
	m := fresh.snapshot(database(db))
	var lost VolumeID
	for _, v := range m.Components[0].Volumes {
		if v.Live == 30*4096 {
			lost, _ = ParseVolumeID(v.ID)
		}
	}
	third := database(db)
	third.refresh = map[VolumeID]int64{lost: 8 * 4096}
	fresh.snapshot(third)
	third.refresh = map[VolumeID]int64{lost: refreshAll}
	m = fresh.snapshot(third)
	for _, v := range m.Components[0].Volumes {
		if v.ID == lost.String() {
			t.Fatal("the lost volume is still leaned on")
		}
	}
	fresh.finish("ok", "chunks of an old volume stored again, first some, then all")

	equal := newBuilder(t, "good-equal-pages")
	db = bytes.Repeat(page(4096, "all pages are alike\n"), 700)
	equal.snapshot(database(db))
	equal.snapshot(database(append(pages(1, 4096, "one"), db...)))
	equal.finish("ok", "700 equal pages: all are stored in a first snapshot, and a second one uses one of them 700 times")

	empty := newBuilder(t, "good-empty")
	empty.snapshot(registry(""))
	empty.snapshot(registry(""))
	empty.snapshot(registry("x"))
	empty.finish("ok", "an empty file, unchanged, then a byte long")

	small := newBuilder(t, "good-page-512")
	small.snapshot(database(pages(21, 512, "db")))
	small.snapshot(database(pages(25, 512, "db")))
	small.finish("ok", "a database with pages of 512 bytes: the last chunk is short")

	large := newBuilder(t, "good-page-65536")
	wide := database(pages(18, 65536, "db"))
	wide.chunk = 65536
	large.snapshot(wide)
	wide = database(append(pages(17, 65536, "db"), page(65536, "last\n")...))
	wide.chunk = 65536
	large.snapshot(wide)
	narrow := database(pages(4, 4096, "vacuumed"))
	large.snapshot(narrow)
	large.finish("ok", "a database with pages of 65536 bytes, two frames long; then with pages of 4096")

	noise := newBuilder(t, "good-incompressible")
	noise.snapshot(database(noiseBytes(5 * 4096)))
	noise.finish("ok", "bytes that do not shrink are stored raw")

	copied := newBuilder(t, "good-copied")
	db = pages(40, 4096, "db")
	from := copied.snapshot(database(db))
	copy(db[4096*7:], page(4096, "changed\n"))
	copied.expect.Reset()
	copied.move(from, copied.snapshot(database(db)))
	copied.finish("ok", "a copied snapshot: its patch, the base of it, and all volumes under its own id")

	ballot := newBuilder(t, "good-ballot")
	id := manifest.ID("20260401T000000Z-deadbeef")
	m = ballot.snapshot(registry("{}\n"))
	data, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	ballot.put(manifest.ManifestKey("vector", m.ID), append(data, "\n\u2014 host+12345678 c2lnbmF0dXJl\n"...))
	ballot.put(manifest.ManifestKey("vector", id), manifest.Tombstone(id))
	note, err := manifest.Note{ID: id, At: m.CapturedAt, Host: "host", Tool: "holdfast vectors", Reason: "shown"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		manifest.IntentKey("vector", id), manifest.ExpiredKey("vector", m.ID, 1), manifest.PinKey("vector", m.ID, "01234567"),
		manifest.DamagedKey("vector", id, "db-00000.zst"), "vector/foreign.txt", "vector/manifests/.upload-1", "README",
	} {
		ballot.put(key, note)
	}
	ballot.put(manifest.VerdictKey("vector", m.ID, 1), []byte(manifest.Keep))
	ballot.finish("ok", "a signed manifest among a tombstone, marks, and files that do not belong there")
}

func noiseBytes(n int) []byte { return noise(n, "repository") }

// badRepositories writes repositories that a reader must not restore from, and a damaged one that it may.
func badRepositories(t *testing.T) {
	one := func(name, comment string, change func(b *builder, m *manifest.Manifest)) {
		b := newBuilder(t, "bad-"+name)
		m := b.snapshot(database(pages(6, 4096, "db")))
		change(b, m)
		b.expect.Reset()
		b.finish("no", comment)
	}
	volume := func(m *manifest.Manifest) string { return m.Components[0].Volumes[0].Key }
	rewrite := func(b *builder, key string, change func([]byte) []byte) {
		path := filepath.Join(b.dir, "repository", key)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b.put(key, change(data))
	}
	edit := func(b *builder, m *manifest.Manifest, old, with string) {
		rewrite(b, manifest.ManifestKey("vector", m.ID), func(d []byte) []byte { return replaceOnce(d, []byte(old), []byte(with)) })
	}
	again := func(b *builder, m *manifest.Manifest) {
		data, err := manifest.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		b.put(manifest.ManifestKey("vector", m.ID), data)
	}
	one("volume-flipped", "a bit of a volume flipped", func(b *builder, m *manifest.Manifest) {
		rewrite(b, volume(m), func(d []byte) []byte { return flip(d, len(d)/2) })
	})
	one("volume-truncated", "a volume without its last byte", func(b *builder, m *manifest.Manifest) {
		rewrite(b, volume(m), func(d []byte) []byte { return d[:len(d)-1] })
	})
	one("volume-missing", "no volume", func(b *builder, m *manifest.Manifest) {
		os.Remove(filepath.Join(b.dir, "repository", volume(m)))
	})
	one("index-flipped", "a bit of the index flipped", func(b *builder, m *manifest.Manifest) {
		rewrite(b, m.Components[0].Index[0].Key, func(d []byte) []byte { return flip(d, len(d)/2) })
	})
	one("index-missing", "no index", func(b *builder, m *manifest.Manifest) {
		os.Remove(filepath.Join(b.dir, "repository", m.Components[0].Index[0].Key))
	})
	one("manifest-edited", "a word of the manifest changed into one that is not canonical", func(b *builder, m *manifest.Manifest) {
		edit(b, m, `"host": "host"`, `"host":  "host"`)
	})
	one("manifest-flipped", "a manifest in which one digit of a size is another", func(b *builder, m *manifest.Manifest) {
		edit(b, m, `"frozen_ms": 1`, `"frozen_ms": 3`)
	})
	one("manifest-moved", "a manifest under another snapshot's key", func(b *builder, m *manifest.Manifest) {
		data, _ := manifest.Encode(m)
		os.Remove(filepath.Join(b.dir, "repository", manifest.ManifestKey("vector", m.ID)))
		b.put(manifest.ManifestKey("vector", m.ID[:len(m.ID)-1]+"0"), data)
	})
	one("manifest-foreign", "a manifest of another repository", func(b *builder, m *manifest.Manifest) {
		m.Repository = strings.Repeat("0", 32)
		again(b, m)
	})
	one("stream-hash", "a manifest with another hash of the stream than the index", func(b *builder, m *manifest.Manifest) {
		m.Components[0].SHA256 = strings.Repeat("0", 64)
		again(b, m)
	})
	one("requires", "a repository that requires what this version does not know", func(b *builder, _ *manifest.Manifest) {
		rewrite(b, manifest.MarkerKey, func(d []byte) []byte {
			return replaceOnce(d, []byte(`"ballot-1"`), []byte(`"ballot-1","dictionary-1"`))
		})
	})
	one("marker-missing", "no marker", func(b *builder, _ *manifest.Manifest) {
		os.Remove(filepath.Join(b.dir, "repository", manifest.MarkerKey))
	})
	one("volume-unnamed", "the index leans on a volume that the manifest names by another id", func(b *builder, m *manifest.Manifest) {
		m.Components[0].Volumes[0].ID = strings.Repeat("0", 16)
		again(b, m)
	})
	one("chunk-id", "an index with another id for a chunk, and a manifest with that index's hash", func(b *builder, m *manifest.Manifest) {
		b.reindex(m, func(r *Recipe) { flipEntry(t, r, 2) })
	})
	one("stream-order", "an index with two chunks exchanged: every chunk has its id, and the stream another hash", func(b *builder, m *manifest.Manifest) {
		b.reindex(m, func(r *Recipe) { exchangeEntries(t, r, 2, 3) })
	})
	one("frame-beyond", "an index with a frame that ends behind its volume", func(b *builder, m *manifest.Manifest) {
		b.reindex(m, func(r *Recipe) { r.Frames[0].Stored += 100 })
	})
	hostileTars(t)

	b := newBuilder(t, "damaged-volume-appended")
	m := b.snapshot(database(pages(6, 4096, "db")))
	rewrite(b, volume(m), func(d []byte) []byte { return append(d, 0) })
	b.finish("restorable", "a byte behind a volume: its hash is wrong, and every chunk is right")
}

// reindex writes an index that does not tell the truth, and the manifest that names it.
func (b *builder) reindex(m *manifest.Manifest, change func(*Recipe)) {
	r := b.readBack(m.Components[0])
	defer r.Close()
	change(r)
	m.Components[0].Index = b.index(m, "db", r, nil)
	data, err := manifest.Encode(m)
	if err != nil {
		b.t.Fatal(err)
	}
	b.put(manifest.ManifestKey(m.Set, m.ID), data)
}

// move makes m what a copy of it would be: what it took from its parent lies under its own id, and the parent is gone.
func (b *builder) move(parent, m *manifest.Manifest) {
	c := &m.Components[0]
	rename := func(old, key string) string {
		data, err := os.ReadFile(filepath.Join(b.dir, "repository", old))
		if err != nil {
			b.t.Fatal(err)
		}
		b.put(key, data)
		return key
	}
	c.Index[1].Key = rename(c.Index[1].Key, manifest.BaseKey(m.Set, m.ID, c.Name, false))
	for i := range c.Volumes {
		if v := &c.Volumes[i]; !strings.HasPrefix(v.Key, manifest.ArchivePrefix(m.Set, m.ID)) {
			v.Key = rename(v.Key, manifest.VolumeKey(m.Set, m.ID, c.Name, len(c.Volumes)-1, false))
		}
	}
	for _, gone := range []string{manifest.ArchivePrefix(m.Set, parent.ID), manifest.ManifestKey(m.Set, parent.ID)} {
		if err := os.RemoveAll(filepath.Join(b.dir, "repository", gone)); err != nil {
			b.t.Fatal(err)
		}
	}
	m.Origin = &manifest.Origin{Repository: strings.Repeat("0", 32), ID: string(m.ID), ManifestSHA256: strings.Repeat("0", 64)}
	data, err := manifest.Encode(m)
	if err != nil {
		b.t.Fatal(err)
	}
	b.put(manifest.ManifestKey(m.Set, m.ID), data)
}

func flipEntry(t *testing.T, r *Recipe, i int64) {
	if _, err := r.file.WriteAt([]byte{0}, i*entrySize); err != nil {
		t.Fatal(err)
	}
}

func exchangeEntries(t *testing.T, r *Recipe, i, j int64) {
	a, b := make([]byte, entrySize), make([]byte, entrySize)
	for _, err := range []error{at(r.file.ReadAt(a, i*entrySize)), at(r.file.ReadAt(b, j*entrySize)), at(r.file.WriteAt(b, i*entrySize)), at(r.file.WriteAt(a, j*entrySize))} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func at(_ int, err error) error { return err }

// hostileTars writes repositories whose every hash is right, and whose tar must not be unpacked.
func hostileTars(t *testing.T) {
	for name, headers := range map[string][]tar.Header{
		"parent":    {{Name: "../evil", Typeflag: tar.TypeReg}},
		"inner":     {{Name: "a/../../evil", Typeflag: tar.TypeReg}},
		"absolute":  {{Name: "/tmp/evil", Typeflag: tar.TypeReg}},
		"dot":       {{Name: "./evil", Typeflag: tar.TypeReg}},
		"control":   {{Name: "a\nb", Typeflag: tar.TypeReg}},
		"symlink":   {{Name: "evil", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}},
		"hardlink":  {{Name: "a", Typeflag: tar.TypeReg}, {Name: "evil", Linkname: "a", Typeflag: tar.TypeLink}},
		"device":    {{Name: "evil", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
		"fifo":      {{Name: "evil", Typeflag: tar.TypeFifo}},
		"directory": {{Name: "evil/", Typeflag: tar.TypeDir}},
		"twice":     {{Name: "a", Typeflag: tar.TypeReg}, {Name: "a", Typeflag: tar.TypeReg}},
		"backslash": {{Name: "a\\b", Typeflag: tar.TypeReg}},
		"c1":        {{Name: "a\u0085b", Typeflag: tar.TypeReg}},
		"element":   {{Name: strings.Repeat("e", 256), Typeflag: tar.TypeReg}},
		"case-dir":  {{Name: "a/b", Typeflag: tar.TypeReg}, {Name: "A/c", Typeflag: tar.TypeReg}},
		"case":      {{Name: "a", Typeflag: tar.TypeReg}, {Name: "A", Typeflag: tar.TypeReg}},
		"prefix":    {{Name: "a", Typeflag: tar.TypeReg}, {Name: "a/b", Typeflag: tar.TypeReg}},
	} {
		var stream bytes.Buffer
		w := tar.NewWriter(&stream)
		for _, h := range headers {
			h.Mode, h.ModTime = 0o600, time.Unix(1775880000, 0)
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b := newBuilder(t, "bad-tar-"+name)
		b.snapshot(component{name: "chroma", kind: manifest.Chroma, chunk: 4096, parts: []source.Part{bytesPart("", nil, stream.Bytes(), 0)}})
		b.expect.Reset()
		b.finish("no", "a tar with a hostile member")
	}
}
