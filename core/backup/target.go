package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/state"
)

// targetRun is one target's part of a run. Its Err ends it: nothing more is sent there.
type targetRun struct {
	TargetReport
	n        int // in Options.Targets
	repo     *repository.Repository
	session  *repository.Session
	history  *history
	parent   manifest.ID // the newest snapshot whose chunks are reused
	sequence int64       // the greatest that was seen
}

func (t *targetRun) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

// begin is steps C1 and C2 of the ballot, and a look at the target's past.
func (t *targetRun) begin(ctx context.Context, r *run) (err error) {
	if t.session, err = t.open(ctx, r); err != nil {
		return err
	}
	if t.session.Late {
		t.note("stamped %s, a second after the last snapshot: the clock is behind that, or creates come faster than one a second", t.session.ID)
	}
	if n := len(t.session.View.Foreign); n > 0 {
		t.note("%d keys in the target are not holdfast's and were left alone, the first is %s", n, t.session.View.Foreign[0])
	}
	t.history = newHistory(t.session, r.Past)
	if t.sequence, err = t.history.sequence(ctx, r.Now().Add(repository.MaxAhead)); err != nil || r.State == nil || r.Past != nil {
		return err
	}
	seen, err := r.State.Seen(r.Set, t.Name)
	if err != nil {
		t.note("%v", err)
	}
	if seen.Repository == t.repo.ID && seen.Sequence > t.sequence {
		if !slices.Contains(t.session.View.IDs, manifest.ID(seen.ID)) {
			t.note("the target has lost its newest snapshots: %s with sequence %d was seen on %s, now the newest has %d",
				seen.ID, seen.Sequence, seen.At.Format("2006-01-02"), t.sequence)
		}
		t.sequence = seen.Sequence
	}
	return nil
}

// open starts the session.
func (t *targetRun) open(ctx context.Context, r *run) (*repository.Session, error) {
	note := manifest.Note{Host: r.Host, Tool: r.Tool}
	switch {
	case r.Past != nil && r.DryRun:
		return t.repo.RehearseAt(ctx, r.Set, r.cut.Instant, r.Rand)
	case r.Past != nil:
		return t.repo.BeginAt(ctx, r.Set, r.cut.Instant, r.Now(), r.Rand, note)
	case r.DryRun:
		return t.repo.Rehearse(ctx, r.Set, r.cut.Instant, r.Now(), r.Rand)
	}
	return t.repo.Begin(ctx, r.Set, r.cut.Instant, r.Now(), r.Rand, note)
}

// commit votes for the snapshot.
func (t *targetRun) commit(ctx context.Context, r *run, components []packedComponent) error {
	m := manifest.Manifest{
		Format: manifest.Format, CapturedAt: r.cut.Instant, Host: r.Host, Tool: r.Tool, Parent: t.parent,
		Sequence: min(t.sequence, manifest.MaxInt-1) + 1, Tags: r.Tags, Grade: r.report.Grade, Reasons: r.report.Reasons,
	}
	if r.Past != nil {
		m.Origin = &r.Past.Origin
	}
	for _, c := range components {
		m.Components = append(m.Components, c.forTarget[t])
	}
	committed, err := t.session.Commit(ctx, m, r.Rand)
	t.Sent = t.session.Sent()
	t.session = nil
	var intent *repository.IntentError
	if errors.As(err, &intent) && committed != nil {
		t.note("%v", err)
	} else if err != nil {
		return err
	}
	t.Manifest = committed
	if !r.DryRun && r.Past == nil { // an import commits hundreds, one after the other
		if _, err := t.repo.Store.RemoveStale(ctx); err != nil {
			t.note("what killed puts left behind could not be removed, the next create will try again: %v", err)
		}
	}
	if r.State != nil && !r.DryRun && r.Past == nil {
		seen := state.Seen{Repository: t.repo.ID, ID: string(committed.ID), Sequence: committed.Sequence, At: r.Now().UTC()}
		if err := r.State.Remember(r.Set, t.Name, seen); err != nil {
			t.note("%v", err)
		}
	}
	return nil
}

// end gives up a session that did not come to its vote.
func (t *targetRun) end(ctx context.Context) {
	if t.session == nil {
		return
	}
	t.Sent = t.session.Sent()
	if err := t.session.Abandon(ctx); err != nil {
		t.note("%v", err)
	}
}

