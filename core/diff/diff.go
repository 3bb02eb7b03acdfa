// Package diff tells what changed between two snapshots: of every component the tables, collections or
// entries, and the bytes of the chunks that only one of them has. The snapshots may lie in different
// repositories.
//
// [Run] reads manifests, which the caller has, and the indexes of components whose streams differ; of a JSON
// file that changed it reads the content too. Rows and vectors are counts: equal numbers do not say
// that the rows are equal, but equal streams do.
package diff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
)

// Side is a snapshot and where it lies.
type Side struct {
	Repository *repository.Repository
	Manifest   *manifest.Manifest
}

// Change is what became of something from A to B.
type Change string

// The changes. Same and Unknown are told of components only.
const (
	Same    Change = "same"
	Changed Change = "changed"
	Added   Change = "added"   // only B has it
	Removed Change = "removed" // only A has it
	Unknown Change = "unknown" // of an encrypted component, whose hash its index keeps
)

// Component is what became of one component.
type Component struct {
	Name         string
	Change       Change
	A, B         *manifest.Component // nil where it is not there
	OnlyA, OnlyB int64               // bytes of distinct chunks that the other's component lacks, before compression

	Tables      []Count  // whose rows changed in number, by name
	Collections []Count  // whose vectors did, by name and id
	Entries     *Entries // of a JSON file that changed; nil for other kinds, and where it is not JSON or over 32 MiB

	Err error // why bytes or entries are not known; what the manifests say is there all the same
}

// Count is a table or a collection whose number of rows or vectors changed.
type Count struct {
	Name   string
	ID     string // of a collection
	Change Change // Changed, Added or Removed
	A, B   int64  // 0 where it is not there
}

// maxDocument bounds how large a JSON file may be for its entries to be compared, in bytes.
const maxDocument = 32 << 20

// Run compares two snapshots. scratch is a directory with room for the indexes, and for the JSON files.
// The components are in the order of their names. What cannot be read is a component's Err; the error is for
// what ends the whole, such as the end of ctx.
func Run(ctx context.Context, a, b Side, scratch string) (_ []Component, err error) {
	dir, err := os.MkdirTemp(scratch, "diff-")
	if err != nil {
		return nil, fmt.Errorf("scratch space: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var names []string
	for _, m := range []*manifest.Manifest{a.Manifest, b.Manifest} {
		for _, c := range m.Components {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	var out []Component
	for _, name := range slices.Compact(names) {
		c := Component{Name: name, A: a.Manifest.Component(name), B: b.Manifest.Component(name)}
		c.Err = c.compare(ctx, a, b, dir)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out = append(out, c)
	}
	return out, nil
}

// compare fills in what became of the component.
func (c *Component) compare(ctx context.Context, a, b Side, scratch string) error {
	switch {
	case c.A == nil:
		c.Change = Added
	case c.B == nil:
		c.Change = Removed
	case c.A.SHA256 != "" && c.A.SHA256 == c.B.SHA256 && c.A.Size == c.B.Size && c.A.Kind == c.B.Kind:
		c.Change = Same
		return nil
	default:
		c.Change = Changed
		if c.A.SHA256 == "" || c.B.SHA256 == "" {
			c.Change = Unknown
		}
		c.count()
	}
	err := c.chunks(ctx, a, b, scratch)
	if err == nil && c.Change == Changed && isJSON(c.A) && isJSON(c.B) && max(c.A.Size, c.B.Size) <= maxDocument {
		c.Entries, err = c.entries(ctx, a, b, scratch)
	}
	return err
}

// chunks compares the two streams by their indexes.
func (c *Component) chunks(ctx context.Context, a, b Side, scratch string) (err error) {
	var recipes [2]*archive.Recipe
	for i, s := range []Side{a, b} {
		if s.Manifest.Component(c.Name) == nil {
			continue
		}
		open, err := s.Repository.OpenComponent(ctx, s.Manifest, c.Name, scratch)
		if err != nil {
			return fmt.Errorf("%s in snapshot %s: %w", c.Name, s.Manifest.ID, err)
		}
		defer open.Close()
		recipes[i] = open.Recipe
	}
	d, err := archive.Compare(ctx, recipes[0], recipes[1])
	if err != nil {
		return fmt.Errorf("compare %s: %w", c.Name, err)
	}
	c.OnlyA, c.OnlyB = d.OnlyA.Bytes, d.OnlyB.Bytes
	return nil
}

// entries reads both documents and compares them.
func (c *Component) entries(ctx context.Context, a, b Side, scratch string) (*Entries, error) {
	var documents [2][]byte
	for i, s := range []Side{a, b} {
		var buf bytes.Buffer
		o := restore.DumpOptions{Repository: s.Repository, Manifest: s.Manifest, Component: c.Name, Scratch: scratch}
		if _, err := restore.Dump(ctx, o, &buf); err != nil {
			return nil, fmt.Errorf("%s in snapshot %s: %w", c.Name, s.Manifest.ID, err)
		}
		documents[i] = buf.Bytes()
	}
	return compareDocuments(documents[0], documents[1]), nil
}

func isJSON(c *manifest.Component) bool {
	return c.Facts != nil && c.Facts.File != nil && c.Facts.File.Format == "json"
}
