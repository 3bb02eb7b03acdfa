package chroma

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// A rule of the census is one check of the report.
type rule int

// The rules, in the order in which they are checked and reported.
const (
	rulePresent  rule = iota // the database and only plain files
	ruleSidecars             // no journal or log of another database
	ruleDatabase             // quick_check or integrity_check
	ruleTables               // the tables that every version has
	ruleBaseline             // collections, where there were some
	ruleSegments             // each persisted, or replayable from the queue
	ruleHeaders              // header.bin agrees with itself and the collection
	ruleCounts               // what a persist writes first agrees with what it writes last
	ruleLengths              // data files are as long as header.bin implies; link_lists.bin ends where it should
	ruleQueue                // vectors in the queue have their collection's dimension
	ruleGraph                // Full: links, labels and vectors can be
	ruleReplay               // Full: vectors and metadata are of the same ids, the queue applied
	ruleOrphans              // never fails: what belongs to no collection
	ruleCount
)

// names are each rule's check and the ID of its failure.
func (r rule) names() (check, id string) {
	n := [ruleCount][2]string{
		{"present", IDMissing},
		{"no_journal", IDSidecar},
		{"database", IDDatabase},
		{"tables", IDTables},
		{"baseline", IDCollections},
		{"segments", IDSegment},
		{"headers", IDHeader},
		{"persist", IDTorn},
		{"lengths", IDLength},
		{"queue", IDSet},
		{"graph", IDGraph},
		{"replay", IDSet},
		{"orphans", ""},
	}[r]
	return n[0], n[1]
}

// Inspect takes the census of the staged or restored copy in dir, which nobody may be writing to.
// What is wrong with the copy is in the report, as failed checks; the error is for an inspection
// that could not be carried out, above all because ctx ended.
//
// Quick checks everything but the graph and replay checks, and uses SQLite's quick_check; Full
// checks all. The census reads files as streams; it keeps some 100 bytes in memory for each vector
// of the largest collection. The check of the database, the facts, and each collection may take
// source.Patience each; past it what was not found out is inconclusive. A flipped bit within a vector's mantissa is invisible to it: that is
// what checksums are for.
func Inspect(ctx context.Context, dir string, level source.Level, baseline *manifest.ChromaFacts) (source.Report, error) {
	return takeCensus(ctx, dir, level, baseline, source.Patience)
}

func takeCensus(ctx context.Context, dir string, level source.Level, baseline *manifest.ChromaFacts, patience func(int64) time.Duration) (source.Report, error) {
	c := &census{
		patience: patience,
		dir:      dir, level: level, seed: maphash.MakeSeed(),
		facts:  &manifest.ChromaFacts{Migrations: map[string]int64{}, Collections: []manifest.Collection{}},
		failed: map[rule][]string{}, unsure: map[rule][]string{}, notes: map[rule][]string{},
		done: rulePresent,
	}
	if level == source.None {
		baseline = nil
	}
	if err := c.run(ctx, baseline); err != nil {
		return source.Report{}, fmt.Errorf("inspect %s: %w", dir, err)
	}
	checks := c.checks(baseline != nil)
	if level == source.None {
		checks = source.Unasked(checks)
	}
	return source.Report{Facts: &manifest.Facts{Chroma: c.facts}, Checks: checks}, nil
}

// census collects what the rules find.
type census struct {
	dir   string
	level source.Level
	seed  maphash.Seed
	facts *manifest.ChromaFacts

	failed map[rule][]string
	unsure map[rule][]string // why a rule could not be checked in full
	notes  map[rule][]string // what a person may want to know of a rule that passed
	done   rule              // the first rule that was not checked at all

	size     int64 // bytes of all members
	patience func(size int64) time.Duration
}

func (c *census) fail(r rule, format string, args ...any) {
	c.failed[r] = append(c.failed[r], fmt.Sprintf(format, args...))
}

// within bounds a step of the census. A step that does not end leaves the rule open, and those after it.
func (c *census) within(ctx context.Context, r rule, what string, f func(context.Context) error) (ended bool, err error) {
	err = source.Within(ctx, c.patience(c.size), f)
	if endless := (*source.EndlessError)(nil); errors.As(err, &endless) {
		c.unsure[r] = append(c.unsure[r], what+" not checked: "+endless.Error())
		c.done = r
		return false, nil
	}
	return err == nil, err
}

