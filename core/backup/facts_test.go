package backup_test

import (
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
)

// Facts are for people: a table whose name the manifest has no room for keeps no snapshot from being made.
func TestOverlongNames(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Exec(`CREATE TABLE "` + strings.Repeat("x", 2000) + `"(y)`)
	rows := w.Good().Targets[0].Manifest.Component("db").Facts.SQLite.Rows
	if len(rows) != 1 || rows["items"] != 4000 {
		t.Errorf("rows %v", rows)
	}
}
