// Package kinds lists the kinds of components that holdfast knows: the one place that turns a
// configured kind into a source, and that chooses how a copy of it is inspected.
package kinds

import (
	"context"
	"fmt"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/chroma"
	"github.com/atocore/holdfast/core/source/file"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// Config is a component's configuration.
type Config struct {
	Name   string
	Kind   manifest.Kind
	Path   string
	Format string // for kind file: "" or "json"
	Mode   string // for kind chroma: "cold", or "" for it
}

// Open returns the source of a component. It touches nothing; the error is for a configuration that makes no sense.
func Open(c Config) (source.Source, error) {
	bad := func(what, value string) error {
		return fmt.Errorf("component %s: a component of kind %s cannot have the %s %q", c.Name, c.Kind, what, value)
	}
	switch {
	case !manifest.ValidComponent(c.Name):
		return nil, fmt.Errorf("%q is not a component name", c.Name)
	case c.Path == "":
		return nil, fmt.Errorf("component %s: no path", c.Name)
	case c.Format != "" && (c.Kind != manifest.File || c.Format != file.JSON):
		return nil, bad("format", c.Format)
	case c.Mode != "" && (c.Kind != manifest.Chroma || c.Mode != chroma.Cold):
		return nil, bad("mode", c.Mode)
	}
	switch c.Kind {
	case manifest.SQLite:
		return sqlite.New(c.Name, c.Path), nil
	case manifest.File:
		return file.New(c.Name, c.Path, c.Format), nil
	case manifest.Chroma:
		return chroma.New(c.Name, c.Path), nil
	}
	return nil, fmt.Errorf("component %s: unknown kind %q", c.Name, c.Kind)
}

// FrozenAt is the stream of a copy that was not captured by a source: the file, or for Chroma the directory, at
// path, which nobody may write to. The error is a source.Fault for what is no such store.
func FrozenAt(kind manifest.Kind, path string) (*source.Frozen, error) {
	switch kind {
	case manifest.SQLite:
		return sqlite.FrozenAt(path)
	case manifest.File:
		return file.FrozenAt(path)
	case manifest.Chroma:
		return chroma.FrozenAt(path)
	}
	return nil, fmt.Errorf("the copy at %s: unknown kind %q", path, kind)
}

// Inspect looks into a staged or restored copy of a component of that kind: a file, or for Chroma a
// directory. baseline holds the facts of the snapshot that it is compared to, or of the snapshot
// that it came from; it may be nil. What is wrong with the copy is in the report; the error is for
// an inspection that could not be carried out.
//
// A file is parsed as JSON when the baseline says so; InspectAs is for a copy without a baseline.
func Inspect(ctx context.Context, kind manifest.Kind, path string, level source.Level, baseline *manifest.Facts) (source.Report, error) {
	format := ""
	if baseline != nil && baseline.File != nil {
		format = baseline.File.Format
	}
	return InspectAs(ctx, kind, format, path, level, baseline)
}

// InspectAs is Inspect for a component with a configured format.
func InspectAs(ctx context.Context, kind manifest.Kind, format, path string, level source.Level, baseline *manifest.Facts) (source.Report, error) {
	if baseline == nil {
		baseline = &manifest.Facts{}
	}
	switch kind {
	case manifest.SQLite:
		return sqlite.Inspect(ctx, path, level, baseline.SQLite)
	case manifest.File:
		return file.Inspect(ctx, path, format, level)
	case manifest.Chroma:
		return chroma.Inspect(ctx, path, level, baseline.Chroma)
	}
	return source.Report{}, fmt.Errorf("inspect %s: unknown kind %q", path, kind)
}
