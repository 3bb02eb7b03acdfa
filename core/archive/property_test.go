package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/atocore/holdfast/core/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a directory of members that changes from snapshot to snapshot. Contents are made of few
// different blocks, so that equal chunks are common.
type world struct {
	chunk   int
	single  bool // one part without a name, as a database is
	members map[string][]byte
}

func genBlocks(most int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		var b []byte
		for range rapid.IntRange(0, most).Draw(t, "blocks") {
			b = append(b, page(4096, fmt.Sprintf("block %d\n", rapid.IntRange(0, 9).Draw(t, "block")))...)
		}
		return append(b, noise(rapid.SampledFrom([]int{0, 0, 1, 511, 512, 4095}).Draw(t, "rest"), "rest")...)
	})
}

func genWorld() *rapid.Generator[*world] {
	return rapid.Custom(func(t *rapid.T) *world {
		w := &world{chunk: 4096 << rapid.SampledFrom([]int{0, 0, 0, 1, 4}).Draw(t, "chunk"), single: rapid.Bool().Draw(t, "single"), members: map[string][]byte{}}
		for range rapid.IntRange(1, 4).Draw(t, "members") {
			w.members[w.name(t)] = genBlocks(12).Draw(t, "content")
		}
		return w
	})
}

func (w *world) name(t *rapid.T) string {
	if w.single {
		return ""
	}
	return rapid.SampledFrom([]string{"a", "b", "b/c", "d/e/f", "ü", "z"}).Draw(t, "name")
}

// change inserts, removes, grows, cuts or touches a member.
func (w *world) change(t *rapid.T) {
	name := w.name(t)
	content := bytes.Clone(w.members[name])
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0:
		content = genBlocks(12).Draw(t, "content")
	case 1:
		content = append(content[:len(content)/4096*4096], genBlocks(4).Draw(t, "more")...)
	case 2:
		content = content[:len(content)/8192*4096] // half of it
	case 3:
		if !w.single && len(w.members) > 1 {
			delete(w.members, name)
			return
		}
	case 4:
		if n := len(content) / 4096; n > 1 { // two blocks change places
			i, j := rapid.IntRange(0, n-1).Draw(t, "i")*4096, rapid.IntRange(0, n-1).Draw(t, "j")*4096
			kept := bytes.Clone(content[i : i+4096])
			copy(content[i:], content[j:j+4096])
			copy(content[j:], kept)
		}
	case 5:
		if n := len(content) / 4096; n > 0 {
			at := rapid.IntRange(0, n-1).Draw(t, "at") * 4096
			copy(content[at:at+4096], page(4096, fmt.Sprintf("touched %d\n", rapid.IntRange(0, 3).Draw(t, "touch"))))
		}
	}
	w.members[name] = content
}

func (w *world) parts() []source.Part {
	var names []string
	for n := range w.members {
		names = append(names, n)
	}
	slices.Sort(names)
	var parts []source.Part
	for _, n := range names {
		if w.single {
			parts = append(parts, bytesPart("", nil, w.members[n], 0))
			continue
		}
		parts = append(parts, bytesPart(n, page(512, "header of "+n+"\n"), w.members[n], (512-len(w.members[n])%512)%512))
	}
	if !w.single {
		parts = append(parts, source.Part{Header: make([]byte, 1024)})
	}
	return parts
}

// kept is what stays of a snapshot: its index objects and the volumes that it needs.
type kept struct {
	full, patch []byte // patch may be nil
	size        int64
	chunk       int
	recipe      *Recipe
}

