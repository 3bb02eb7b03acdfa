package importer

import (
	"context"
	"errors"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/file"
	"github.com/atocore/holdfast/core/source/kinds"
)

// check makes the full checks on a staged part. What the original's validation, or the format, would refuse is
// a problem; what only the census of a Chroma directory finds makes the snapshot suspect. Nothing is compared with
// another snapshot: what a store lost in the past nobody can prevent any more.
func (f *folder) check(ctx context.Context, p part, path string) (c backup.Component, err error) {
	report, err := kinds.InspectAs(ctx, p.Kind, p.Format, path, source.Full, nil)
	if err != nil {
		return c, err
	}
	for _, k := range report.Checks {
		if id, refused := refusal(p.Kind, k); refused {
			f.problem(id, "%s: %s: %s", p.from, k.Name, k.Detail)
			return c, nil
		}
	}
	frozen, err := kinds.FrozenAt(p.Kind, path)
	if fault := (*source.Fault)(nil); errors.As(err, &fault) {
		f.problem(fault.ID, "%s %s", p.from, fault.Problem)
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return backup.Component{Source: &still{name: p.Name, kind: p.Kind, frozen: frozen}, Format: p.Format, Inspected: &report}, nil
}

// refusal tells for which failed check a folder is left out, and under which of the original's identifiers.
func refusal(kind manifest.Kind, k manifest.Check) (id string, refused bool) {
	switch {
	case k.Result != manifest.Failed:
		return "", false
	case kind == manifest.SQLite && k.ID == IDDatabase:
		return IDDatabase, true
	case kind == manifest.SQLite: // empty, foreign, truncated: the original had one name for all
		return IDOpenDatabase, true
	case kind == manifest.File:
		return k.ID, k.ID == file.IDInvalidJSON
	}
	return k.ID, k.ID == IDNoChroma
}

// still is the source of a copy that lies in staging already. Nothing can move it, and nothing is held.
type still struct {
	name   string
	kind   manifest.Kind
	frozen *source.Frozen
}

var _ source.Source = (*still)(nil)

func (s *still) Name() string                                    { return s.name }
func (s *still) Kind() manifest.Kind                             { return s.kind }
func (s *still) Order() source.Order                             { return source.OrderFile }
func (s *still) Estimate(context.Context) (int64, error)         { return 0, nil } // the room is taken
func (s *still) Prepare(context.Context, string) error           { return nil }
func (s *still) Freeze(context.Context, source.Wait) error       { return nil }
func (s *still) Confirm(context.Context) error                   { return nil }
func (s *still) Capture(context.Context) (*source.Frozen, error) { return s.frozen, nil }
func (s *still) Thaw() error                                     { return nil }
func (s *still) Close() error                                    { return nil }
