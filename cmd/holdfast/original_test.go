package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// stampLayout is how the original tool names a snapshot.
const stampLayout = "20060102T150405Z"

// original makes a tree of the original tool at dir, its folder of snapshots: one folder for each moment, of a
// small database that changes a little from one to the next, and a registry.
func original(ctx context.Context, dir string, moments []time.Time) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "live.db")
	db, err := sql.Open("sqlite3", "file:"+path+"?_synchronous=OFF")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), os.Remove(path)) }()
	if _, err := db.ExecContext(ctx, "PRAGMA page_size=512; CREATE TABLE memories(id INTEGER PRIMARY KEY, body TEXT)"); err != nil {
		return err
	}
	for n, at := range moments {
		if _, err := db.ExecContext(ctx, "INSERT INTO memories(body) VALUES (?)", at.String()); err != nil {
			return err
		}
		b, err := os.ReadFile(path) // nobody else writes to it
		if err != nil {
			return err
		}
		if err := originalSnapshot(dir, at, b, fmt.Appendf(nil, `{"projects": %d}`, n)); err != nil {
			return err
		}
	}
	return nil
}

// originalSnapshot writes one folder as the original does, the metadata last.
func originalSnapshot(dir string, at time.Time, database, registry []byte) error {
	stamp := at.Format(stampLayout)
	folder := filepath.Join(dir, stamp)
	if err := errors.Join(os.Mkdir(folder, 0o755), os.Mkdir(filepath.Join(folder, "db"), 0o755), os.Mkdir(filepath.Join(folder, "config"), 0o755)); err != nil {
		return err
	}
	db, config := filepath.Join(folder, "db", "atocore.db"), filepath.Join(folder, "config", "project-registry.json")
	metadata, err := json.MarshalIndent(map[string]any{
		"created_at": at.Format("2006-01-02T15:04:05.000000+00:00"), "backup_root": folder,
		"db_snapshot_path": db, "db_size_bytes": len(database), "registry_snapshot_path": config,
		"chroma_snapshot_path": "", "chroma_snapshot_bytes": 0, "chroma_snapshot_files": 0, "chroma_snapshot_included": false,
		"vector_store_note": "Chroma hot backup is not included; rebuild it from the database.",
	}, "", "  ")
	return errors.Join(err, os.WriteFile(db, database, 0o644), os.WriteFile(config, registry, 0o644),
		os.WriteFile(filepath.Join(folder, "backup-metadata.json"), metadata, 0o644))
}

// years draws moments from first to last as a machine with a nightly job and a curious owner leaves them: weeks
// without any, days with several, many of them at the very ends of a day. A day has some with the given chance, a
// Sunday and a first of a month more often.
func years(random *rand.Rand, first, last time.Time, chance float64) (moments []time.Time) {
	for day := first; day.Before(last); day = day.AddDate(0, 0, 1) {
		if random.IntN(60) == 0 { // off
			day = day.AddDate(0, 0, random.IntN(42))
			continue
		}
		some := chance
		if day.Weekday() == time.Sunday || day.Day() == 1 {
			some = max(chance, 0.5)
		}
		if random.Float64() >= some {
			continue
		}
		for range 1 + random.IntN(8)/7*random.IntN(4) {
			second := random.IntN(86400)
			if random.IntN(5) == 0 {
				second = []int{0, 1, 86399}[random.IntN(3)]
			}
			moments = append(moments, day.Add(time.Duration(second)*time.Second))
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	return slices.Compact(moments)
}
