package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

const repositoryDir = "testdata/repositories"

// builder writes a repository as a local target would hold it, with fixed randomness and clock.
type builder struct {
	t        *testing.T
	dir      string // of the vector; the repository is below it
	rand     io.Reader
	sequence int64
	expect   bytes.Buffer
	prev     map[string]*built
}

// built is what a snapshot's successor needs to know of one component.
type built struct {
	c      manifest.Component
	recipe *Recipe
}

// chacha is a reader of fixed randomness.
func chacha(seed string) io.Reader { return mrand.NewChaCha8(sha256.Sum256([]byte(seed))) }

const vectorRepository = "00112233445566778899aabbccddeeff"

func newBuilder(t *testing.T, name string) *builder {
	b := &builder{t: t, dir: filepath.Join(repositoryDir, name), rand: chacha(name), prev: map[string]*built{}}
	b.put(manifest.MarkerKey, manifest.NewMarker(vectorRepository).Encode())
	return b
}

func (b *builder) put(key string, data []byte) {
	b.t.Helper()
	path := filepath.Join(b.dir, "repository", filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// finish writes what a reader must find: "ok", "restorable" or "no", a comment, and for each file its hash and size.
func (b *builder) finish(expect, comment string) {
	head := fmt.Sprintf("expect: %s\ncomment: %s\n\n", expect, comment)
	if err := os.WriteFile(filepath.Join(b.dir, "expect.txt"), append([]byte(head), b.expect.Bytes()...), 0o644); err != nil {
		b.t.Fatal(err)
	}
	for _, p := range b.prev {
		p.recipe.Close()
	}
}

// component is what a snapshot captures under a name.
type component struct {
	name    string
	kind    manifest.Kind
	chunk   int
	parts   []source.Part
	members map[string][]byte // of a tar
	refresh map[VolumeID]int64
	alone   bool // it has no parent
}

// snapshot adds a snapshot, whose parent is the one before, and returns its manifest.
func (b *builder) snapshot(components ...component) *manifest.Manifest {
	b.t.Helper()
	b.sequence++
	at := time.Date(2026, 4, 10+int(b.sequence), 2, 0, 0, 0, time.UTC)
	id, err := manifest.NewID(at, b.rand)
	if err != nil {
		b.t.Fatal(err)
	}
	var nonce [8]byte
	io.ReadFull(b.rand, nonce[:])
	m := &manifest.Manifest{
		Format: 1, Repository: vectorRepository, Set: "vector", ID: id, CapturedAt: at, Host: "host", Tool: "holdfast vectors",
		Sequence: b.sequence, Nonce: hex.EncodeToString(nonce[:]), Grade: manifest.Good,
	}
	for _, c := range components {
		m.Components = append(m.Components, b.component(m, c))
	}
	data, err := manifest.Encode(m)
	if err != nil {
		b.t.Fatal(err)
	}
	b.put(manifest.ManifestKey(m.Set, m.ID), data)
	return m
}

func (b *builder) component(m *manifest.Manifest, in component) manifest.Component {
	b.t.Helper()
	var parent *Parent
	prev := b.prev[in.name]
	if prev != nil && !in.alone {
		parent = NewParent(prev.recipe, in.refresh)
	}
	volumes := map[VolumeID]manifest.Volume{}
	if prev != nil {
		for _, v := range prev.c.Volumes {
			id, _ := ParseVolumeID(v.ID)
			volumes[id] = v
		}
	}
	emit := func(_ context.Context, v *Volume) error {
		data := make([]byte, v.Size)
		v.ReadAt(data, 0)
		key := manifest.VolumeKey(m.Set, m.ID, in.name, v.N, false)
		b.put(key, data)
		volumes[v.ID] = manifest.Volume{ID: v.ID.String(), Key: key, Size: v.Size, SHA256: hex.EncodeToString(v.SHA256[:]), Raw: v.Raw}
		return v.Close()
	}
	p, err := Pack(b.t.Context(), in.parts, in.chunk, []*Parent{parent}, PackOptions{Scratch: b.t.TempDir(), Workers: 2, Rand: b.rand, Emit: emit})
	if err != nil {
		b.t.Fatal(err)
	}
	r := p.Members[0].Recipe
	c := manifest.Component{Name: in.name, Kind: in.kind, ChunkSize: in.chunk, Size: p.Size, SHA256: hex.EncodeToString(p.SHA256[:]), FrozenMS: 1}
	for _, id := range r.Volumes {
		v := volumes[id]
		v.Live = p.Members[0].Live[id]
		c.Volumes = append(c.Volumes, v)
	}
	switch {
	case p.Members[0].Same:
		c.Index = prev.c.Index
	case r.Base() != nil:
		c.Index = append(b.index(m, in.name, r, r.Base()), prev.c.Index[len(prev.c.Index)-1])
	default:
		c.Index = b.index(m, in.name, r, nil)
	}
	fmt.Fprintf(&b.expect, "%x %d %s %s\n", p.SHA256, p.Size, m.ID, in.name)
	for _, name := range slices.Sorted(maps.Keys(in.members)) {
		data := in.members[name]
		fmt.Fprintf(&b.expect, "%x %d %s %s/%s\n", sha256.Sum256(data), len(data), m.ID, in.name, name)
	}
	if prev != nil {
		prev.recipe.Close()
	}
	b.prev[in.name] = &built{c, b.readBack(c)}
	r.Close()
	return c
}

func (b *builder) index(m *manifest.Manifest, name string, r *Recipe, base *Base) []manifest.Object {
	b.t.Helper()
	x, err := WriteIndex(b.t.TempDir(), r, base)
	if err != nil {
		b.t.Fatal(err)
	}
	defer x.Close()
	data := make([]byte, x.Size)
	x.ReadAt(data, 0)
	key := manifest.IndexKey(m.Set, m.ID, name, false)
	b.put(key, data)
	return []manifest.Object{{Key: key, Size: x.Size, SHA256: hex.EncodeToString(x.SHA256[:])}}
}

// readBack reads a component's index as a reader would.
func (b *builder) readBack(c manifest.Component) *Recipe {
	b.t.Helper()
	r, err := readComponentIndex(b.t, filepath.Join(b.dir, "repository"), c)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func readComponentIndex(t *testing.T, dir string, c manifest.Component) (*Recipe, error) {
	object := func(o manifest.Object) []byte {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(o.Key)))
		if sum := sha256.Sum256(data); err != nil || int64(len(data)) != o.Size || hex.EncodeToString(sum[:]) != o.SHA256 {
			t.Fatalf("%s: %d bytes, %v", o.Key, len(data), err)
		}
		return data
	}
	limits := Limits{ChunkSize: c.ChunkSize, Size: c.Size}
	top := bytes.NewReader(object(c.Index[0]))
	if len(c.Index) == 1 {
		return ReadIndex(t.TempDir(), top, nil, nil, limits)
	}
	data := object(c.Index[1])
	base, err := ReadIndex(t.TempDir(), bytes.NewReader(data), nil, nil, Limits{ChunkSize: c.ChunkSize, Size: BaseLimit(c.Size)})
	if err != nil {
		return nil, err
	}
	defer base.Close()
	sum := sha256.Sum256(data)
	return ReadIndex(t.TempDir(), top, base, &sum, limits)
}

// tarParts makes the stream of a Chroma directory; names must be in order.
func tarParts(t *testing.T, names []string, members map[string][]byte) []source.Part {
	t.Helper()
	var parts []source.Part
	for _, name := range names {
		data := members[name]
		var h bytes.Buffer
		if err := tar.NewWriter(&h).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600, ModTime: time.Unix(1775880000, 0)}); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, bytesPart(name, h.Bytes(), data, (512-len(data)%512)%512))
	}
	return append(parts, source.Part{Header: make([]byte, 1024)})
}

