package replicate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// copy copies one snapshot, whose manifest's object has that hash. The error ends the run.
func (r *run) copy(ctx context.Context, m *manifest.Manifest, sum [32]byte) (Snapshot, error) {
	s := Snapshot{ID: m.ID, Grade: m.Grade}
	session, err := r.begin(ctx, m, &s)
	if err != nil {
		return s, err
	}
	err = r.fill(ctx, session, m, sum, &s)
	if errors.Is(err, repository.ErrConflict) { // what a killed run put is not what this one needs
		s.Resumed = false
		if err := session.Abandon(ctx); err != nil {
			return s, err
		}
		if session, err = r.fresh(ctx, m); err != nil {
			return s, err
		}
		err = r.fill(ctx, session, m, sum, &s)
	}
	s.Sent = session.Sent()
	var intent *repository.IntentError
	switch {
	case err == nil, s.Outcome == Copied && errors.As(err, &intent):
		if err != nil {
			s.Note = err.Error()
		}
		return s, nil
	case ctx.Err() != nil: // its intent keeps its place for the next run
		s.Outcome = ""
		return s, err
	case errors.Is(err, repository.ErrRevoked):
		s.Outcome, s.Err = Failed, err
		return s, nil
	}
	var bad *repository.ObjectError
	if !errors.As(err, &bad) {
		s.Outcome, s.Err = Failed, err
		return s, err
	}
	gone, serr := r.swept(ctx, m.ID)
	if serr != nil {
		return s, errors.Join(err, serr)
	}
	s.Outcome, s.Err = Damaged, err
	if gone {
		s.Outcome, s.Err = Gone, fmt.Errorf("a cleanup of the source took it away meanwhile: %w", err)
	}
	return s, nil
}

// swept reports whether a snapshot of the source is no more, or about to go.
func (r *run) swept(ctx context.Context, id manifest.ID) (bool, error) {
	view, err := r.From.View(ctx, r.Set)
	if err != nil {
		return false, err
	}
	if !slices.Contains(view.IDs, id) {
		return true, nil
	}
	usable, err := view.Usable(ctx, id)
	return !usable, err
}

// begin takes up the session of a killed run, or starts one.
func (r *run) begin(ctx context.Context, m *manifest.Manifest, s *Snapshot) (*repository.Session, error) {
	if r.Resume && !r.DryRun {
		session, err := r.To.Resume(ctx, r.Set, r.Now(), r.note(m))
		if err != nil {
			return nil, err
		}
		if session != nil {
			s.Resumed = true
			return session, nil
		}
	}
	return r.fresh(ctx, m)
}

func (r *run) fresh(ctx context.Context, m *manifest.Manifest) (*repository.Session, error) {
	if r.DryRun {
		return r.To.RehearseAt(ctx, r.Set, m.ID.Time(), r.Rand)
	}
	return r.To.BeginAt(ctx, r.Set, m.ID.Time(), r.Now(), r.Rand, r.note(m))
}

// note is what the intent of a copy says. Its reason names the copied snapshot: a later run knows it by that.
func (r *run) note(m *manifest.Manifest) manifest.Note {
	return manifest.Note{Host: r.Host, Tool: r.Tool, Reason: fmt.Sprintf("copy of snapshot %s of repository %s", m.ID, m.Repository)}
}

// fill copies what the destination lacks and votes for the snapshot. Unless ctx has ended, a session that
// does not come to its vote is given up.
func (r *run) fill(ctx context.Context, session *repository.Session, m *manifest.Manifest, sum [32]byte, s *Snapshot) error {
	p, err := r.plan(ctx, session, m)
	if err == nil {
		s.Shared = p.shared
		err = r.move(ctx, session, p, "copy "+string(m.ID), s.Resumed)
	}
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, repository.ErrConflict) {
			return err
		}
		return errors.Join(err, session.Abandon(ctx))
	}
	p.manifest.Origin = origin(m, sum)
	p.manifest.Sequence = min(r.sequence, manifest.MaxInt-1) + 1
	committed, err := session.Commit(ctx, p.manifest, r.Rand)
	if committed == nil {
		return err
	}
	s.Outcome, s.As = Copied, committed.ID
	r.remember(committed)
	r.keep(committed)
	r.would[committed.ID] = r.DryRun
	return err
}

// origin is that of a copy of m: a copy of a copy keeps that of the first.
func origin(m *manifest.Manifest, sum [32]byte) *manifest.Origin {
	if m.Origin != nil {
		o := *m.Origin
		return &o
	}
	return &manifest.Origin{Repository: m.Repository, ID: string(m.ID), ManifestSHA256: hex.EncodeToString(sum[:])}
}

// lost reports whether an error of a read speaks of the object, not of the way to it.
func lost(err error) bool {
	return errors.Is(err, target.ErrNotFound) || errors.Is(err, target.ErrCorrupt)
}
