package cleanup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
	"github.com/atocore/holdfast/core/target"
)

// ballot is what a cleanup needs to know of what stands at one.
type ballot struct {
	id        manifest.ID
	size      int64
	at        time.Time // of the object
	tombstone bool
	grade     manifest.Grade
	facts     retention.Snapshot
	captured  time.Time
	objects   []object // that the manifest names, each once
}

// object is a stored object that a manifest names.
type object struct {
	key  string
	size int64
}

// intent is a listed intent.
type intent struct {
	ID manifest.ID `json:"id"`
	At time.Time   `json:"at"` // by the store's own clock; zero: it does not tell
}

// survey looks at the set: what the plan, the guards and a dry run are made from.
func (r *run) survey(ctx context.Context) (err error) {
	if r.view, err = r.repo.View(ctx, r.Set); err != nil {
		return err
	}
	if r.pins, err = r.repo.Pins(ctx, r.Set); err != nil {
		return err
	}
	listed, err := r.repo.Store.ListAll(ctx, manifest.Prefix(r.Set, manifest.Intents))
	if err != nil {
		return err
	}
	r.intents = intents(listed)
	r.report.foreign(r.view.Foreign, listed)
	if !r.Confirm {
		r.now = r.newest() // a dry run puts no probe; what is as old as this is at least as old
	}
	if err := r.readNotes(ctx); err != nil {
		return err
	}
	r.ballots, r.fates = map[string]*ballot{}, map[manifest.ID]*Snapshot{}
	names := map[string]string{}
	for b, err := range r.repo.Ballots(ctx, r.Set, r.view.Manifests()) {
		switch {
		case err != nil:
			return err
		case errors.Is(b.Err, target.ErrNotFound): // swept since the listing
			continue
		case b.Err != nil && !errors.Is(b.Err, repository.ErrRevoked):
			return unreadable(b.Err)
		}
		known := newBallot(b, names)
		r.ballots[b.Key] = known
		if known.tombstone {
			continue
		}
		standing, err := r.view.Standing(ctx, b.ID)
		if err != nil {
			return err
		}
		r.ids = append(r.ids, b.ID)
		r.fates[b.ID] = &Snapshot{
			ID: b.ID, CapturedAt: known.captured, Grade: known.grade, Standing: standing, Held: r.pins.Held(b.ID, r.moments()...),
		}
	}
	return nil
}

// newest is the store's time of the newest object that was listed.
func (r *run) newest() (at time.Time) {
	later := func(t time.Time) {
		if t.After(at) {
			at = t
		}
	}
	for _, o := range r.view.Manifests() {
		later(o.ModTime)
	}
	for _, i := range r.intents {
		later(i.At)
	}
	for id := range r.view.Each {
		for _, m := range r.view.Of(id) {
			later(m.At)
		}
	}
	return at
}

// unreadable is the error of a ballot that nobody can tell the needs of.
func unreadable(err error) error {
	return fmt.Errorf("nothing is deleted while a manifest cannot be read: %w", err)
}

// newBallot keeps what is needed of a manifest. names holds every key once.
func newBallot(b repository.Ballot, names map[string]string) *ballot {
	known := &ballot{id: b.ID, size: b.Size, at: b.ModTime, tombstone: b.Manifest == nil}
	if known.tombstone {
		return known
	}
	m := b.Manifest
	known.grade, known.captured = m.Grade, m.CapturedAt
	known.facts = retention.Snapshot{ID: m.ID, Grade: m.Grade, Tags: m.Tags}
	seen := map[string]bool{}
	name := func(key string, size int64) {
		if seen[key] {
			return
		}
		seen[key] = true
		if names[key] == "" {
			names[key] = key
		}
		known.objects = append(known.objects, object{names[key], size})
	}
	for _, c := range m.Components {
		known.facts.Components = append(known.facts.Components, c.Name)
		for _, o := range c.Index {
			name(o.Key, o.Size)
		}
		for _, v := range c.Volumes {
			name(v.Key, v.Size)
		}
	}
	return known
}

func intents(listed []target.Object) (out []intent) {
	for _, o := range listed {
		if k, err := manifest.ParseKey(o.Key); err == nil && k.Folder == manifest.Intents {
			out = append(out, intent{k.ID, o.ModTime})
		}
	}
	return out
}

// readNotes looks for notes of a later format, beside which nothing may be deleted. What else is wrong with a note
// does not matter: that it is there counts.
func (r *run) readNotes(ctx context.Context) error {
	var keys []string
	for id := range r.view.Each {
		for _, m := range r.view.Of(id) {
			keys = append(keys, manifest.ExpiredKey(r.Set, id, m.N))
		}
	}
	for _, i := range r.intents {
		keys = append(keys, manifest.IntentKey(r.Set, i.ID))
	}
	for key := range r.view.Damaged {
		if k, err := manifest.ParseKey(key); err == nil {
			keys = append(keys, manifest.DamagedKey(r.Set, k.ID, k.File))
		}
	}
	slices.Sort(keys)
	for _, pins := range r.pins {
		for _, p := range pins {
			if err := newer(p.Doubt); err != nil {
				return err
			}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.Workers)
	for _, key := range keys {
		g.Go(func() error {
			b, err := r.repo.Store.GetBytes(ctx, key, manifest.MaxNoteBytes)
			if errors.Is(err, target.ErrNotFound) || errors.Is(err, target.ErrCorrupt) {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err = manifest.DecodeNote(b); err != nil {
				err = newer(fmt.Errorf("target %s: %s: %w", r.repo.Store.Name(), key, err))
			}
			return err
		})
	}
	return g.Wait()
}

// newer returns err when it speaks of a document of a later format.
func newer(err error) error {
	var bad *manifest.DecodeError
	if errors.As(err, &bad) && bad.ID == manifest.UnsupportedFormat {
		return fmt.Errorf("nothing is deleted beside a document of a later format: %w", err)
	}
	return nil
}
