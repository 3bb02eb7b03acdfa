package cleanup

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// sweep is what a sweep began with, listed in this order: E, K and I of the format. It is never
// completed by newer listings.
type sweep struct {
	Expired  []manifest.ID `json:"expired"`
	Archives []stored      `json:"archives"`
	Intents  []intent      `json:"intents"`
}

// stored is a listed object.
type stored struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
}

// resolve is G5. It returns the creates that may still commit.
func (r *run) resolve(ctx context.Context, intents []intent) (waiting []manifest.ID, err error) {
	for _, i := range intents {
		key := manifest.ManifestKey(r.Set, i.ID)
		_, err := r.repo.Store.Stat(ctx, key)
		switch {
		case err == nil:
			continue // it has voted
		case !errors.Is(err, target.ErrNotFound):
			return nil, err
		}
		old, err := r.dead(ctx, i)
		if err != nil {
			return nil, err
		}
		if !old {
			waiting = append(waiting, i.ID)
			continue
		}
		outcome, err := r.repo.Store.PutBytes(ctx, key, manifest.Tombstone(i.ID), target.PutOptions{})
		switch {
		case err == nil:
			r.report.Revoked = append(r.report.Revoked, i.ID)
		case outcome == target.ExistsOther && errors.Is(err, target.ErrExists): // it voted meanwhile
		default:
			return nil, err
		}
	}
	return waiting, nil
}

// dead reports whether an intent is too old to be a living create's: by the time that its listing showed, or
// that the store shows now, where that listing was an earlier run's.
func (r *run) dead(ctx context.Context, i intent) (bool, error) {
	if r.old(i.At, MaxSession) {
		return true, nil
	}
	o, err := r.repo.Store.Stat(ctx, manifest.IntentKey(r.Set, i.ID))
	if errors.Is(err, target.ErrNotFound) { // its create has voted just now
		return false, nil
	}
	return err == nil && r.old(o.ModTime, MaxSession), err
}

// living is what G6 found.
type living struct {
	outside []*ballot        // manifests outside of E
	inside  []*ballot        // manifests of E
	revoked []*ballot        // tombstones
	objects map[string]int64 // that a manifest outside of E names
}

// maxRounds bounds how often G6 begins again because a manifest went away under it.
const maxRounds = 5

// live is G6.
func (r *run) live(ctx context.Context, s *sweep) (*living, error) {
	for round := 1; ; round++ {
		listed, err := r.repo.Store.ListStable(ctx, manifest.Prefix(r.Set, manifest.Manifests))
		if err != nil {
			return nil, err
		}
		l, err := r.read(ctx, s, listed)
		if errors.Is(err, target.ErrNotFound) && round < maxRounds { // another run's sweep
			continue
		}
		if err != nil {
			return nil, err
		}
		return l, r.guardLiving(ctx, s, l)
	}
}

// read reads what was not read before: a key is written once.
func (r *run) read(ctx context.Context, s *sweep, listed []target.Object) (*living, error) {
	var unread []target.Object
	for _, o := range listed {
		if b := r.ballots[o.Key]; b == nil || b.size != o.Size {
			unread = append(unread, o)
		}
	}
	names := map[string]string{}
	for b, err := range r.repo.Ballots(ctx, r.Set, unread) {
		if err == nil && b.Err != nil && !errors.Is(b.Err, repository.ErrRevoked) {
			err = unreadable(b.Err)
		}
		if err != nil {
			return nil, err
		}
		r.ballots[b.Key] = newBallot(b, names)
	}
	expired := map[manifest.ID]bool{}
	for _, id := range s.Expired {
		expired[id] = true
	}
	l := &living{objects: map[string]int64{}}
	for _, o := range listed {
		b := r.ballots[o.Key]
		switch {
		case b == nil: // no key of a ballot
		case b.tombstone:
			l.revoked = append(l.revoked, b)
		case expired[b.id]:
			l.inside = append(l.inside, b)
		default:
			l.outside = append(l.outside, b)
			for _, o := range b.objects {
				l.objects[o.key] = o.size
			}
		}
	}
	return l, nil
}

