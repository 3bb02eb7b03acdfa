package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// The refresh rules are held to what they promise by a model: chunks have places and no bytes. A frame
// holds 256 chunks of 4 KiB and is stored at a third of its size.

const (
	simChunk  = 4096
	simFrame  = FrameRaw / simChunk
	simStored = FrameRaw / 3
)

type simVolume struct {
	raw, live int64 // chunks
	first     int   // its first frame
}

type simulation struct {
	t       *testing.T
	at      []int // chunk of the stream -> where it is stored, counted over all volumes
	volumes []simVolume
	frames  []int // stored frame -> volume
	used    []int // stored frame -> chunks in use
	chunks  int   // stored so far
}

func (s *simulation) stream() int64 { return int64(len(s.at)) * simChunk }

func (s *simulation) frameOf(place int) int { return place / simFrame }

// size is a volume's stored size.
func (s *simulation) size(v simVolume) int64 { return v.raw * simStored / simFrame }

// snapshot stores the changed chunks, and those of volumes to be refreshed, and returns how many.
func (s *simulation) snapshot(changed []bool) int {
	var volumes []ParentVolume
	for i, v := range s.volumes {
		if v.live > 0 {
			volumes = append(volumes, ParentVolume{ID: simID(i), Size: s.size(v), Raw: v.raw * simChunk, Live: v.live * simChunk})
		}
	}
	budget := Refresh(volumes, s.stream())
	left := make([]int64, len(s.volumes))
	for i := range s.volumes {
		left[i] = budget[simID(i)]
	}
	s.chunks = (s.chunks + simFrame - 1) / simFrame * simFrame // a snapshot begins a frame and a volume
	first, stored := s.chunks, 0
	most := int(VolumeSize(s.stream()) / simStored)
	for i := range s.at {
		old := s.at[i]
		if old >= 0 {
			v := s.frames[s.frameOf(old)]
			switch {
			case changed[i]: // changed is nil only for the first snapshot, which has nothing old
			case left[v] > 0:
				left[v] -= simChunk
			default:
				continue
			}
			s.volumes[v].live--
			s.used[s.frameOf(old)]--
		}
		if n := s.frameOf(s.chunks); n == len(s.frames) {
			if last := len(s.volumes) - 1; s.chunks == first || n-s.volumes[last].first == most {
				s.volumes = append(s.volumes, simVolume{first: n})
			}
			s.frames, s.used = append(s.frames, len(s.volumes)-1), append(s.used, 0)
		}
		f := s.frameOf(s.chunks)
		s.at[i] = s.chunks
		s.used[f]++
		v := &s.volumes[s.frames[f]]
		v.raw++
		v.live++
		s.chunks++
		stored++
	}
	return stored
}

func simID(i int) VolumeID { return VolumeID{byte(i >> 16), byte(i >> 8), byte(i)} }

// restore is how many raw bytes a restore reads: all of every frame that holds a live chunk.
func (s *simulation) restore() (bytes int64, volumes int) {
	for _, n := range s.used {
		if n > 0 {
			bytes += FrameRaw
		}
	}
	for _, v := range s.volumes {
		if v.live > 0 {
			volumes++
		}
	}
	return bytes, volumes
}

func newSimulation(t *testing.T, stream int64) *simulation {
	s := &simulation{t: t, at: make([]int, stream/simChunk)}
	for i := range s.at {
		s.at[i] = -1
	}
	s.snapshot(nil)
	return s
}

// TestRefreshAfterManyNights: 5% of a store of 1 GiB change each night, anywhere or in two thirds of it.
func TestRefreshAfterManyNights(t *testing.T) {
	for _, spread := range []float64{1, 0.2} {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		s := newSimulation(t, 1<<30)
		n := len(s.at)
		var worst, late, most float64 // of all nights, of those from the 100th on, stored in a night
		var volumes int
		for night := 1; night <= 200; night++ {
			changed := make([]bool, n)
			for left := n / 20; left > 0; {
				if i := rng.IntN(int(float64(n) * spread)); !changed[i] {
					changed[i] = true
					left--
				}
			}
			stored := s.snapshot(changed)
			most = max(most, float64(stored)/float64(n))
			read, v := s.restore()
			ratio := float64(read) / float64(s.stream())
			worst, volumes = max(worst, ratio), max(volumes, v)
			if night >= 100 {
				late = max(late, ratio)
			}
		}
		t.Logf("seed %d, changes in %.0f%%: a restore reads %.2f times the live bytes, at worst, in the first nights, %.2f; at most %d volumes; a night stores at most %.1f%%",
			seed, 100*spread, late, worst, volumes, 100*most)
		if late > 1.6 || worst > 1.8 {
			t.Errorf("seed %d: a restore reads %.2f, at worst %.2f times the live bytes", seed, late, worst)
		}
		if most > 0.105 {
			t.Errorf("seed %d: a night stores %.1f%% of the stream", seed, 100*most)
		}
	}
}