// TestChains packs random chains of snapshots for a group of up to three parents, writes full indexes
// and patches, reads them back, and compares streams, live bytes and Same with what brute force says.
func TestChains(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld().Draw(t, "world")
		s := store{}
		raw := map[VolumeID]int64{}
		heads := make([]*kept, rapid.IntRange(1, 3).Draw(t, "members"))
		defer func() {
			for _, h := range heads {
				if h != nil {
					h.recipe.Close()
				}
			}
		}()
		for n := range rapid.IntRange(1, 5).Draw(t, "snapshots") {
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				w.change(t)
			}
			parts := w.parts()
			parents := make([]*Parent, len(heads))
			for i, h := range heads {
				if h != nil && rapid.IntRange(0, 9).Draw(t, "alone") > 0 {
					parents[i] = NewParent(h.recipe, drawRefresh(t, h.recipe))
				}
			}
			p, err := Pack(t.Context(), parts, w.chunk, parents, PackOptions{Scratch: dir, Workers: 2, Rand: chacha(fmt.Sprint(n, len(s))), Emit: s.emitCounting(raw)})
			if err != nil {
				t.Fatal(err)
			}
			want := streamOf(parts)
			if p.SHA256 != sha256.Sum256(want) || p.Size != int64(len(want)) {
				t.Fatal("the stream's hash or size is wrong")
			}
			for i, m := range p.Members {
				checkLive(t, m, raw)
				checkSame(t, m, parents[i])
				next := writeBoth(t, dir, m.Recipe, heads[i], parents[i] != nil)
				got := make(buffer, len(want))
				if err := Read(t.Context(), next.recipe, ReadOptions{Open: s.open, To: got, Workers: 2}); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Fatal("the stream came back changed")
				}
				checkRanges(t, next.recipe, s, want)
				checkParts(t, next.recipe, w)
				if heads[i] != nil {
					heads[i].recipe.Close()
				}
				heads[i] = next
			}
			p.Close()
		}
	})
}

// drawRefresh lets some bytes of some volumes count as unknown.
func drawRefresh(t *rapid.T, r *Recipe) map[VolumeID]int64 {
	plan := map[VolumeID]int64{}
	for _, v := range r.Volumes {
		if n := rapid.SampledFrom([]int64{0, 0, 0, 1, 5000, 20000, refreshAll}).Draw(t, "refresh"); n > 0 {
			plan[v] = n
		}
	}
	return plan
}

// writeBoth writes a full index and, on a parent, a patch, and reads back the one that the chain goes on with.
func writeBoth(t *rapid.T, dir string, r *Recipe, head *kept, onParent bool) *kept {
	next := &kept{size: r.Size, chunk: r.ChunkSize}
	next.full = indexBytes(t, dir, r, nil)
	recipe, err := ReadIndex(dir, bytes.NewReader(next.full), nil, nil, Limits{ChunkSize: r.ChunkSize, Size: r.Size})
	if err != nil {
		t.Fatal(err)
	}
	next.recipe = recipe
	checkEqual(t, recipe, r)
	if !onParent || r.Base() == nil {
		return next
	}
	if *r.Base() != *head.recipe.Base() {
		t.Fatal("the recipe rests on another base than its parent")
	}
	patch := indexBytes(t, dir, r, r.Base())
	base, err := ReadIndex(dir, bytes.NewReader(head.full), nil, nil, Limits{ChunkSize: head.chunk, Size: BaseLimit(r.Size)})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	sum := sha256.Sum256(head.full)
	patched, err := ReadIndex(dir, bytes.NewReader(patch), base, &sum, Limits{ChunkSize: r.ChunkSize, Size: r.Size})
	if err != nil {
		t.Fatal(err)
	}
	checkEqual(t, patched, r)
	if rapid.Bool().Draw(t, "patch") { // the chain goes on with the patch on the old base
		next.recipe.Close()
		next.recipe, next.patch, next.full = patched, patch, head.full
		return next
	}
	patched.Close()
	return next
}

func indexBytes(t *rapid.T, dir string, r *Recipe, base *Base) []byte {
	x, err := WriteIndex(dir, r, base)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	b, err := io.ReadAll(io.NewSectionReader(x, 0, x.Size))
	if err != nil || sha256.Sum256(b) != x.SHA256 {
		t.Fatalf("an index of another hash: %v", err)
	}
	return b
}

// fataler is what tests, fuzz targets and rapid's checks have in common.
type fataler interface {
	Fatal(...any)
}

