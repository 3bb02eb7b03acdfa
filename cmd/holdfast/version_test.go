package main

import (
	"fmt"
	"testing"

	"github.com/atocore/holdfast/core/source/sqlite"
)

// SQLite before 3.51.3 can corrupt a database when a WAL is reset under a
// reader, and without FTS5 integrity_check does not look at full-text indexes.
func TestSQLite(t *testing.T) {
	var major, minor, patch int
	if _, err := fmt.Sscanf(sqlite.Version(), "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatalf("version %q: %v", sqlite.Version(), err)
	}
	if got := major*1_000_000 + minor*1_000 + patch; got < 3_051_003 {
		t.Errorf("SQLite %s, want at least 3.51.3", sqlite.Version())
	}
	if !sqlite.HasFTS5() {
		t.Error("built without FTS5: use -tags sqlite_fts5")
	}
}
