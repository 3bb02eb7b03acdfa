package backup_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
)

// guarded takes a snapshot and returns what its guard says, or "".
func guarded(t *testing.T, w *backuptest.World, g backup.Guard, check backup.CheckMode) string {
	t.Helper()
	r, err := w.Create(func(o *backup.Options) { o.Guard, o.Check = g, check })
	if err != nil {
		t.Fatal(err)
	}
	if (r.Grade != manifest.Good) != (len(r.Reasons) > 0) {
		t.Errorf("%s, %+v", r.Grade, r.Reasons)
	}
	if len(r.Reasons) == 0 {
		return ""
	}
	if r.Grade != manifest.Suspect || len(r.Reasons) != 1 {
		t.Errorf("%s, %+v", r.Grade, r.Reasons)
	}
	return fmt.Sprintf("%s %s: %s", r.Reasons[0].Component, r.Reasons[0].ID, r.Reasons[0].Message)
}

func TestGuardOnRows(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Exec("CREATE TABLE few(x)")
	w.Exec("INSERT INTO few VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9)")
	w.Good()
	g := backup.Guard{MaxRowDrop: 30}
	w.Exec("DELETE FROM few") // it had less than ten
	w.Exec("DELETE FROM items WHERE id > 2800")
	if got := guarded(t, w, g, backup.CheckAuto); got != "" {
		t.Errorf("30%% of the rows: %s", got)
	}
	w.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1200) INSERT INTO items SELECT 2800+i, '' FROM n")
	good := w.Good().Targets[0].Manifest.ID
	w.Exec("DELETE FROM items WHERE id > 2799")
	want := fmt.Sprintf("db rows_dropped: more than 30%% of the rows are gone since the good snapshot %s (if that is meant, run holdfast create --check none once): items 4000 -> 2799", good)
	for range 2 { // and it stays so
		if got := guarded(t, w, g, backup.CheckAuto); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	for _, wide := range []backup.Guard{{}, {MaxVectorDrop: 1}, {MaxRowDrop: 100}, {MaxRowDrop: 31}, {MaxRowDrop: 1, Except: []string{"items"}}} {
		o := w.Options()
		o.Guard, o.DryRun = wide, true
		if r, err := backup.Run(t.Context(), o); err != nil || r.Grade != manifest.Good {
			t.Errorf("%+v: %v, %+v", wide, err, r.Reasons)
		}
	}
	if got := guarded(t, w, g, backup.CheckNone); got != "" {
		t.Errorf("the way out: %s", got)
	}
	if got := guarded(t, w, g, backup.CheckAuto); got != "" {
		t.Errorf("after it: %s", got)
	}
}

func TestGuardOnVectors(t *testing.T) {
	w := backuptest.New(t, "nas")
	w.Chroma()
	good := w.Good().Targets[0].Manifest.ID
	db, err := sql.Open("sqlite3", "file:"+w.Path("chroma/chroma.sqlite3"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"DELETE FROM embeddings WHERE id % 2 = 0", "DELETE FROM embeddings_queue",
		"DELETE FROM segments WHERE collection = (SELECT id FROM collections WHERE name = 'fresh')", "DELETE FROM collections WHERE name = 'fresh'",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	want := fmt.Sprintf("chroma vectors_dropped: more than 30%% of the vectors are gone since the good snapshot %s (if that is meant, run holdfast create --check none once): atocore-chunks 1250 -> 625, fresh 40 -> 0", good)
	if got := guarded(t, w, backup.Guard{MaxVectorDrop: 30, Except: []string{"memories"}}, backup.CheckQuick); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