// entries are a recipe's, with volumes and offsets in place of its own numbers.
func entries(t fataler, r *Recipe) []string {
	var all []string
	if err := r.each(func(_ int64, e Entry) error {
		f := r.Frames[e.Frame]
		all = append(all, fmt.Sprint(e.ID, e.At, e.Length, e.Offset, r.Volumes[f.Volume], f.Offset, f.Stored, f.Raw))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func checkEqual(t fataler, got, want *Recipe) {
	if got.Size != want.Size || got.SHA256 != want.SHA256 || !slices.Equal(got.Parts, want.Parts) || !slices.Equal(entries(t, got), entries(t, want)) {
		t.Fatal("an index came back as another recipe")
	}
}

// checkLive counts the bytes of a member's chunks, each stored chunk once.
func checkLive(t *rapid.T, m Member, raw map[VolumeID]int64) {
	seen := map[string]bool{}
	want := map[VolumeID]int64{}
	if err := m.Recipe.each(func(_ int64, e Entry) error {
		f := m.Recipe.Frames[e.Frame]
		v := m.Recipe.Volumes[f.Volume]
		if place := fmt.Sprint(v, f.Offset, e.Offset); !seen[place] {
			seen[place] = true
			want[v] += int64(e.Length)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(m.Recipe.Volumes) || len(want) != len(m.Live) {
		t.Fatalf("%d volumes, %d with live bytes, %d in use", len(m.Recipe.Volumes), len(m.Live), len(want))
	}
	for v, n := range want {
		if m.Live[v] != n || n > raw[v] {
			t.Fatalf("volume %s: %d live, counted %d, raw %d", v, m.Live[v], n, raw[v])
		}
	}
}

// checkSame: Same if and only if the parent's index could be named again.
func checkSame(t *rapid.T, m Member, parent *Parent) {
	want := parent != nil && parent.recipe.ChunkSize == m.Recipe.ChunkSize &&
		slices.Equal(entries(t, parent.recipe), entries(t, m.Recipe)) && slices.Equal(parent.recipe.Parts, m.Recipe.Parts)
	if m.Same != want {
		t.Fatalf("same is %v, want %v", m.Same, want)
	}
}

func checkRanges(t *rapid.T, r *Recipe, s store, want []byte) {
	if r.Chunks() == 0 {
		return
	}
	from := rapid.Int64Range(0, r.Chunks()-1).Draw(t, "from")
	end := rapid.Int64Range(from+1, r.Chunks()).Draw(t, "end")
	c := r.cursor()
	first, err1 := c.at(from)
	last, err2 := c.at(end - 1)
	got := make(buffer, last.At+int64(last.Length)-first.At)
	err3 := Read(t.Context(), r, ReadOptions{Open: s.open, To: got, From: from, End: end, Workers: 1})
	if err1 != nil || err2 != nil || err3 != nil || !bytes.Equal(got, want[first.At:last.At+int64(last.Length)]) {
		t.Fatalf("chunks %d to %d: %v %v %v", from, end, err1, err2, err3)
	}
}

func checkParts(t *rapid.T, r *Recipe, w *world) {
	if w.single {
		if len(r.Parts) != 0 {
			t.Fatal("a stream without members has parts")
		}
		return
	}
	if len(r.Parts) != len(w.members) {
		t.Fatalf("%d parts of %d members", len(r.Parts), len(w.members))
	}
	for _, p := range r.Parts {
		if p.Size != int64(len(w.members[p.Name])) || p.Skip != 512 {
			t.Fatalf("part %+v of %d bytes", p, len(w.members[p.Name]))
		}
	}
}

// TestZstdOpensArchive: without a parent the volumes are the stream, for the zstd program too.
func TestZstdOpensArchive(t *testing.T) {
	equal := bytes.Repeat(page(4096, "equal pages\n"), 2000)
	parts := []source.Part{
		bytesPart("a", page(512, "header\n"), noise(700_001, "a"), 512-700_001%512),
		bytesPart("b", page(512, "header\n"), equal, 0),
		{Header: make([]byte, 1024)},
	}
	s := store{}
	var order []VolumeID
	p, err := Pack(t.Context(), parts, 4096, []*Parent{nil}, PackOptions{
		Scratch: t.TempDir(), Workers: 2, Rand: chacha("zstd"), Emit: func(ctx context.Context, v *Volume) error {
			order = append(order, v.ID)
			return s.emit(ctx, v)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	var archive bytes.Buffer
	for _, v := range order {
		archive.Write(s[v])
	}
	zstd := exec.Command("zstd", "-dc")
	zstd.Stdin, zstd.Stderr = &archive, os.Stderr
	got, err := zstd.Output()
	if err != nil || !bytes.Equal(got, streamOf(parts)) {
		t.Fatalf("zstd gave %d bytes: %v", len(got), err)
	}
	if p.Raw != p.Size || !strings.HasPrefix(string(got), "header\n") {
		t.Fatalf("%d of %d bytes were stored", p.Raw, p.Size)
	}
}
