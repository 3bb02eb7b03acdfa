package sqlite

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
)

// gather fills the facts and returns the names of all tables that count as the user's: ordinary and
// virtual ones, without SQLite's own and without the shadows that virtual tables keep their data in. Only
// the rows of ordinary tables are counted: to count those of a virtual one is to run code that the
// schema chose, which need not end. So that a virtual table is gone is seen only where a baseline counts it.
func (in *inspection) gather(ctx context.Context, c *conn) ([]string, error) {
	if err := c.get(ctx, "PRAGMA user_version", &in.facts.UserVersion); err != nil {
		return nil, err
	}
	if err := c.get(ctx, "PRAGMA application_id", &in.facts.ApplicationID); err != nil {
		return nil, err
	}
	tables, err := column(ctx, c, `SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	ordinary, err := column(ctx, c, `SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	for _, t := range ordinary {
		var n int64
		err := c.get(ctx, "SELECT count(*) FROM "+quote(t), &n)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && damaged(err):
			return nil, fmt.Errorf("count the rows of %s: %w", t, err)
		case err == nil:
			in.facts.Rows[t] = n
		}
		// Else it needs what only the application has, such as a collating sequence: no fact.
	}
	return tables, nil
}

// compare makes the check that every table of the baseline is still there.
func compare(tables []string, baseline *manifest.SQLiteFacts) manifest.Check {
	have := map[string]bool{}
	for _, t := range tables {
		have[t] = true
	}
	var gone []string
	for t := range baseline.Rows {
		if !have[t] {
			gone = append(gone, t)
		}
	}
	if len(gone) > 0 {
		sort.Strings(gone)
		return failed("tables", IDTableMissing, "missing, and present before: "+strings.Join(gone, ", "))
	}
	return manifest.Check{Name: "tables", Result: manifest.OK}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