// TestManifestStaysSmall: 9,000 snapshots that each change a few pages of three components.
func TestManifestStaysSmall(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	sims := []*simulation{newSimulation(t, 32<<20), newSimulation(t, 256<<10), newSimulation(t, 8<<20)}
	var largest int
	for n := 1; n <= 9000; n++ {
		for _, s := range sims {
			changed := make([]bool, len(s.at))
			for range 1 + rng.IntN(5) {
				changed[rng.IntN(len(s.at))] = true
			}
			s.snapshot(changed)
		}
		if n%50 == 0 || n > 8900 {
			largest = max(largest, encodedSize(t, sims))
		}
	}
	t.Logf("seed %d: the largest manifest has %d bytes", seed, largest)
	if largest >= 64<<10 {
		t.Errorf("seed %d: a manifest has %d bytes", seed, largest)
	}
}

// encodedSize is the size of a manifest that names what the simulations lean on.
func encodedSize(t *testing.T, sims []*simulation) int {
	id := manifest.ID("20260411T094646Z-7f3a9c01")
	sum := sha256.Sum256(nil)
	hash := hex.EncodeToString(sum[:])
	m := &manifest.Manifest{
		Format: 1, Repository: hash[:32], Set: "atocore", ID: id, CapturedAt: time.Date(2026, 4, 11, 9, 46, 46, 123456789, time.UTC),
		Host: "dalidou", Tool: "holdfast 1.0.0", Sequence: 9000, Nonce: hash[:16], Grade: manifest.Good,
	}
	rows := map[string]int64{}
	for i := range 40 {
		rows[fmt.Sprintf("a_table_with_a_name_%d", i)] = 123456
	}
	for i, s := range sims {
		name := []string{"db", "registry", "chroma"}[i]
		c := manifest.Component{
			Name: name, Kind: manifest.SQLite, ChunkSize: 4096, Size: s.stream(), SHA256: hash,
			Index:  []manifest.Object{{Key: manifest.IndexKey("atocore", id, name, false), Size: 12345, SHA256: hash}},
			Facts:  &manifest.Facts{SQLite: &manifest.SQLiteFacts{PageSize: 4096, Journal: "wal", Rows: rows}},
			Checks: []manifest.Check{{Name: "quick_check", Result: manifest.OK}, {Name: "integrity_check", Result: manifest.OK}},
		}
		for n, v := range s.volumes {
			if v.live > 0 {
				c.Volumes = append(c.Volumes, manifest.Volume{
					ID: simID(n).String(), Key: manifest.VolumeKey("atocore", id, name, n, false), Size: max(s.size(v), 1), SHA256: hash, Raw: v.raw * simChunk, Live: v.live * simChunk,
				})
			}
		}
		m.Components = append(m.Components, c)
	}
	b, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// TestSimulationIsFaithful holds the model to its own count: what is live in volumes and frames is the stream.
func TestSimulationIsFaithful(t *testing.T) {
	s := newSimulation(t, 8<<20)
	for n := range 50 {
		changed := make([]bool, len(s.at))
		changed[n], changed[3*n], changed[len(s.at)-1] = true, true, true
		s.snapshot(changed)
		var live int64
		for _, v := range s.volumes {
			live += v.live
		}
		used := 0
		for _, n := range s.used {
			used += n
		}
		places := slices.Clone(s.at)
		slices.Sort(places)
		if live != int64(len(s.at)) || used != len(s.at) || len(slices.Compact(places)) != len(s.at) {
			t.Fatalf("snapshot %d: %d live in volumes, %d in frames, of %d", n, live, used, len(s.at))
		}
	}
}
