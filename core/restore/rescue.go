package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// reading is the way to a component's stream, with a Fallback beside it.
type reading struct {
	*repository.Component
	own      *repository.Repository // where the snapshot lies
	m        *manifest.Manifest
	index    place // where the recipe lies: elsewhere, when the index is lost
	scratch  string
	fallback *Fallback
	rescue   *Rescue // nil while nothing is lost
}

// begin opens a component. When its index is lost, that of the same snapshot elsewhere stands in for it.
func (f *Fallback) begin(ctx context.Context, own *repository.Repository, m *manifest.Manifest, name, scratch string) (*reading, error) {
	r := &reading{own: own, m: m, index: place{own, m}, scratch: scratch, fallback: f}
	c, err := own.OpenComponent(ctx, m, name, scratch)
	r.Component = c
	var bad *repository.ObjectError
	if err == nil || f == nil || !errors.As(err, &bad) {
		return r, err
	}
	rescue := r.lost(name, bad)
	for p := range f.same(ctx, m, rescue.silent) {
		c, err := p.repo.OpenComponent(ctx, p.m, name, scratch)
		if err != nil {
			rescue.silent(err)
			continue
		}
		r.Component, r.index = c, p
		rescue.Found = append(rescue.Found, Found{Target: p.repo.Store.Name(), ID: p.m.ID, Index: true})
		return r, nil
	}
	return r, err
}

// lost notes that an object is.
func (r *reading) lost(name string, bad *repository.ObjectError) *Rescue {
	if r.rescue == nil {
		r.rescue = &Rescue{Component: name}
	}
	r.rescue.Damaged = append(r.rescue.Damaged, bad)
	return r.rescue
}

// silent notes a place that could not be asked.
func (r *Rescue) silent(err error) {
	if !slices.ContainsFunc(r.Silent, func(e error) bool { return e.Error() == err.Error() }) {
		r.Silent = append(r.Silent, err)
	}
}

// read is archive.Read; what is lost is looked for elsewhere. Its error is explained.
func (r *reading) read(ctx context.Context, o archive.ReadOptions) error {
	if r.fallback == nil {
		o.Open = r.Open
		return r.Explain(archive.Read(ctx, r.Recipe, o))
	}
	bad, err := r.damaged(ctx, o)
	if err != nil || len(bad) == 0 {
		return err
	}
	if err := r.search(ctx, bad, o, false); err != nil {
		return err
	}
	if r.rescue.Left.Chunks > 0 {
		first := r.rescue.Damaged[0]
		return &repository.ObjectError{Key: first.Key, Err: fmt.Errorf("%w; %s", first.Err, r.rescue.found())}
	}
	return nil
}

// Seek finds out whether a component of which objects are lost could be restored all the same, and writes nothing:
// volumes are those that are known to be lost. All of them are searched for. When the index is lost, the whole
// stream is read as a restore would read it. The error is for not having found out.
func (f *Fallback) Seek(ctx context.Context, own *repository.Repository, m *manifest.Manifest, name, scratch string, volumes map[archive.VolumeID]error) (*Rescue, error) {
	r, err := f.begin(ctx, own, m, name, scratch)
	if err != nil {
		if r.rescue != nil && errors.Is(err, repository.ErrDamaged) {
			return r.rescue, nil // the index is nowhere
		}
		return nil, err
	}
	defer r.Close()
	if r.rescue != nil {
		if volumes, err = r.damaged(ctx, archive.ReadOptions{Whole: r.Whole}); err != nil {
			return nil, err
		}
	}
	if len(volumes) > 0 {
		err = r.search(ctx, volumes, archive.ReadOptions{}, true)
	}
	return r.rescue, err
}

// damaged is archive.Read, and returns the volumes that it found damaged. Its error is explained.
func (r *reading) damaged(ctx context.Context, o archive.ReadOptions) (map[archive.VolumeID]error, error) {
	var mu sync.Mutex
	bad := map[archive.VolumeID]error{}
	o.Open = r.Open
	o.Damaged = func(v archive.VolumeID, err error) {
		mu.Lock()
		defer mu.Unlock()
		bad[v] = err
	}
	return bad, r.Explain(archive.Read(ctx, r.Recipe, o))
}

