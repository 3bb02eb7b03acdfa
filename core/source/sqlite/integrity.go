package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

func integrityName(level source.Level) string {
	if level >= source.Full {
		return "integrity_check"
	}
	return "quick_check"
}

// integrity runs SQLite's own check. SQLite passes over a virtual table whose module is not
// compiled in, and says ok: with the modules that bring a check of their own that is inconclusive.
func (in *inspection) integrity(ctx context.Context, c *conn) (manifest.Check, error) {
	name := integrityName(in.level)
	complaints, err := column(ctx, c, "PRAGMA "+name+"(10)")
	switch {
	case ctx.Err() != nil:
		return manifest.Check{}, ctx.Err()
	case err != nil && damaged(err):
		return failed(name, IDIntegrity, err.Error()), nil
	case err != nil: // such as a collating sequence or function that only the application has
		return inconclusive(name, err), nil
	case len(complaints) != 1 || complaints[0] != "ok":
		return failed(name, IDIntegrity, strings.Join(complaints, "; ")), nil
	}
	return in.modules(ctx, c, manifest.Check{Name: name, Result: manifest.OK})
}

// checked are the modules whose tables integrity_check looks into.
var checked = map[string]bool{"fts3": true, "fts4": true, "fts5": true, "rtree": true, "rtree_i32": true, "geopoly": true}

// modules adds to a check that passed what it did not look at.
func (in *inspection) modules(ctx context.Context, c *conn, ok manifest.Check) (manifest.Check, error) {
	missing, err := column(ctx, c, `SELECT name || ' ' || sql FROM sqlite_schema
		WHERE type = 'table' AND rootpage = 0 AND sql LIKE 'CREATE VIRTUAL TABLE%'`)
	if err != nil {
		return manifest.Check{}, err
	}
	available, err := column(ctx, c, "SELECT lower(name) FROM pragma_module_list")
	if err != nil {
		return manifest.Check{}, err
	}
	have := map[string]bool{}
	for _, m := range available {
		have[m] = true
	}
	for _, line := range missing {
		module := moduleOf(line)
		if have[module] {
			continue
		}
		table, _, _ := strings.Cut(line, " ")
		ok.Detail = manifest.ClipText(fmt.Sprintf("not checked: table %s, because this program is built without %s", table, strings.ToUpper(module)))
		if checked[module] {
			ok.Result = manifest.Inconclusive
			break
		}
	}
	return ok, nil
}

// moduleOf finds the module in a CREATE VIRTUAL TABLE statement, in lower case. SQLite stores the
// statement with the words as they were written.
func moduleOf(sql string) string {
	_, rest, _ := strings.Cut(strings.ToLower(strings.Join(strings.Fields(sql), " ")), " using ")
	rest = strings.TrimLeft(rest, "\"'`[ ")
	if i := strings.IndexAny(rest, "( \"'`];"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// column returns the first column of a query as strings.
func column(ctx context.Context, c *conn, q string) (vals []string, err error) {
	rows, err := c.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return vals, err
		}
		vals = append(vals, v)
	}
	return vals, rows.Err()
}

// HasFTS5 reports whether the SQLite in this process was built with FTS5. Without it
// integrity_check calls a database with a damaged FTS5 index healthy.
func HasFTS5() bool {
	ctx := context.Background()
	c, err := openMemory(ctx)
	if err != nil {
		return false
	}
	defer c.Close()
	var n int
	return c.get(ctx, "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'", &n) == nil && n == 1
}
