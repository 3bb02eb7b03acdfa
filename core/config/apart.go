package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// place is a path that the configuration names, with what it is for.
type place struct {
	what string
	path string
	line int // 0: no line of its own (a default)
}

// places returns what must be apart, each path as resolve gives it.
func (c *Config) places(resolve func(path string) string) []place {
	if resolve == nil {
		resolve = func(p string) string { return p }
	}
	var places []place
	for _, comp := range c.Components {
		path := resolve(comp.Path)
		places = append(places, place{"component " + comp.Name, path, comp.Line})
		if comp.Kind == SQLite {
			for _, suffix := range []string{"-wal", "-shm", "-journal"} {
				places = append(places, place{"component " + comp.Name, path + suffix, comp.Line})
			}
		}
	}
	places = append(places, place{"state_dir", resolve(c.StateDir), 0}, place{"staging_dir", resolve(c.StagingDir), 0})
	for _, t := range c.Targets {
		if path, ok := t.Config["path"].(string); ok && t.Plugin == pluginLocal {
			places = append(places, place{"target " + t.Name, resolve(path), t.Line})
		}
	}
	return places
}

// Conflict says that two paths of a configuration must not overlap.
type Conflict struct {
	A, B         string // what the two are, e.g. `target nas`, `component db`
	PathA, PathB string
	Line         int // where B stands; 0 when neither stands in a file
}

// Error returns what overlaps what.
func (c *Conflict) Error() string {
	how := "lies inside"
	if c.PathA == c.PathB {
		how = "is the same as"
	}
	return fmt.Sprintf("%s (%s) %s %s (%s)", c.A, c.PathA, how, c.B, c.PathB)
}

// Apart returns a *Conflict for every two paths that overlap and must not: a
// target, the state or the staging folder in a component's folder would be
// backed up into itself, and one in another would be taken for its content; two
// targets in one folder are one; a component that is read as a plain file must
// not be a database of another, because closing a plain descriptor drops the
// locks that SQLite holds (sqlite.org/howtocorrupt.html, 2.2).
//
// resolve returns the path to compare instead of the one that is configured:
// nil compares the names as they are, which is all that Parse can do; whoever is
// about to write passes one that resolves symbolic links.
func (c *Config) Apart(resolve func(path string) string) []*Conflict {
	places := c.places(resolve)
	var out []*Conflict
	for i, a := range places {
		for _, b := range places[i+1:] {
			switch {
			case a.what == b.what:
			case a.what == "state_dir" && b.what == "staging_dir" && inside(b.path, a.path) && a.path != b.path: // the default
			case inside(a.path, b.path):
				out = append(out, &Conflict{A: a.what, B: b.what, PathA: a.path, PathB: b.path, Line: max(a.line, b.line)})
			case inside(b.path, a.path):
				out = append(out, &Conflict{A: b.what, B: a.what, PathA: b.path, PathB: a.path, Line: max(a.line, b.line)})
			}
		}
	}
	return slices.CompactFunc(out, func(x, y *Conflict) bool { return x.A == y.A && x.B == y.B })
}

// Beside returns a *Conflict for every local target in the directory of a component's database.
// It works, and is no backup for long: what loses or empties that directory takes the target along.
// resolve is as for Apart.
func (c *Config) Beside(resolve func(path string) string) []*Conflict {
	if resolve == nil {
		resolve = func(p string) string { return p }
	}
	var out []*Conflict
	for _, t := range c.Targets {
		path, ok := t.Config["path"].(string)
		if !ok || t.Plugin != pluginLocal {
			continue
		}
		path = resolve(path)
		for _, comp := range c.Components {
			if dir := filepath.Dir(resolve(comp.Path)); comp.Kind == SQLite && inside(path, dir) && !inside(path, resolve(comp.Path)) {
				out = append(out, &Conflict{A: "target " + t.Name, B: "the directory of component " + comp.Name, PathA: path, PathB: dir, Line: max(t.Line, comp.Line)})
			}
		}
	}
	return out
}

// Within returns what path is or lies in, such as "component db" or "target nas";
// "" when it is in none of the configured places. resolve is as for Apart, and is
// applied to path too.
func (c *Config) Within(path string, resolve func(path string) string) string {
	if resolve != nil {
		path = resolve(path)
	}
	for _, p := range c.places(resolve) {
		if inside(path, p.path) {
			return p.what
		}
	}
	return ""
}

// inside says whether a is b or lies below it. Both are absolute and clean.
func inside(a, b string) bool {
	rel, err := filepath.Rel(b, a)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// apart notes the conflicts that the names alone show.
func (d *decoder) apart(c *Config) {
	for _, x := range c.Apart(nil) {
		d.fail(pos{max(x.Line, 1), 1}, "keep them apart", "%s", x.Error())
	}
}
