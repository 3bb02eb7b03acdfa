// Package store makes a live store of the shape that holdfast backs up, an AtoCore data directory, for the quickstart,
// for tests and for the benchmark. Call [Generate] first; [Touch] then changes a share of it, [Write] commits to it
// until told to stop, and [Check] says whether a copy of it is one consistent moment.
//
//	DIR/db/atocore.db                  SQLite: text, JSON, UUID keys, some incompressible blobs, an FTS5 index
//	DIR/config/project-registry.json   the registry
//	DIR/chroma/                        a directory recorded from a real Chroma server, enlarged on request
//
// The same options and the same SQLite give the same bytes. Memory does not grow with the size asked for.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Journal is how the application database keeps its transactions.
type Journal string

// The two modes in which holdfast meets databases.
const (
	WAL      Journal = "wal"
	Rollback Journal = "delete"
)

// DefaultSize is the size of the database, in bytes, when Options does not say.
const DefaultSize = 20 << 20

// Version changes whenever the same options give other bytes, so that a store may be kept by version and options.
const Version = 1

// Options says what to generate. The zero value is a store of 20 MiB in WAL mode with the recorded Chroma directory.
type Options struct {
	Seed       uint64
	Size       int64   // of the database in bytes, reached and exceeded by at most a few rows; 0 means DefaultSize
	ChromaSize int64   // of the Chroma directory in bytes, exceeded by a quarter at most; under 2.3 MB: as recorded
	Journal    Journal // "" means WAL
}

// Database is the path of the application database of the store at dir.
func Database(dir string) string { return filepath.Join(dir, "db", "atocore.db") }

// Registry is the path of the project registry of the store at dir.
func Registry(dir string) string { return filepath.Join(dir, "config", "project-registry.json") }

// Chroma is the path of the Chroma persistence directory of the store at dir.
func Chroma(dir string) string { return filepath.Join(dir, "chroma") }

// Generate makes a store at dir, which must not exist or must be empty. All or nothing: it grows beside dir as
// dir.partial, which a failure removes, and takes its name at the end. A dir.partial that a killed run left is replaced.
func Generate(ctx context.Context, dir string, o Options) (err error) {
	if o.Size == 0 {
		o.Size = DefaultSize
	}
	if o.Journal == "" {
		o.Journal = WAL
	}
	if o.Journal != WAL && o.Journal != Rollback {
		return fmt.Errorf("journal mode %q: want %q or %q", o.Journal, WAL, Rollback)
	}
	dir = filepath.Clean(dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("store %s: the directory is not empty; choose a new one", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store %s: %w", dir, err)
	}

	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("store %s: remove what an earlier run left: %w", dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	for _, d := range []string{filepath.Dir(Database(partial)), filepath.Dir(Registry(partial))} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("store %s: %w", dir, err)
		}
	}

	a := newAuthor(o.Seed, "generate")
	projects := a.projects(12)
	if err := writeRegistry(Registry(partial), projects); err != nil {
		return fmt.Errorf("store %s: registry: %w", dir, err)
	}
	if err := generateDatabase(ctx, Database(partial), a, projects, o); err != nil {
		return fmt.Errorf("store %s: database: %w", dir, err)
	}
	if err := generateChroma(ctx, Chroma(partial), newAuthor(o.Seed, "chroma"), o.ChromaSize); err != nil {
		return fmt.Errorf("store %s: chroma: %w", dir, err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return fmt.Errorf("store %s: %w", dir, err)
	}
	return nil
}

// stream gives the random numbers of one purpose, so that asking for a larger database does not change the vectors.
func stream(seed uint64, purpose string) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	copy(key[8:], purpose)
	return rand.NewChaCha8(key)
}
