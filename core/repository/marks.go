package repository

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Mark is one expiry mark on a snapshot.
type Mark struct {
	N  int
	At time.Time // when it was put, by the store's own clock; zero: the store does not tell
}

// Standing is what the marks on a snapshot and their verdicts make of it.
type Standing uint8

// A snapshot whose verdict cannot be made out is doubtful, whatever its other marks say: it is nobody's
// parent, and it is not swept.
const (
	Usable   Standing = iota // every mark was answered with keep
	Marked                   // a mark has no verdict yet
	Expired                  // a mark was answered with sweep: its objects may be gone
	Doubtful                 // a verdict is there and is neither word, or cannot be read
)

// String is the standing in one word.
func (s Standing) String() string {
	return [...]string{"usable", "marked", "expired", "doubtful"}[s]
}

// Marks are the expiry marks of a set and what was decided of them, as a listing of each showed it: marks
// first, so that a verdict is never missed for a mark that is seen. They are for one goroutine.
type Marks struct {
	repo     *Repository
	set      string
	marks    map[manifest.ID][]Mark
	verdicts map[manifest.ID]map[int]*verdict
	foreign  []string
}

// verdict is a listed one, and what it says when it was read.
type verdict struct {
	read bool
	says manifest.Verdict // "": neither word
	at   time.Time
}

// Marks lists marks and verdicts. Bodies are read when they are asked for.
func (r *Repository) Marks(ctx context.Context, set string) (*Marks, error) {
	return r.marks(ctx, set, "")
}

// MarksOf is Marks for one snapshot.
func (r *Repository) MarksOf(ctx context.Context, set string, id manifest.ID) (*Marks, error) {
	return r.marks(ctx, set, id)
}

// marks lists those of the one snapshot, or of all when id is "".
func (r *Repository) marks(ctx context.Context, set string, id manifest.ID) (*Marks, error) {
	m := &Marks{repo: r, set: set, marks: map[manifest.ID][]Mark{}, verdicts: map[manifest.ID]map[int]*verdict{}}
	for _, folder := range []manifest.Folder{manifest.Expired, manifest.Verdicts} {
		prefix := manifest.Prefix(set, folder)
		if id != "" {
			prefix += string(id) + "."
		}
		for o, err := range r.Store.List(ctx, prefix, "") {
			if err != nil {
				return nil, err
			}
			m.add(o)
		}
	}
	return m, nil
}

func (m *Marks) add(o target.Object) {
	k, err := manifest.ParseKey(o.Key)
	switch {
	case err != nil:
		m.foreign = append(m.foreign, o.Key)
	case k.Folder == manifest.Expired:
		m.marks[k.ID] = append(m.marks[k.ID], Mark{k.N, o.ModTime})
	default:
		if m.verdicts[k.ID] == nil {
			m.verdicts[k.ID] = map[int]*verdict{}
		}
		m.verdicts[k.ID][k.N] = &verdict{at: o.ModTime}
	}
}

// Of returns the marks on a snapshot, in the order of their keys.
func (m *Marks) Of(id manifest.ID) []Mark { return m.marks[id] }

// Open returns the marks on a snapshot that the listing showed without a verdict.
func (m *Marks) Open(id manifest.ID) (open []Mark) {
	for _, mark := range m.marks[id] {
		if m.verdicts[id][mark.N] == nil {
			open = append(open, mark)
		}
	}
	return open
}

// Each yields the ids that have marks or verdicts, in order: who reads on finds in one way what another run of it
// finds.
func (m *Marks) Each(yield func(manifest.ID) bool) {
	ids := map[manifest.ID]bool{}
	for id := range m.marks {
		ids[id] = true
	}
	for id := range m.verdicts {
		ids[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if !yield(id) {
			return
		}
	}
}

// Keys are the keys of the marks and the verdicts on a snapshot, and when the last of them was put; zero
// when the store does not tell that of one.
func (m *Marks) Keys(id manifest.ID) (keys []string, last time.Time) {
	all := true
	add := func(key string, at time.Time) {
		keys = append(keys, key)
		if all = all && !at.IsZero(); at.After(last) {
			last = at
		}
	}
	for _, mark := range m.marks[id] {
		add(manifest.ExpiredKey(m.set, id, mark.N), mark.At)
	}
	for n, v := range m.verdicts[id] {
		add(manifest.VerdictKey(m.set, id, n), v.at)
	}
	if !all {
		last = time.Time{}
	}
	return keys, last
}

// Standing reads the verdicts on a snapshot. The error is one that says nothing of the verdict itself, such
// as a target out of reach.
func (m *Marks) Standing(ctx context.Context, id manifest.ID) (Standing, error) {
	standing := Usable
	for _, mark := range m.marks[id] {
		v := m.verdicts[id][mark.N]
		if v == nil {
			standing = max(standing, Marked)
			continue
		}
		if err := m.read(ctx, id, mark.N, v); err != nil {
			return Doubtful, err
		}
		switch v.says {
		case manifest.Keep:
		case manifest.Sweep:
			standing = max(standing, Expired)
		default:
			standing = Doubtful
		}
	}
	return standing, nil
}

// Usable reports whether a snapshot may be a parent: its standing is Usable.
func (m *Marks) Usable(ctx context.Context, id manifest.ID) (bool, error) {
	standing, err := m.Standing(ctx, id)
	return standing == Usable, err
}

// Swept reports whether a mark on a snapshot is answered with sweep by now: then its objects may be gone.
func (r *Repository) Swept(ctx context.Context, set string, id manifest.ID) (bool, error) {
	marks, err := r.MarksOf(ctx, set, id)
	if err != nil {
		return false, err
	}
	standing, err := marks.Standing(ctx, id)
	return standing == Expired, err
}

func (m *Marks) read(ctx context.Context, id manifest.ID, n int, v *verdict) error {
	if v.read {
		return nil
	}
	says, err := m.repo.verdict(ctx, m.set, id, n)
	if err != nil {
		return err
	}
	v.read, v.says = true, says
	return nil
}

// verdict reads what was decided of a mark: "" when it cannot be made out, or is gone.
func (r *Repository) verdict(ctx context.Context, set string, id manifest.ID, n int) (manifest.Verdict, error) {
	b, err := r.Store.GetBytes(ctx, manifest.VerdictKey(set, id, n), 64)
	if err != nil && !lost(err) {
		return "", err
	}
	says, err := manifest.DecodeVerdict(b)
	if err != nil {
		return "", nil
	}
	return says, nil
}

// next is the number that the next mark on a snapshot gets.
func (m *Marks) next(id manifest.ID) int {
	n := 0
	for _, mark := range m.marks[id] {
		n = max(n, mark.N)
	}
	for taken := range m.verdicts[id] {
		n = max(n, taken)
	}
	return n + 1
}
