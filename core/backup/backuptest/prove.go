package backuptest

import (
	"database/sql"
	"path/filepath"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/validate"
)

// Restore restores the nth target's snapshot, without damage, to a new directory.
func (w *World) Restore(n int, m *manifest.Manifest) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "out")
	r, err := restore.ToDir(w.t.Context(), restore.Options{Repository: w.Repo(n), Manifest: m, Dir: dir})
	w.check(err)
	if r.Damage {
		w.t.Fatalf("restored with damage: %+v", r)
	}
	return dir
}

// Rows restores the nth target's snapshot and returns how many rows its database has.
func (w *World) Rows(n int, m *manifest.Manifest) (rows int) {
	w.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.Restore(n, m), "db")+"?immutable=1")
	w.check(err)
	defer db.Close()
	w.check(db.QueryRow("SELECT count(*) FROM items").Scan(&rows))
	return rows
}

// Validate validates snapshots of the nth target, all when none is named, and marks what is damaged.
func (w *World) Validate(n int, level validate.Level, ids ...manifest.ID) *validate.Report {
	w.t.Helper()
	r, err := validate.Run(w.t.Context(), w.Validation(n, level, ids...))
	w.check(err)
	return r
}

// Validation is the options of Validate.
func (w *World) Validation(n int, level validate.Level, ids ...manifest.ID) validate.Options {
	w.t.Helper()
	repo, view := w.View(n)
	all, err := repo.Snapshots(w.t.Context(), view)
	w.check(err)
	var pick []repository.Snapshot
	for _, s := range all {
		if len(ids) == 0 || s.ID == ids[0] {
			pick = append(pick, s)
		}
	}
	return validate.Options{
		Repository: repo, View: view, Snapshots: pick, Level: level, Scratch: w.Path("staging"), Mark: true, Host: "test", Tool: "holdfast test",
	}
}
