package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/retention"
)

// config decodes the whole file.
func (d *decoder) config(root ast.Node) *Config {
	c := &Config{File: d.file, Retention: retention.Classic(), Guard: DefaultGuard()}
	entries, _ := d.mapping(root, "the file")
	var staging string
	seen := d.known(entries, "", "set", "state_dir", "staging_dir", "freeze_timeout", "components", "targets", "retention", "guard")
	for _, e := range entries {
		switch e.key {
		case "set":
			c.Set = d.name(e, manifest.ValidSet, "a set is named with a-z, 0-9 and -, and has at most 40 characters")
		case "state_dir":
			c.StateDir = d.path(e)
		case "staging_dir":
			staging = d.path(e)
		case "freeze_timeout":
			c.FreezeTimeout = d.duration(e, time.Second, time.Hour)
		case "components":
			c.Components = d.components(e)
		case "targets":
			c.Targets = d.targets(e)
		case "retention":
			c.Retention = d.policy(e)
		case "guard":
			c.Guard = d.guard(e)
		}
	}
	for i := range c.Targets {
		if t := &c.Targets[i]; reflect.ValueOf(t.Retention).IsZero() {
			t.Retention = c.Retention
		}
	}
	d.required(seen, pos{1, 1}, "the file", "set", "components", "targets")
	if c.StateDir == "" {
		c.StateDir = filepath.Join(filepath.Dir(d.file), ".holdfast")
	}
	if c.StagingDir = staging; staging == "" {
		c.StagingDir = filepath.Join(c.StateDir, "staging")
	}
	return c
}

func (d *decoder) components(list entry) []Component {
	var out []Component
	for _, n := range d.elements(list) {
		entries, ok := d.mapping(n, "component")
		if !ok {
			continue
		}
		comp := Component{Line: at(n).line}
		var name, format, mode entry
		seen := d.known(entries, "component: ", "name", "kind", "path", "format", "mode", "optional")
		for _, e := range entries {
			switch e.key {
			case "name":
				name, comp.Name = e, d.name(e, manifest.ValidComponent, "a component is named with a-z, 0-9 and _, starts with a letter, and has at most 32 characters")
			case "kind":
				comp.Kind = Kind(d.oneOf(e, string(SQLite), string(File), string(Chroma)))
			case "path":
				comp.Path = d.path(e)
			case "format":
				format, comp.Format = e, d.oneOf(e, FormatJSON)
			case "mode":
				mode, comp.Mode = e, d.mode(e)
			case "optional":
				comp.Optional = d.boolean(e)
			}
		}
		d.required(seen, at(n), "component", "name", "kind", "path")
		if format.key != "" && comp.Kind != File && comp.Kind != "" {
			d.fail(format.at, "remove it", "component %s: format is a key of kind file only", comp.Name)
		}
		if mode.key != "" && comp.Kind != Chroma && comp.Kind != "" {
			d.fail(mode.at, "remove it", "component %s: mode is a key of kind chroma only", comp.Name)
		}
		if comp.Kind == Chroma {
			comp.Mode = ModeCold
		}
		if i := slices.IndexFunc(out, func(o Component) bool { return o.Name == comp.Name }); i >= 0 && comp.Name != "" {
			d.fail(at(name.value), "names are unique", "component %s: the one on line %d has this name", comp.Name, out[i].Line)
		}
		out = append(out, comp)
	}
	return out
}

// mode reads a component's mode. Hot snapshots are part of the format and not
// of this version, so the refusal names what can be done today.
func (d *decoder) mode(e entry) string {
	const hot = "hot"
	v := d.oneOf(e, ModeCold, hot)
	if v == hot {
		d.fail(at(e.value), "use mode cold, and stop writing to Chroma while `holdfast create` runs", "mode hot is not available in this version")
		return ""
	}
	return v
}

func (d *decoder) targets(list entry) []Target {
	var out []Target
	for _, n := range d.elements(list) {
		entries, ok := d.mapping(n, "target")
		if !ok {
			continue
		}
		t := Target{Line: at(n).line}
		var name, config entry
		seen := d.known(entries, "target: ", "name", "plugin", "config", "retention")
		for _, e := range entries {
			switch e.key {
			case "name":
				name, t.Name = e, d.name(e, manifest.ValidComponent, "a target is named with a-z, 0-9 and _, starts with a letter, and has at most 32 characters")
			case "plugin":
				t.Plugin = d.oneOf(e, pluginLocal)
			case "config":
				config = e
			case "retention":
				t.Retention = d.policy(e)
			}
		}
		d.required(seen, at(n), "target", "name", "plugin", "config")
		if config.key != "" && t.Plugin == pluginLocal {
			t.Config = d.local(config)
		}
		if i := slices.IndexFunc(out, func(o Target) bool { return o.Name == t.Name }); i >= 0 && t.Name != "" {
			d.fail(at(name.value), "names are unique", "target %s: the one on line %d has this name", t.Name, out[i].Line)
		}
		out = append(out, t)
	}
	return out
}

