package repository_test

import (
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// The same snapshot is known by its origin or by its create, in either direction; another one with the same
// moment, or one that says it is a copy and holds something else, is not.
func TestSame(t *testing.T) {
	base := manifest.Manifest{
		Repository: "a", ID: "20260411T120000Z-00000001", CapturedAt: noon, Host: "h",
		Components: []manifest.Component{{Name: "db", Kind: manifest.File, Size: 1, SHA256: "x"}, {Name: "e", Kind: manifest.File, Size: 1, SHA256: "y"}},
	}
	with := func(change func(*manifest.Manifest)) *manifest.Manifest {
		m := base
		m.Components = append([]manifest.Component{}, base.Components...)
		m.Repository, m.ID = "b", "20260411T120000Z-00000002"
		change(&m)
		return &m
	}
	later := func(m *manifest.Manifest) { m.CapturedAt = noon.Add(time.Nanosecond) }
	copyOf := func(repository, id string) func(*manifest.Manifest) {
		return func(m *manifest.Manifest) {
			later(m)
			m.Origin = &manifest.Origin{Repository: repository, ID: id}
		}
	}
	first := with(copyOf("z", "20200101T000000Z-00000000"))
	imported := with(copyOf("", "20200101T000000Z"))
	for name, c := range map[string]struct {
		a, b *manifest.Manifest
		want bool
	}{
		"the same create":                       {&base, with(func(*manifest.Manifest) {}), true},
		"in another order":                      {&base, with(func(m *manifest.Manifest) { m.Components[0], m.Components[1] = m.Components[1], m.Components[0] }), true},
		"another moment":                        {&base, with(later), false},
		"another host":                          {&base, with(func(m *manifest.Manifest) { m.Host = "i" }), false},
		"another stream":                        {&base, with(func(m *manifest.Manifest) { m.Components[0].SHA256 = "z" }), false},
		"a component less":                      {&base, with(func(m *manifest.Manifest) { m.Components = m.Components[:1] }), false},
		"a copy":                                {&base, with(copyOf("a", string(base.ID))), true},
		"a copy of another":                     {&base, with(copyOf("a", "20260411T120000Z-00000003")), false},
		"copies of one":                         {first, with(func(m *manifest.Manifest) { copyOf("z", "20200101T000000Z-00000000")(m); m.Host = "i" }), true},
		"copies from two targets of one create": {first, with(copyOf("y", "20200101T000000Z-00000001")), true},
		"a copy with other streams":             {&base, with(func(m *manifest.Manifest) { copyOf("a", string(base.ID))(m); m.Components[0].Size = 2 }), false},
		"imported twice":                        {imported, with(copyOf("", "20200101T000000Z")), true},
		"imported of another host":              {imported, with(func(m *manifest.Manifest) { copyOf("", "20200101T000000Z")(m); m.Host = "i" }), false},
	} {
		if repository.Same(c.a, c.b) != c.want || repository.Same(c.b, c.a) != c.want {
			t.Errorf("%s: want %v", name, c.want)
		}
	}
}
