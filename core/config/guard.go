package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Guard says how much a store may lose from one snapshot to the next before the snapshot is suspect: what
// a runaway script deleted is in the backup for a while only. It looks at every table and collection
// that had at least ten rows or vectors in the newest good snapshot. The numbers are percentages from 1 to
// 100; 100 allows everything, and switches that half of the guard off.
type Guard struct {
	MaxRowDrop    int      // of the rows of a table
	MaxVectorDrop int      // of the vectors of a collection
	Except        []string // tables and collections that may lose what they like, such as a queue
}

// DefaultGuard is the guard when none is configured. It speaks of what is as good as emptied: a table that
// loses half of its rows overnight may be a table of sessions, and a guard that cries wolf is switched off.
func DefaultGuard() Guard { return Guard{MaxRowDrop: 90, MaxVectorDrop: 90} }

// guard reads the guard. What is not said stays as it is by default.
func (d *decoder) guard(e entry) Guard {
	g := DefaultGuard()
	entries, _ := d.mapping(e.value, e.key)
	d.known(entries, e.key+": ", "max_row_drop", "max_vector_drop", "except")
	for _, k := range entries {
		switch k.key {
		case "max_row_drop":
			g.MaxRowDrop = d.percent(k)
		case "max_vector_drop":
			g.MaxVectorDrop = d.percent(k)
		case "except":
			for _, n := range d.elements(k) {
				g.Except = append(g.Except, d.str(entry{k.key, at(n), n}))
			}
		}
	}
	return g
}

// percent reads 1% to 100%.
func (d *decoder) percent(e entry) int {
	switch n := e.value.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		d.fail(at(n), "write 30% for thirty in a hundred", "%s: %s has no percent sign", e.key, n.GetToken().Value)
		return 0
	}
	s := d.str(e)
	if s == "" {
		return 0
	}
	digits, ok := strings.CutSuffix(s, "%")
	v, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil || v < 1 || v > 100 {
		d.fail(at(e.value), "100% allows everything", "%s: %q is not allowed: want a whole number from 1%% to 100%%", e.key, s)
		return 0
	}
	return int(v)
}

// orDefault is the default in place of numbers that are not given.
func (g Guard) orDefault() Guard {
	if g.MaxRowDrop == 0 {
		g.MaxRowDrop = DefaultGuard().MaxRowDrop
	}
	if g.MaxVectorDrop == 0 {
		g.MaxVectorDrop = DefaultGuard().MaxVectorDrop
	}
	return g
}

// flow writes a guard as the value of the guard key.
func (g Guard) flow() string {
	s := fmt.Sprintf("{max_row_drop: %d%%, max_vector_drop: %d%%", g.MaxRowDrop, g.MaxVectorDrop)
	if len(g.Except) > 0 {
		s += ", except: " + quoteList(g.Except)
	}
	return s + "}"
}
