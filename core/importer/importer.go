// Package importer brings the snapshots of the original AtoCore backup into repositories.
//
// The original keeps one folder for each snapshot, named by the moment at which it was taken:
//
//	snapshots/20260411T094646Z/
//	  backup-metadata.json     what was copied, and when
//	  db/atocore.db            the database, as SQLite's backup API gave it
//	  config/...               the registry, if there was one
//	  chroma/                  Chroma's directory, if it was asked for
//
// [Find] finds the folder, and [Run] makes a snapshot of each stamp, the oldest first: its id and its captured_at
// are of that moment, its origin names the stamp and the SHA-256 of the metadata, and it has the tag [Tag]. By
// its origin a stamp is known again: a second run imports what the first one did not, and changes nothing else. A
// stamp whose snapshot was deleted since is imported again.
//
// A folder is copied to staging, and what is checked there is what is stored. One that the original's own
// validation would have refused is reported with the original's identifiers and left out; so is one that
// contradicts itself, or has changed meanwhile. Nothing in the tree is written, no database in it is opened, and no link is
// followed out of it.
//
// A -wal or a journal that holds something beside a database was not made by the original's backup: somebody has opened the copy since,
// and without asking that somebody nobody can say which of the two states is the snapshot. Such a folder is left out, too.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
)

// Tag is on every imported snapshot.
const Tag = "imported"

// Options of a Run. What is not marked optional is required.
type Options struct {
	Tree       *Tree
	Set        string
	Components []kinds.Config // as configured: what is in a folder becomes the component of its kind, see pick
	Targets    []*target.Store
	Staging    string // an existing directory with room for one folder
	Host       string
	Tool       string
	Rand       io.Reader  // read by several goroutines at once, as crypto/rand.Reader may be
	State      *state.Dir // optional: a target that holds another repository than it did fails

	DryRun   bool              // optional: copy and check every folder, and put nothing
	Now      func() time.Time  // optional: time.Now
	Workers  int               // optional: as backup.Options.Workers
	Progress progress.Progress // optional
}

// Run imports what the targets do not hold yet. A target that fails gets nothing more, and the others go on. The
// error is for a run that stopped, because ctx ended, staging failed, or no target is left; the report is
// returned in every case, and holds what was done until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Progress = progress.Or(o.Progress)
	im := &importing{Options: o, report: &Report{Dir: o.Tree.Dir, Unparseable: o.Tree.Unparseable}}
	err := im.run(ctx)
	for _, d := range im.destinations {
		im.report.Targets = append(im.report.Targets, d.Target)
	}
	if err != nil {
		err = fmt.Errorf("import %s: %w", o.Tree.Dir, err)
	}
	return im.report, err
}

// importing is a run.
type importing struct {
	Options
	destinations []*destination
	report       *Report
}

func (im *importing) run(ctx context.Context) error {
	if len(im.Targets) == 0 {
		return fmt.Errorf("%w: no target is given", backup.ErrNothing)
	}
	if err := im.open(ctx); err != nil {
		return err
	}
	for _, stamp := range im.Tree.Stamps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := Snapshot{Stamp: stamp}
		err := im.one(ctx, &s)
		im.report.Snapshots = append(im.report.Snapshots, s)
		if err != nil {
			return fmt.Errorf("%s: %w", stamp, err)
		}
	}
	return nil
}

// one imports a stamp. Its error ends the run; what is wrong with the folder is in s.
func (im *importing) one(ctx context.Context, s *Snapshot) error {
	f := im.Tree.open(s.Stamp, im.Components)
	s.Problems = f.problems
	if len(s.Problems) > 0 {
		return nil
	}
	s.CapturedAt = f.captured
	wanting := im.wanting(f, s)
	if len(wanting) == 0 || len(s.Problems) > 0 {
		return nil
	}
	dir, err := os.MkdirTemp(im.Staging, "import-")
	if err != nil {
		return fmt.Errorf("staging: %w", err)
	}
	err = im.stage(ctx, f, dir, s, wanting)
	return errors.Join(err, os.RemoveAll(dir))
}

// stage copies and checks a folder, and imports what is good.
func (im *importing) stage(ctx context.Context, f *folder, dir string, s *Snapshot, wanting []*destination) error {
	components, err := im.copies(ctx, f, dir)
	if s.Problems = f.problems; err != nil || len(s.Problems) > 0 {
		return err
	}
	for _, c := range components {
		s.Components = append(s.Components, c.Source.Name())
	}
	if im.DryRun {
		for _, d := range wanting {
			s.Targets = append(s.Targets, SnapshotTarget{Name: d.Name})
			d.Imported++
		}
		return nil
	}
	return im.commit(ctx, f, dir, components, s, wanting)
}

// commit makes the snapshot in the targets that want it.
func (im *importing) commit(ctx context.Context, f *folder, dir string, components []backup.Component, s *Snapshot, wanting []*destination) error {
	o := backup.Options{
		Set: im.Set, Components: components, Staging: dir, Tags: []string{Tag}, Check: backup.CheckFull,
		Host: im.Host, Tool: im.Tool, Rand: im.Rand, State: im.State, Now: im.Now, Workers: im.Workers,
		Past: &backup.Past{At: f.captured, Origin: manifest.Origin{ID: f.stamp, ManifestSHA256: f.sha256}},
	}
	for _, d := range wanting {
		o.Targets = append(o.Targets, d.store)
	}
	r, err := backup.Run(ctx, o)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.Grade, s.Reasons = r.Grade, r.Reasons
	for i, t := range r.Targets {
		d := wanting[i]
		if t.Manifest == nil && t.Err == nil {
			continue // err says why
		}
		s.Targets = append(s.Targets, SnapshotTarget{Name: t.Name, Notes: t.Notes, Err: t.Err})
		d.Sent += t.Sent
		if d.Err = t.Err; t.Manifest != nil {
			s.Targets[len(s.Targets)-1].ID = t.Manifest.ID
			d.Imported++
		}
	}
	if err != nil && im.left() && allFailed(s.Targets, wanting) {
		return nil // other targets hold this stamp, and may want the next
	}
	return err
}

// allFailed reports whether a commit came to nothing because of its targets alone.
func allFailed(done []SnapshotTarget, wanting []*destination) bool {
	for _, t := range done {
		if t.Err == nil {
			return false
		}
	}
	return len(done) == len(wanting)
}