// search looks for the chunks that lie in lost volumes: in these themselves, of which a part may be left, and then
// elsewhere. It stops at the first window of which something is left, unless all is to be counted.
func (r *reading) search(ctx context.Context, bad map[archive.VolumeID]error, o archive.ReadOptions, all bool) error {
	for v, err := range bad {
		key := r.Volume(v).Key
		if r.index.repo != r.own { // the same key may be there twice
			key = "target " + r.index.repo.Store.Name() + ": " + key
		}
		r.lost(r.Name, &repository.ObjectError{Key: key, Err: err})
	}
	slices.SortFunc(r.rescue.Damaged, func(a, b *repository.ObjectError) int { return strings.Compare(a.Key, b.Key) })
	s, err := archive.NewSearch(r.Recipe, o.From, o.End, o.To, func(v archive.VolumeID) bool { return bad[v] != nil })
	if err != nil {
		return err
	}
	defer func() { r.rescue.Lost, r.rescue.Left = chunks(s.Lost), chunks(s.Left()) }()
	for {
		more, err := s.Next()
		if err != nil || !more {
			return err
		}
		if err := r.window(ctx, s, bad, o.Progress); err != nil {
			return err
		}
		if !s.Done() && !all {
			return nil
		}
	}
}

func chunks(t archive.Tally) Chunks { return Chunks{t.Chunks, t.Bytes} }

// window looks for one window's chunks: in the lost volumes themselves, then place by place.
func (r *reading) window(ctx context.Context, s *archive.Search, bad map[archive.VolumeID]error, progress func(int64)) error {
	look := func(p place, recipe *archive.Recipe, open archive.Opener) error {
		found, err := s.In(ctx, recipe, open)
		if found.Chunks > 0 {
			r.note(p, chunks(found))
			if progress != nil {
				progress(found.Bytes)
			}
		}
		return r.tolerate(ctx, err)
	}
	if err := look(r.index, r.Recipe, r.Open); err != nil || s.Done() {
		return err
	}
	if r.index.repo != r.own { // only its index is lost
		if err := r.volumes(place{r.own, r.m}, bad, look); err != nil || s.Done() {
			return err
		}
	}
	for p := range r.fallback.places(ctx, r.own, r.m, r.rescue.silent) {
		have := p.m.Component(r.Name)
		if p.repo == r.index.repo && p.m.ID == r.index.m.ID || p.m.Encryption != nil || have == nil || have.ChunkSize != r.ChunkSize {
			continue
		}
		if err := r.volumes(p, bad, look); err != nil || s.Done() {
			return err
		}
		c, err := p.repo.OpenComponent(ctx, p.m, r.Name, r.scratch)
		if err == nil {
			err = errors.Join(look(p, c.Recipe, c.Open), c.Close())
		}
		if err = r.tolerate(ctx, err); err != nil || s.Done() {
			return err
		}
	}
	return ctx.Err()
}

// volumes looks into those volumes of a place that have the ids of lost ones: a create that put the same volume
// into two targets, and a copy, leave the same bytes in each, and no other index is needed.
func (r *reading) volumes(p place, bad map[archive.VolumeID]error, look func(place, *archive.Recipe, archive.Opener) error) error {
	c, err := p.repo.Unindexed(p.m.Component(r.Name))
	if err != nil {
		return err
	}
	for v := range bad {
		if c.Volume(v) == nil {
			continue
		}
		return look(p, r.Recipe, func(ctx context.Context, id archive.VolumeID, offset, length int64) (io.ReadCloser, error) {
			if c.Volume(id) == nil {
				return nil, archive.ErrDamaged // not here
			}
			return c.Open(ctx, id, offset, length)
		})
	}
	return nil
}

// tolerate notes what is wrong with a place, and returns what is wrong with this host or this run.
func (r *reading) tolerate(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !errors.As(err, new(*target.Error)) && !errors.Is(err, repository.ErrDamaged) {
		return err
	}
	r.rescue.silent(err)
	return nil
}

// note adds what a place had.
func (r *reading) note(p place, c Chunks) {
	name := p.repo.Store.Name()
	for i := range r.rescue.Found {
		if f := &r.rescue.Found[i]; f.Target == name && f.ID == p.m.ID {
			f.Chunks.Chunks += c.Chunks
			f.Bytes += c.Bytes
			return
		}
	}
	r.rescue.Found = append(r.rescue.Found, Found{Target: name, ID: p.m.ID, Chunks: c})
}