// TestRepositories reads every good repository: its indexes, written again, are the same, and its streams
// have the hashes that were noted when it was written.
func TestRepositories(t *testing.T) {
	if *update {
		writeRepositories(t)
	}
	dirs, err := filepath.Glob(repositoryDir + "/good-*")
	if err != nil || len(dirs) < 8 {
		t.Fatalf("%d repositories: %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { readRepository(t, dir) })
	}
}

func readRepository(t *testing.T, dir string) {
	note, err := os.ReadFile(filepath.Join(dir, "expect.txt"))
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "repository/*/manifests/*.json"))
	streams := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		id := manifest.ID(strings.TrimSuffix(filepath.Base(path), ".json"))
		if manifest.IsTombstone(data, id) {
			continue
		}
		m, err := manifest.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Components {
			got := restoreStream(t, filepath.Join(dir, "repository"), c)
			line := fmt.Sprintf("%x %d %s %s\n", sha256.Sum256(got), len(got), id, c.Name)
			if !strings.Contains(string(note), line) {
				t.Errorf("expect.txt does not have %s", line)
			}
			streams++
		}
	}
	if streams == 0 {
		t.Fatal("nothing was read")
	}
}

func restoreStream(t *testing.T, dir string, c manifest.Component) []byte {
	t.Helper()
	r, err := readComponentIndex(t, dir, c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if hex.EncodeToString(r.SHA256[:]) != c.SHA256 || r.Size != c.Size {
		t.Fatalf("%s: the index speaks of another stream", c.Name)
	}
	base := r.Base()
	if len(c.Index) == 1 {
		base = nil
	}
	x, err := WriteIndex(t.TempDir(), r, base)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	stored, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(c.Index[0].Key)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plainIndex(t, io.NewSectionReader(x, 0, x.Size)), plainIndex(t, bytes.NewReader(stored))) {
		t.Errorf("%s: its index, written again, is another", c.Name)
	}
	volumes := map[VolumeID]manifest.Volume{}
	for _, v := range c.Volumes {
		id, _ := ParseVolumeID(v.ID)
		volumes[id] = v
	}
	got := make(buffer, c.Size)
	err = Read(t.Context(), r, ReadOptions{
		To: got, Whole: func(v VolumeID) (size int64, sum [32]byte) {
			hex.Decode(sum[:], []byte(volumes[v].SHA256))
			return volumes[v].Size, sum
		}, All: true,
		Open: func(_ context.Context, v VolumeID, off, n int64) (io.ReadCloser, error) {
			f, err := os.Open(filepath.Join(dir, filepath.FromSlash(volumes[v].Key)))
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{io.NewSectionReader(f, off, n), f}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