const pluginLocal = "local"

// local reads the configuration of the local plugin.
func (d *decoder) local(config entry) map[string]any {
	entries, ok := d.mapping(config.value, "config")
	if !ok {
		return nil
	}
	out := map[string]any{}
	seen := d.known(entries, "plugin local: ", "path")
	for _, e := range entries {
		if e.key == "path" {
			out["path"] = d.path(e)
		}
	}
	d.required(seen, config.at, "plugin local", "path")
	return out
}

// elements returns the elements of a list that must not be empty.
func (d *decoder) elements(e entry) []ast.Node {
	before := len(d.errs)
	nodes := d.sequence(e)
	if len(nodes) == 0 && len(d.errs) == before {
		d.fail(e.at, "", "%s: the list is empty; at least one is needed", e.key)
	}
	return nodes
}

// known notes each key that is not allowed here, and returns the keys that are
// there or were meant.
func (d *decoder) known(entries []entry, where string, allowed ...string) map[string]bool {
	seen := map[string]bool{}
	for _, e := range entries {
		seen[e.key] = true
		if slices.Contains(allowed, e.key) {
			continue
		}
		hint := "known here: " + strings.Join(allowed, ", ")
		if s := nearest(e.key, allowed); s != "" {
			hint = "did you mean " + s + "?"
			seen[s] = true
		}
		d.fail(e.at, hint, "%sunknown key %q", where, e.key)
	}
	return seen
}

func (d *decoder) required(seen map[string]bool, p pos, what string, keys ...string) {
	for _, k := range keys {
		if !seen[k] {
			d.fail(p, "", "%s: the key %q is missing", what, k)
		}
	}
}

// str returns the text of e with its variables replaced, "" after an error.
func (d *decoder) str(e entry) string {
	n, ok := e.value.(*ast.StringNode)
	switch {
	case !ok:
		hint := ""
		switch e.value.(type) {
		case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
			hint = "put it in quotes to make it text"
		}
		d.fail(at(e.value), hint, "%s: expected text, found %s", e.key, describe(e.value))
		return ""
	case n.Value == "":
		d.fail(at(n), "", "%s: is empty", e.key)
		return ""
	case strings.ContainsFunc(n.Value, func(r rune) bool { return r == '\n' || r == '\t' || r == '\r' || isControl(r) }):
		d.fail(at(n), "", "%s: line breaks and control characters are not allowed", e.key)
		return ""
	}
	s, err := expand(n.Value, d.lookup)
	if err != nil {
		d.fail(at(n), err.hint, "%s: %s", e.key, err.message)
		return ""
	}
	return s
}

// name reads a name. Names become parts of object keys or stand beside them, so
// they follow the grammar of the repository format.
func (d *decoder) name(e entry, valid func(string) bool, rule string) string {
	s := d.str(e)
	if s != "" && !valid(s) {
		d.fail(at(e.value), rule, "%s: %q is not allowed", e.key, s)
		return ""
	}
	return s
}

// path returns the absolute, clean form of e.
func (d *decoder) path(e entry) string {
	s := d.str(e)
	switch {
	case s == "":
		return ""
	case s == "~" || strings.HasPrefix(s, "~/"):
		d.fail(at(e.value), "write ${HOME}", "%s: ~ is not replaced here", e.key)
		return ""
	case !filepath.IsAbs(s):
		s = filepath.Join(filepath.Dir(d.file), s)
	}
	return filepath.Clean(s)
}

func (d *decoder) oneOf(e entry, allowed ...string) string {
	s := d.str(e)
	if s == "" || slices.Contains(allowed, s) {
		return s
	}
	hint := "known: " + strings.Join(allowed, ", ")
	if n := nearest(s, allowed); n != "" {
		hint = "did you mean " + n + "?"
	}
	d.fail(at(e.value), hint, "%s: %q is not known in this version", e.key, s)
	return ""
}

// duration reads a length of time, such as 90s or 5m, within bounds.
func (d *decoder) duration(e entry, least, most time.Duration) time.Duration {
	if n, ok := e.value.(*ast.IntegerNode); ok {
		d.fail(at(e.value), "write "+n.Token.Value+"s for seconds", "%s: %s has no unit", e.key, n.Token.Value)
		return 0
	}
	s := d.str(e)
	if s == "" {
		return 0
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < least || v > most {
		d.fail(at(e.value), "", "%s: %q is not allowed: want a number and its unit, from %v to %v", e.key, s, least, most)
		return 0
	}
	return v
}

func (d *decoder) boolean(e entry) bool {
	n, ok := e.value.(*ast.BoolNode)
	if !ok {
		d.fail(at(e.value), "", "%s: expected true or false, found %s", e.key, describe(e.value))
		return false
	}
	return n.Value
}
