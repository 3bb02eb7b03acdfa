package ballottest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// create is one create: steps C1 to C5 over repository.Session, and what core/backup does between them, with volumes and
// indexes of a few bytes.
func (a *actor) create(ctx context.Context) error {
	s, err := a.begin(ctx)
	if err != nil {
		return err
	}
	m, err := a.draft(ctx, s)
	if err == nil && !a.calm && a.one(20) {
		err = errors.New("it gives up")
	}
	if err != nil {
		return errors.Join(err, s.Abandon(ctx))
	}
	committed, err := s.Commit(ctx, m, a.rand)
	if committed != nil {
		a.ledger.commit(s.ID)
	}
	return err
}

// begin is C1 and C2.
func (a *actor) begin(ctx context.Context) (*repository.Session, error) {
	note := manifest.Note{Format: manifest.Format, Host: a.String(), Tool: "ballottest"}
	if a.dice.Float64() < a.copies {
		captured := a.now.Add(-time.Duration(a.dice.IntN(1000)) * time.Hour)
		return a.repo.BeginAt(ctx, set, captured, a.clock(), a.rand, note)
	}
	return a.repo.Begin(ctx, set, a.clock(), a.clock(), a.rand, note)
}

// parent is the newest usable snapshot, or sometimes an older one, as for a component that the newest lack.
func (a *actor) parent(ctx context.Context, s *repository.Session) (*manifest.Manifest, error) {
	for id := range s.View.Newest {
		m, err := a.repo.Load(ctx, set, id)
		switch {
		case errors.Is(err, repository.ErrRevoked), errors.Is(err, repository.ErrDamaged), errors.Is(err, target.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		}
		usable, err := s.View.Usable(ctx, id)
		if err != nil {
			return nil, err
		}
		if usable && !a.one(4) {
			return m, nil
		}
	}
	return nil, nil
}

// draft is C3, and the manifest.
func (a *actor) draft(ctx context.Context, s *repository.Session) (manifest.Manifest, error) {
	m := manifest.Manifest{
		Format: manifest.Format, CapturedAt: a.clock().UTC(), Host: a.String(), Tool: "ballottest", Sequence: 1, Grade: manifest.Good,
	}
	parent, err := a.parent(ctx, s)
	if err != nil {
		return m, err
	}
	c := manifest.Component{Name: "db", Kind: manifest.File, ChunkSize: 4096, SHA256: strings.Repeat("0", 64)}
	whole := func(o manifest.Object) bool { return s.View.Whole(o.Key, o.Size) }
	var index []manifest.Object // of the parent
	if parent != nil {
		m.Parent = parent.ID
		old := parent.Component("db")
		for _, v := range old.Volumes {
			if s.View.Whole(v.Key, v.Size) && !a.one(4) {
				c.Volumes = append(c.Volumes, v)
			}
		}
		if !slices.ContainsFunc(old.Index, func(o manifest.Object) bool { return !whole(o) }) {
			index = old.Index
		}
	}
	for n := range 1 + a.dice.IntN(2) {
		o, err := a.object(ctx, s, manifest.VolumeKey(set, s.ID, "db", n, false))
		if err != nil {
			return m, err
		}
		c.Volumes = append(c.Volumes, manifest.Volume{ID: o.SHA256[:16], Key: o.Key, Size: o.Size, SHA256: o.SHA256, Raw: 1, Live: 1})
	}
	c.Size = int64(len(c.Volumes))
	slices.SortFunc(c.Volumes, func(x, y manifest.Volume) int { return strings.Compare(x.Key, y.Key) })
	if index == nil || !a.one(4) {
		o, err := a.object(ctx, s, manifest.IndexKey(set, s.ID, "db", false))
		if err != nil {
			return m, err
		}
		patch := []manifest.Object{o}
		if index != nil && a.one(2) {
			patch = append(patch, index[len(index)-1])
		}
		index = patch
	}
	c.Index = index
	m.Components = []manifest.Component{c}
	return m, nil
}

// object puts some bytes that are nobody else's.
func (a *actor) object(ctx context.Context, s *repository.Session, key string) (manifest.Object, error) {
	b := fmt.Appendf(nil, "%s %x", key, a.dice.Uint64())
	sum := sha256.Sum256(b)
	err := s.Put(ctx, key, bytes.NewReader(b), int64(len(b)), sum)
	return manifest.Object{Key: key, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}, err
}