// parentComponent is what a component's new chunks are told from.
type parentComponent struct {
	*repository.Component
	snapshot manifest.ID
	refresh  map[archive.VolumeID]int64
	hash     string // of the stream: targets whose parents agree in it form a group
}

// maxIndexes bounds how many damaged indexes a create reads on the way to a parent.
const maxIndexes = 8

// openParent finds the newest usable snapshot that has the component in the same shape and whose index
// can be read; nil when there is none. Volumes that are not whole count as lost.
func (t *targetRun) openParent(ctx context.Context, name string, kind manifest.Kind, chunkSize int, size int64, scratch string) (*parentComponent, error) {
	view := t.session.View
	for n, damaged := 0, 0; n < historyDepth && damaged < maxIndexes; n++ {
		m, err := t.history.at(ctx, n)
		if err != nil || m == nil {
			return nil, err
		}
		c := m.Component(name)
		if c == nil || m.Encryption != nil || c.Kind != kind || c.ChunkSize != chunkSize ||
			slices.ContainsFunc(c.Index, func(o manifest.Object) bool { return !view.Whole(o.Key, o.Size) }) {
			continue
		}
		open, err := t.repo.OpenComponent(ctx, m, name, scratch)
		if errors.Is(err, repository.ErrDamaged) {
			t.note("%s of snapshot %s cannot serve as parent: %v", name, m.ID, err)
			damaged++
			continue
		}
		if err != nil {
			return nil, err
		}
		var volumes []archive.ParentVolume
		for _, id := range open.Recipe.Volumes {
			v := open.Volume(id)
			volumes = append(volumes, archive.ParentVolume{
				ID: id, Size: v.Size, Raw: v.Raw, Live: v.Live, Lost: !view.Whole(v.Key, v.Size),
			})
		}
		t.parent = max(t.parent, m.ID)
		return &parentComponent{open, m.ID, archive.Refresh(volumes, size), c.SHA256}, nil
	}
	return nil, nil
}

// place puts what a member's index needs and returns the component's entry in the manifest.
func (t *targetRun) place(ctx context.Context, r *run, c manifest.Component, m archive.Member, parent *parentComponent, fresh map[archive.VolumeID]freshVolume) (manifest.Component, error) {
	for _, id := range m.Recipe.Volumes {
		var v manifest.Volume
		if f, ok := fresh[id]; ok {
			v = f.Volume
			v.Key = manifest.VolumeKey(r.Set, t.session.ID, c.Name, f.n, false)
		} else {
			v = *parent.Volume(id)
		}
		v.Live = m.Live[id]
		c.Volumes = append(c.Volumes, v)
	}
	slices.SortFunc(c.Volumes, func(a, b manifest.Volume) int { return strings.Compare(a.Key, b.Key) })
	if m.Same {
		c.Index = parent.Index
		return c, nil
	}
	index, base, err := makeIndex(r.scratch, m.Recipe, parent)
	if err != nil {
		return c, err
	}
	defer index.Close()
	key := manifest.IndexKey(r.Set, t.session.ID, c.Name, false)
	if err := t.session.Put(ctx, key, index, index.Size, index.SHA256); err != nil {
		return c, err
	}
	c.Index = []manifest.Object{{Key: key, Size: index.Size, SHA256: hex.EncodeToString(index.SHA256[:])}}
	if base != nil {
		c.Index = append(c.Index, *base)
	}
	return c, nil
}

// patchShare is how large a patch may be, as a share of its base, before a full index is written.
const patchShare = 4

// makeIndex writes a patch on the parent's full index, or a full index when there is none that serves or
// the patch would be too large. base is what a patch rests on.
func makeIndex(scratch string, recipe *archive.Recipe, parent *parentComponent) (_ *archive.Index, base *manifest.Object, err error) {
	if b := recipe.Base(); b != nil {
		base = &parent.Index[len(parent.Index)-1]
		patch, err := archive.WriteIndex(scratch, recipe, b)
		if err != nil {
			return nil, nil, err
		}
		if patch.Size <= base.Size/patchShare {
			return patch, base, nil
		}
		if err := patch.Close(); err != nil {
			return nil, nil, err
		}
	}
	full, err := archive.WriteIndex(scratch, recipe, nil)
	return full, nil, err
}
