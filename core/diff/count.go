package diff

import (
	"cmp"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
)

// count compares what the manifests say of tables and collections.
func (c *Component) count() {
	a, b := c.A.Facts, c.B.Facts
	switch {
	case a == nil || b == nil:
	case a.SQLite != nil && b.SQLite != nil:
		c.Tables = counts(tables(a.SQLite), tables(b.SQLite))
	case a.Chroma != nil && b.Chroma != nil:
		c.Collections = counts(collections(a.Chroma), collections(b.Chroma))
	}
}

// counted is what is counted: a table by its name, a collection by its id. A collection keeps its id when it is renamed.
type counted struct {
	name string
	n    int64
}

func tables(f *manifest.SQLiteFacts) map[string]counted {
	m := map[string]counted{}
	for name, n := range f.Rows {
		m[name] = counted{name, n}
	}
	return m
}

func collections(f *manifest.ChromaFacts) map[string]counted {
	m := map[string]counted{}
	for _, c := range f.Collections {
		m[c.ID] = counted{c.Name, c.Count}
	}
	return m
}

// counts returns what differs, in the order of names and then of ids.
func counts(a, b map[string]counted) (out []Count) {
	add := func(id string, name string, change Change, before, after int64) {
		c := Count{Name: name, Change: change, A: before, B: after}
		if id != name {
			c.ID = id
		}
		out = append(out, c)
	}
	for id, before := range a {
		switch after, ok := b[id]; {
		case !ok:
			add(id, before.name, Removed, before.n, 0)
		case after != before:
			add(id, after.name, Changed, before.n, after.n)
		}
	}
	for id, after := range b {
		if _, ok := a[id]; !ok {
			add(id, after.name, Added, 0, after.n)
		}
	}
	slices.SortFunc(out, func(x, y Count) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID)) })
	return out
}
