package config

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/retention"
)

// Words of a policy that package retention does not name.
const (
	classic   = "classic"   // retention.Classic
	unlimited = "unlimited" // retention.Unlimited
	tags      = "tags"
)

// policy reads what a retention key holds: the word classic, or rules.
func (d *decoder) policy(e entry) retention.Policy {
	if _, ok := e.value.(*ast.StringNode); ok {
		d.oneOf(e, classic)
		return retention.Classic()
	}
	var p retention.Policy
	before := len(d.errs)
	if _, ok := e.value.(ast.MapNode); !ok {
		d.fail(at(e.value), "write classic, or rules such as {daily: 7, weekly: 4, monthly: 6}", "%s: expected keys and values, found %s", e.key, describe(e.value))
		return p
	}
	var names []string
	numbers, spans := map[string]*int{}, map[string]*retention.Duration{}
	for _, r := range p.Numbers() {
		names, numbers[r.Name] = append(names, r.Name), r.N
	}
	for _, r := range p.Spans() {
		names, spans[r.Name] = append(names, r.Name), r.Within
	}
	entries, _ := d.mapping(e.value, e.key)
	d.known(entries, e.key+": ", append(names, tags)...)
	for _, rule := range entries {
		switch {
		case numbers[rule.key] != nil:
			*numbers[rule.key] = d.number(rule)
		case spans[rule.key] != nil:
			*spans[rule.key] = d.span(rule)
		case rule.key == tags:
			p.Tags = d.tagLists(rule)
		}
	}
	if len(d.errs) == before {
		if err := p.Validate(); err != nil {
			d.fail(e.at, "", "%v", err)
		}
	}
	return p
}

// number reads how many snapshots a rule keeps.
func (d *decoder) number(e entry) int {
	if n, ok := e.value.(*ast.StringNode); ok && n.Value == unlimited {
		return retention.Unlimited
	}
	n, ok := e.value.(*ast.IntegerNode)
	if !ok {
		d.fail(at(e.value), "", "%s: expected a number, or the word %s, found %s", e.key, unlimited, describe(e.value))
		return 0
	}
	v, err := strconv.ParseInt(n.Token.Value, 10, 32)
	switch {
	case strings.HasPrefix(n.Token.Value, "-"):
		d.fail(at(n), "give the number of snapshots to keep, or leave the rule out", "%s: %s is negative", e.key, n.Token.Value)
	case err != nil:
		d.fail(at(n), "write "+unlimited+" for all", "%s: %s is not a plain number up to 2147483647", e.key, n.Token.Value)
	}
	return int(v)
}

// span reads a duration of the calendar.
func (d *decoder) span(e entry) retention.Duration {
	if n, ok := e.value.(*ast.IntegerNode); ok {
		d.fail(at(n), "write "+n.Token.Value+"d for days", "%s: %s has no unit", e.key, n.Token.Value)
		return retention.Duration{}
	}
	s := d.str(e)
	if s == "" {
		return retention.Duration{}
	}
	v, err := retention.ParseDuration(s)
	if err != nil {
		d.fail(at(e.value), "", "%s: %v", e.key, err)
	}
	return v
}

// tagLists reads a list whose elements are tags, or lists of tags that a snapshot must carry all of.
func (d *decoder) tagLists(e entry) [][]string {
	var lists [][]string
	for _, n := range d.elements(e) {
		inner := entry{e.key, at(n), n}
		if _, ok := n.(*ast.SequenceNode); !ok {
			lists = append(lists, []string{d.tag(inner)})
			continue
		}
		var list []string
		for _, n := range d.elements(inner) {
			list = append(list, d.tag(entry{e.key, at(n), n}))
		}
		lists = append(lists, list)
	}
	return lists
}

func (d *decoder) tag(e entry) string {
	return d.name(e, manifest.ValidTag, "a tag is a word of a-z, 0-9, dot, _ and -, or word=value")
}

// flow writes a policy as the value of a retention key.
func flow(p retention.Policy) string {
	if p.Classic || p.Validate() != nil {
		return classic
	}
	var parts []string
	add := func(key, value string) { parts = append(parts, key+": "+value) }
	for _, r := range p.Numbers() {
		switch {
		case *r.N == retention.Unlimited:
			add(r.Name, unlimited)
		case *r.N > 0:
			add(r.Name, strconv.Itoa(*r.N))
		}
	}
	for _, r := range p.Spans() {
		if *r.Within != (retention.Duration{}) {
			add(r.Name, r.Within.String())
		}
	}
	if len(p.Tags) > 0 {
		var lists []string
		for _, list := range p.Tags {
			lists = append(lists, quoteList(list))
		}
		add(tags, "["+strings.Join(lists, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func quoteList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
