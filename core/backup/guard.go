package backup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
)

// Guard makes a snapshot suspect in which a table or a collection lost more than a share of what it had in
// the newest good snapshot: what a runaway script deleted shall not quietly displace what there was. Its zero
// value, and [CheckNone], look at nothing.
type Guard struct {
	MaxRowDrop    int      // percent of a table's rows; 0 and 100 allow everything
	MaxVectorDrop int      // percent of a collection's vectors; likewise
	Except        []string // tables and collections that may lose what they like
}

// guardLeast is how many rows or vectors there must have been: a table of three may well lose two.
const guardLeast = 10

// The reasons of a guarded snapshot.
const (
	idRowsDropped    = "rows_dropped"
	idVectorsDropped = "vectors_dropped"
)

// loss is what a component lost beyond what is allowed.
type loss struct {
	id, what string
	percent  int      // that were allowed
	names    []string // such as "items 4000 -> 12"
}

// find compares two captures of a component. Tables that are gone are the tables check's business; a
// collection that is gone counts only where the census came to its end.
func (g Guard) find(before, now *manifest.Facts, complete bool) (l loss) {
	note := func(name string, before, now int64) {
		if before >= guardLeast && (before-now)*100 > before*int64(l.percent) && !slices.Contains(g.Except, name) {
			l.names = append(l.names, fmt.Sprintf("%s %d -> %d", name, before, now))
		}
	}
	switch {
	case before == nil || now == nil:
	case before.SQLite != nil && now.SQLite != nil && g.MaxRowDrop > 0:
		l.id, l.what, l.percent = idRowsDropped, "rows", g.MaxRowDrop
		for name, rows := range before.SQLite.Rows {
			if left, ok := now.SQLite.Rows[name]; ok {
				note(name, rows, left)
			}
		}
	case before.Chroma != nil && now.Chroma != nil && g.MaxVectorDrop > 0:
		l.id, l.what, l.percent = idVectorsDropped, "vectors", g.MaxVectorDrop
		for _, c := range before.Chroma.Collections {
			if left, ok := count(now.Chroma.Collections, c); ok || complete {
				note(c.Name, c.Count, left)
			}
		}
	}
	slices.Sort(l.names)
	return l
}

// count returns the vectors of a collection that was there before, under its id or, when it was made anew,
// under its name.
func count(collections []manifest.Collection, was manifest.Collection) (n int64, ok bool) {
	for _, c := range collections {
		if c.ID == was.ID {
			return c.Count, true
		}
		if c.Name == was.Name {
			n, ok = max(n, c.Count), true
		}
	}
	return n, ok
}

// guard holds a packed component against the newest good snapshot.
func (r *run) guard(p packedComponent) {
	if r.Check == CheckNone {
		return
	}
	complete := !slices.ContainsFunc(p.report.Checks, func(k manifest.Check) bool { return k.Result == manifest.Inconclusive })
	if l := r.Guard.find(p.due.baseline, p.report.Facts, complete); len(l.names) > 0 {
		r.reason(manifest.Suspect, p.name, l.id, fmt.Sprintf("more than %d%% of the %s are gone since the good snapshot %s%s: %s",
			l.percent, l.what, p.due.from, meant, strings.Join(l.names, ", ")))
	}
}