// guardLiving refuses to believe a listing of manifests/ that lacks what was there, and to delete the last
// good snapshot.
func (r *run) guardLiving(ctx context.Context, s *sweep, l *living) error {
	if len(l.outside)+len(l.inside)+len(l.revoked) == 0 && len(s.Archives) > 0 {
		return refuse(RefusedNothing, fmt.Sprintf("target %s lists no manifest of set %s, but %d archives: nothing is deleted", r.repo.Store.Name(), r.Set, len(s.Archives)), "")
	}
	there := map[manifest.ID]bool{}
	for _, b := range append(l.outside, l.inside...) {
		there[b.id] = true
	}
	for _, id := range r.ids {
		if there[id] || r.fates[id].Fate == FateDeleted {
			continue
		}
		swept, err := r.repo.Swept(ctx, r.Set, id)
		if err != nil {
			return err
		}
		if !swept {
			return refuse(RefusedShrunk, fmt.Sprintf("target %s listed snapshot %s and a moment later did not, and nobody swept it: nothing is deleted", r.repo.Store.Name(), id), "")
		}
	}
	if err := r.guardLastGood(s.Expired); err != nil {
		return err
	}
	return r.guardRival(ctx, l)
}

// delete is G7: the archives first, then the manifests of E, so that a sweep that stops midway is found by the
// next one.
func (r *run) delete(ctx context.Context, s *sweep, l *living) error {
	may := map[string]bool{}
	if r.Only != nil {
		for _, key := range r.Only.Delete {
			may[key] = true
		}
	}
	var objects, bytes atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.Workers)
	for _, o := range s.Archives {
		if _, live := l.objects[o.Key]; live || r.Only != nil && !may[o.Key] || gctx.Err() != nil {
			continue
		}
		g.Go(func() error {
			if err := r.repo.Store.Delete(gctx, o.Key); err != nil {
				return err
			}
			objects.Add(1)
			bytes.Add(o.Size)
			return nil
		})
	}
	err := g.Wait()
	r.report.Objects += int(objects.Load())
	r.report.Bytes += bytes.Load()
	r.memory.deleted(r.now, bytes.Load())
	if err != nil {
		r.save()
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, b := range l.inside {
		if err := r.repo.Store.Delete(ctx, manifest.ManifestKey(r.Set, b.id)); err != nil {
			return err
		}
		if fate := r.fates[b.id]; fate != nil {
			fate.Fate = FateDeleted
		}
	}
	return nil
}

// verify says which objects are missing that the manifests outside of E name.
func (r *run) verify(ctx context.Context, l *living) error {
	archives, err := r.repo.Store.ListAll(ctx, manifest.Prefix(r.Set, manifest.Archives))
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, o := range archives {
		listed[o.Key] = true
	}
	missing := map[string]bool{}
	for _, b := range l.outside {
		lacks := false
		for _, o := range b.objects {
			lacks = lacks || !listed[o.key]
		}
		if !lacks {
			continue
		}
		_, err := r.repo.Store.Stat(ctx, manifest.ManifestKey(r.Set, b.id))
		if errors.Is(err, target.ErrNotFound) { // swept by another run meanwhile
			continue
		}
		if err != nil {
			return err
		}
		if swept, err := r.repo.Swept(ctx, r.Set, b.id); err != nil {
			return err
		} else if swept {
			r.report.note("snapshot %s lacks objects: a cleanup of another policy has begun to delete it", b.id)
			continue
		}
		for _, o := range b.objects {
			if !listed[o.key] && !missing[o.key] {
				missing[o.key] = true
				r.report.Missing = append(r.report.Missing, o.key)
			}
		}
	}
	return nil
}
