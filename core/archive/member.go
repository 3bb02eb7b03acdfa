package archive

import (
	"slices"

	"github.com/atocore/holdfast/core/source"
)

// memberPlan builds the recipe of one member.
type memberPlan struct {
	parent  *Parent
	recipe  *Recipe
	live    map[VolumeID]int64
	same    bool
	old     []uint32            // parent's frame -> ours, plus one
	volumes map[VolumeID]uint32 // in the recipe
	used    slotSet             // chunks of the parent that are in use
	fresh   []uint32            // stored frame -> ours
	chunks  int64
}

type knownChunk struct {
	ok       bool
	entry    Entry
	position int64
}

func newMemberPlan(parent *Parent, r *Recipe) *memberPlan {
	m := &memberPlan{
		parent: parent, recipe: r, live: map[VolumeID]int64{}, volumes: map[VolumeID]uint32{},
		used: slotSet{}, same: parent != nil,
	}
	if parent != nil {
		r.full = parent.recipe.full
		m.old = make([]uint32, len(parent.recipe.Frames))
	}
	return m
}

func (m *memberPlan) find(part string, at int64, id ID, n int) (k knownChunk, err error) {
	if m.parent == nil {
		return k, nil
	}
	k.entry, k.position, k.ok, err = m.parent.find(part, at, id, n)
	return k, err
}

// reuse notes a chunk that the parent has.
func (m *memberPlan) reuse(id ID, n int, k knownChunk) error {
	from := m.parent.recipe
	if m.old[k.entry.Frame] == 0 {
		f := from.Frames[k.entry.Frame]
		f.Volume = m.volume(from.Volumes[f.Volume])
		m.recipe.Frames = append(m.recipe.Frames, f)
		m.old[k.entry.Frame] = uint32(len(m.recipe.Frames))
	}
	frame := m.old[k.entry.Frame] - 1
	if m.used.add(frame, k.entry.Offset) {
		m.live[m.recipe.Volumes[m.recipe.Frames[frame].Volume]] += int64(n)
	}
	m.same = m.same && k.position == m.chunks
	m.chunks++
	return m.recipe.add(Entry{ID: id, Base: k.entry.Base, Frame: frame, Offset: k.entry.Offset, Length: uint32(n)})
}

// store notes a chunk that goes into the stored frame of that number.
func (m *memberPlan) store(id ID, n, frame, offset int) error {
	for len(m.fresh) <= frame {
		m.recipe.Frames = append(m.recipe.Frames, Frame{})
		m.fresh = append(m.fresh, uint32(len(m.recipe.Frames)-1))
	}
	m.same = false
	m.chunks++
	return m.recipe.add(Entry{ID: id, Base: -1, Frame: m.fresh[frame], Offset: uint32(offset), Length: uint32(n)})
}

// part notes chunks of a named part, whose first is the part's nth.
func (m *memberPlan) part(p source.Part, n int64, chunks int) {
	if p.Name == "" {
		return
	}
	if n == 0 {
		m.recipe.Parts = append(m.recipe.Parts, Part{
			Name: p.Name, First: m.chunks - int64(chunks), Skip: int64(len(p.Header)), Size: p.Size,
		})
	}
	m.recipe.Parts[len(m.recipe.Parts)-1].Count += int64(chunks)
}

func (m *memberPlan) volume(id VolumeID) uint32 {
	n, ok := m.volumes[id]
	if !ok {
		n = uint32(len(m.recipe.Volumes))
		m.volumes[id] = n
		m.recipe.Volumes = append(m.recipe.Volumes, id)
	}
	return n
}

// finish gives the stored frames their places.
func (m *memberPlan) finish(places []placedFrame, packed *Packed) Member {
	for n, frame := range m.fresh {
		at := places[n]
		m.live[at.volume] += int64(at.raw)
		m.recipe.Frames[frame] = Frame{m.volume(at.volume), uint32(at.stored), uint32(at.raw), at.offset}
	}
	m.recipe.SHA256 = packed.SHA256
	same := m.same && m.chunks == m.parent.recipe.count && slices.Equal(m.recipe.Parts, m.parent.recipe.Parts)
	return Member{m.recipe, m.live, same}
}
