package cleanup_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
)

// A nightly snapshot for years leans on a hundred volumes of those before it.
const leansOn = 130 // volumes: a manifest of 29 KiB

// years fills a repository with nightly snapshots.
func years(t testing.TB, nights int, put func(key string, body []byte), repo string) {
	sum := fmt.Sprintf("%064x", 7)
	id := func(n int) manifest.ID {
		return manifest.ID(noon.AddDate(0, 0, n-nights).Format("20060102T150405Z") + fmt.Sprintf("-%08x", n))
	}
	for n := range nights {
		m := manifest.Manifest{
			Format: manifest.Format, Repository: repo, Set: set, ID: id(n), CapturedAt: id(n).Time(), Host: "h", Tool: "t", Sequence: int64(n + 1),
			Nonce: "0123456789abcdef", Grade: manifest.Good,
			Components: []manifest.Component{{
				Name: "db", Kind: manifest.SQLite, ChunkSize: 4096, Size: 1 << 30, SHA256: sum,
				Index: []manifest.Object{{Key: manifest.IndexKey(set, id(n), "db", false), Size: 1, SHA256: sum}},
			}},
		}
		c := &m.Components[0]
		for v := max(0, n-leansOn+1); v <= n; v++ {
			c.Volumes = append(c.Volumes, manifest.Volume{
				ID: fmt.Sprintf("%016x", v), Key: manifest.VolumeKey(set, id(v), "db", 0, false), Size: 1, SHA256: sum, Raw: 4096, Live: 4096,
			})
		}
		b, err := manifest.Encode(&m)
		if err != nil {
			t.Fatal(err)
		}
		put(manifest.ManifestKey(set, m.ID), b)
		put(c.Index[0].Key, []byte("x"))
		put(manifest.VolumeKey(set, m.ID, "db", 0, false), []byte("x"))
	}
}

// What a cleanup holds of its snapshots is a small part of their manifests, which have 11 MiB here; with 1,000
// of them it is 4.8 MiB of 29.
func TestMemory(t *testing.T) {
	const nights = 400
	w := newWorld(t)
	years(t, nights, w.mem.Set, w.repo.ID)
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := live(), uint64(0)
	r, err := w.run(func(o *cleanup.Options) {
		o.Confirm = false
		o.Plan = func(snapshots []retention.Snapshot, now time.Time) []retention.Decision {
			most = live()
			return retention.Plan(snapshots, retention.Classic(), now)
		}
	})
	if err != nil || len(r.Snapshots) != nights {
		t.Fatalf("%d snapshots, %v", len(r.Snapshots), err)
	}
	if most > before+4<<20 {
		t.Errorf("%d snapshots take %d bytes", nights, most-before)
	}
	most = 0
	v, err := w.repo.View(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for s, err := range w.repo.EachSnapshot(t.Context(), v) {
		if err != nil || s.Manifest == nil {
			t.Fatal(err)
		}
		if n++; n == nights/2 {
			most = live()
		}
	}
	if most > before+4<<20 {
		t.Errorf("the iterator holds %d bytes", most-before)
	}
}

// BenchmarkSurvey is a dry run over a thousand snapshots with a warm cache.
func BenchmarkSurvey(b *testing.B) {
	w := newWorld(b)
	c := warm{}
	years(b, 1000, w.mem.Set, w.repo.ID)
	w.repo.Cache, w.repo.Readers = c, 0
	for _, key := range w.keys("/manifests/") {
		k, err := manifest.ParseKey(key)
		w.check(err)
		c[k.ID], _ = w.mem.Bytes(key)
	}
	for b.Loop() {
		o := w.options()
		o.Confirm = false
		if _, err := cleanup.Run(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// warm is a cache in memory.
type warm map[manifest.ID][]byte

var _ repository.Cache = warm{}

func (c warm) Get(_, _ string, id manifest.ID) []byte { return c[id] }

func (c warm) Put(string, string, manifest.ID, []byte) {}
