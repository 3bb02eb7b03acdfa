package diff

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
)

// Entries are the entries of a JSON document that changed, in the order of their names. An entry is a
// member of the top-level object, or an element of the top-level array that is an object with a name of its
// own; one that is such an object or array itself is told by its entries, as "projects/atocore".
type Entries struct {
	Added, Removed, Changed []string
	Order                   bool // nothing but the order of elements, layout or escapes differs
}

// compareDocuments returns nil when one is no JSON, or has no entries.
func compareDocuments(a, b []byte) *Entries {
	before, ok := decode(a)
	after, ok2 := decode(b)
	if !ok || !ok2 {
		return nil
	}
	x, y, ok := bothNamed(before, after)
	if !ok {
		return nil
	}
	e := &Entries{Added: []string{}, Removed: []string{}, Changed: []string{}}
	e.compare("", x, y, 1)
	e.Order = len(e.Added)+len(e.Removed)+len(e.Changed) == 0
	for _, list := range [][]string{e.Added, e.Removed, e.Changed} {
		slices.Sort(list)
	}
	return e
}

// compare goes deeper levels down.
func (e *Entries) compare(prefix string, a, b map[string]any, deeper int) {
	for name, before := range a {
		after, ok := b[name]
		if !ok {
			e.Removed = append(e.Removed, prefix+name)
			continue
		}
		if reflect.DeepEqual(before, after) {
			continue
		}
		if x, y, ok := bothNamed(before, after); ok && deeper > 0 {
			e.compare(prefix+name+"/", x, y, deeper-1)
			continue
		}
		e.Changed = append(e.Changed, prefix+name)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			e.Added = append(e.Added, prefix+name)
		}
	}
}

// decode reads one JSON value. Numbers stay as they are written.
func decode(b []byte) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil, false
	}
	return v, !d.More()
}

// bothNamed returns the entries of two values that have some, under names of one kind.
func bothNamed(a, b any) (x, y map[string]any, ok bool) {
	x, ok = a.(map[string]any)
	if ok {
		y, ok = b.(map[string]any)
		return x, y, ok
	}
	before, ok := a.([]any)
	after, ok2 := b.([]any)
	if !ok || !ok2 {
		return nil, nil, false
	}
	for _, key := range []string{"id", "name", "slug"} {
		x, ok = elements(before, key)
		if y, ok2 = elements(after, key); ok && ok2 {
			return x, y, true
		}
	}
	return nil, nil, false
}

// elements returns the elements of a list under what each says of itself at key, unless one says nothing, or
// two say the same.
func elements(list []any, key string) (map[string]any, bool) {
	m := map[string]any{}
	for _, v := range list {
		o, _ := v.(map[string]any)
		name, ok := o[key].(string)
		if !ok {
			return nil, false
		}
		if _, twice := m[name]; twice {
			return nil, false
		}
		m[name] = v
	}
	return m, true
}
