package cleanup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// Forget gives snapshots up by name: each gets an expiry mark, and cleanups that share the Notebook delete it when the
// grace has passed, whatever their plan says. Cleanups of other hosts report the mark and leave
// the snapshot alone, for marks do not say what is meant by them. It needs Repository, Set, Notebook,
// Host, Tool and Now.
//
// It is refused, and nothing done, when no good snapshot would be left that is not marked.
func Forget(ctx context.Context, o Options, ids []manifest.ID) ([]repository.Expiry, error) {
	view, err := o.Repository.View(ctx, o.Set)
	if err != nil {
		return nil, err
	}
	goes, stays := false, false
	for id := range view.Newest {
		going := slices.Contains(ids, id)
		if stays && !going {
			continue
		}
		m, err := o.Repository.Load(ctx, o.Set, id)
		switch {
		case err == nil:
		case going: // what is given up by name must be there
			return nil, err
		case errors.Is(err, repository.ErrRevoked), errors.Is(err, repository.ErrDamaged), errors.Is(err, target.ErrNotFound):
			continue
		default:
			return nil, err
		}
		if m.Grade != manifest.Good {
			continue
		}
		if going {
			goes = true
			continue
		}
		usable, err := view.Usable(ctx, id)
		if err != nil {
			return nil, err
		}
		stays = stays || usable && !m.HasTag(manifest.PreRestore)
	}
	if goes && !stays {
		return nil, refuse(RefusedLastGood, fmt.Sprintf("target %s: no good snapshot would be left that is not marked", o.Repository.Store.Name()), "make a good snapshot first")
	}
	memory, err := load(o.Notebook, o.Repository.ID, o.Set)
	if err != nil {
		return nil, err
	}
	done, err := o.Repository.Expire(ctx, o.Set, ids, manifest.Note{Host: o.Host, Tool: o.Tool, Reason: "forget"}, o.Now())
	for _, e := range done {
		if !e.Held && !slices.Contains(memory.Forgotten, e.ID) {
			memory.Forgotten = append(memory.Forgotten, e.ID)
		}
	}
	return done, errors.Join(err, memory.store(o.Notebook))
}

// Undelete takes back that a snapshot was given up, by whomever: see repository.Undelete. It needs
// Repository, Set, Notebook, Host, Tool, Rand and Now.
func Undelete(ctx context.Context, o Options, id manifest.ID) (pinned bool, err error) {
	note := manifest.Note{At: o.Now().UTC(), Host: o.Host, Tool: o.Tool, Reason: "undelete"}
	pinned, err = o.Repository.Undelete(ctx, o.Set, id, note, o.Rand)
	if err != nil {
		return pinned, err
	}
	memory, err := load(o.Notebook, o.Repository.ID, o.Set)
	if err != nil || !slices.Contains(memory.Forgotten, id) {
		return pinned, err
	}
	memory.Forgotten = slices.DeleteFunc(memory.Forgotten, func(f manifest.ID) bool { return f == id })
	return pinned, memory.store(o.Notebook)
}