// run checks the rules until one fails that the next depend on.
func (c *census) run(ctx context.Context, baseline *manifest.ChromaFacts) error {
	present, err := c.walk(ctx)
	if err != nil || !present {
		return err
	}
	c.done = ruleDatabase
	if c.level > source.None {
		var check manifest.Check
		_, err := c.within(ctx, ruleDatabase, Database, func(ctx context.Context) (err error) {
			check, err = sqlite.CheckIntegrity(ctx, c.path(Database), c.level)
			return err
		})
		if err != nil {
			return err
		}
		switch check.Result {
		case manifest.Failed:
			c.fail(ruleDatabase, "%s: %s", check.Name, check.Detail)
		case manifest.Inconclusive:
			c.unsure[ruleDatabase] = append(c.unsure[ruleDatabase], check.Detail)
		}
	}
	c.done = ruleTables
	db, conn, err := sqlite.OpenCopy(ctx, c.path(Database))
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.fail(ruleDatabase, "it cannot be opened: %v", err)
		return nil
	}
	defer db.Close()
	defer conn.Close()
	var st *store
	ended, err := c.within(ctx, ruleTables, "facts", func(ctx context.Context) (err error) {
		st, err = c.load(ctx, conn)
		return err
	})
	if err != nil || !ended || st == nil {
		return err
	}
	if baseline != nil && len(baseline.Collections) > 0 && len(c.facts.Collections) == 0 {
		c.fail(ruleBaseline, "no collection, where there were %d before", len(baseline.Collections))
	}
	for _, col := range st.collections {
		if c.level == source.None {
			break
		}
		ended, err := c.within(ctx, ruleSegments, "collection "+col.name, func(ctx context.Context) error { return c.collection(ctx, st, col) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && !ended {
			return nil
		}
		if err != nil { // SQLite or the file system cannot read what it should
			c.fail(ruleDatabase, "collection %s: %v", col.name, err)
			c.done = ruleSegments
			return nil
		}
	}
	c.done = ruleCount
	return c.orphans(st)
}

func (c *census) path(name string) string { return filepath.Join(c.dir, filepath.FromSlash(name)) }

// walk counts the members and reports whether there is a database to go on with.
func (c *census) walk(ctx context.Context) (present bool, err error) {
	err = filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if errors.Is(err, fs.ErrNotExist) && path == c.dir {
			c.fail(rulePresent, "the directory is missing")
			return fs.SkipAll
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(c.dir, path)
		if err != nil {
			return err
		}
		switch {
		case path == c.dir && !d.IsDir():
			c.fail(rulePresent, "it is no directory")
			return fs.SkipAll
		case d.IsDir():
		case !d.Type().IsRegular():
			c.fail(rulePresent, "%s is no plain file", rel)
		default:
			c.facts.Members++
			fi, err := d.Info()
			if err != nil {
				return err
			}
			c.size += fi.Size()
		}
		return nil
	})
	if err != nil || len(c.failed[rulePresent]) > 0 {
		return false, err
	}
	fi, err := os.Lstat(c.path(Database))
	if err != nil {
		c.fail(rulePresent, "it holds no %s", Database)
		return false, nil
	}
	for _, suffix := range []string{"-journal", "-wal"} {
		if j, err := os.Lstat(c.path(Database + suffix)); err == nil && j.Size() > 0 {
			c.fail(ruleSidecars, "%s%s stands beside the copy: it belongs to another database, or its changes are missing in this one", Database, suffix)
		}
	}
	return fi.Mode().IsRegular(), nil
}

// checks renders what was found.
func (c *census) checks(baseline bool) []manifest.Check {
	var checks []manifest.Check
	for r := range ruleCount {
		if r == ruleBaseline && !baseline || c.level < source.Full && (r == ruleGraph || r == ruleReplay) {
			continue
		}
		check, id := r.names()
		k := manifest.Check{Name: check, Result: manifest.OK}
		switch {
		case len(c.failed[r]) > 0:
			k.Result, k.ID, k.Detail = manifest.Failed, id, list(c.failed[r])
		case r > c.done || r == c.done && len(c.failed) > 0:
			k.Result, k.Detail = manifest.Skipped, "an earlier check failed or did not end"
		case len(c.unsure[r]) > 0:
			k.Result, k.Detail = manifest.Inconclusive, list(c.unsure[r])
		case len(c.notes[r]) > 0:
			k.Detail = list(c.notes[r])
		}
		checks = append(checks, k)
	}
	return checks
}

// list joins findings, the first few of them.
func list(found []string) string {
	s := strings.Join(found[:min(len(found), 5)], "; ")
	if more := len(found) - 5; more > 0 {
		s += fmt.Sprintf("; and %d more", more)
	}
	return manifest.ClipText(s)
}
