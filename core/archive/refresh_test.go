package archive

import (
	"bytes"
	"testing"

	"github.com/atocore/holdfast/core/source"
)

func TestRefresh(t *testing.T) {
	const mib = 1 << 20
	id := func(i int) VolumeID { return VolumeID{byte(i >> 8), byte(i)} }
	many := func(n int, v ParentVolume) (all []ParentVolume) {
		for i := range n {
			v.ID = id(i)
			all = append(all, v)
		}
		return all
	}
	for name, c := range map[string]struct {
		volumes []ParentVolume
		stream  int64
		want    map[VolumeID]int64
	}{
		"none":           {nil, mib, map[VolumeID]int64{}},
		"all live":       {many(3, ParentVolume{Size: mib, Raw: mib, Live: mib}), 3 * mib, map[VolumeID]int64{}},
		"half live":      {many(1, ParentVolume{Size: mib, Raw: mib, Live: mib / 2}), mib, map[VolumeID]int64{}},
		"lost":           {many(1, ParentVolume{Size: mib, Raw: mib, Live: mib, Lost: true}), mib, map[VolumeID]int64{id(0): refreshAll}},
		"less than half": {many(1, ParentVolume{Size: mib, Raw: mib, Live: mib/2 - 1}), mib, map[VolumeID]int64{id(0): mib/2 - 1}},
		"least first, within the budget": {
			[]ParentVolume{{ID: id(0), Size: 32 * mib, Raw: 32 * mib, Live: 12 * mib}, {ID: id(1), Size: 32 * mib, Raw: 32 * mib, Live: 10 * mib}, {ID: id(2), Size: mib, Raw: mib, Live: 1}},
			22 * mib,
			map[VolumeID]int64{id(2): 1, id(1): 10 * mib, id(0): 6*mib - 1},
		},
		"a twentieth of a large stream": {many(1, ParentVolume{Size: 1 << 30, Raw: 1 << 30, Live: 400 * mib}), 2000 * mib, map[VolumeID]int64{id(0): 100 * mib}},
		"65 small volumes and one more": {many(66, ParentVolume{Size: 4096, Raw: 4096, Live: 4096}), 66 * 4096, func() map[VolumeID]int64 {
			m := map[VolumeID]int64{}
			for i := range 66 - 1 - refreshDown {
				m[id(i)] = 4096
			}
			return m
		}()},
		"65 small volumes": {many(65, ParentVolume{Size: 4096, Raw: 4096, Live: 4096}), 65 * 4096, map[VolumeID]int64{}},
	} {
		got := Refresh(c.volumes, c.stream)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d volumes, want %d", name, len(got), len(c.want))
		}
		for v, n := range c.want {
			if got[v] != n {
				t.Errorf("%s: %d bytes of %s, want %d", name, got[v], v, n)
			}
		}
	}
}

// TestRefreshedVolumeDies: a chunk that the stream has many times is stored again wherever it is, or its
// volume would be leaned on for ever.
func TestRefreshedVolumeDies(t *testing.T) {
	s := store{}
	page1, page2 := page(4096, "first\n"), page(4096, "second\n")
	_, first := snapshot(t, s, []source.Part{bytesPart("", nil, append(bytes.Clone(page1), page2...), 0)})
	stream := []source.Part{bytesPart("", nil, append(bytes.Repeat(page1, 50), page2...), 0)}
	_, second := snapshot(t, s, stream, NewParent(first[0], nil))
	old := second[0].Volumes[0]
	if len(second[0].Volumes) != 1 || old != first[0].Volumes[0] {
		t.Fatal("known pages were stored again")
	}
	third, _ := snapshot(t, s, stream, NewParent(second[0], map[VolumeID]int64{old: 8192}))
	if third.Members[0].Live[old] != 0 {
		t.Fatalf("%d bytes of the refreshed volume are still in use", third.Members[0].Live[old])
	}
	half, _ := snapshot(t, s, stream, NewParent(second[0], map[VolumeID]int64{old: 4096}))
	if half.Members[0].Live[old] != 4096 {
		t.Fatalf("%d bytes of the volume are in use, 4096 are left", half.Members[0].Live[old])
	}
}
