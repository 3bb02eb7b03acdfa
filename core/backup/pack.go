package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
)

// packedComponent is a captured component's entry in every target's manifest.
type packedComponent struct {
	name      string
	report    source.Report
	forTarget map[*targetRun]manifest.Component
}

// pack inspects, compresses and sends the captured components, one after the other.
func (r *run) pack(ctx context.Context) ([]packedComponent, error) {
	var all []packedComponent
	for i, c := range r.Components {
		name := c.Source.Name()
		frozen := r.cut.Frozen[name]
		if frozen == nil {
			continue
		}
		p := packedComponent{name: name, forTarget: map[*targetRun]manifest.Component{}}
		level, baseline := r.due(ctx, name)
		g, gctx := errgroup.WithContext(ctx)
		g.Go(func() (err error) {
			p.report, err = kinds.InspectAs(gctx, c.Source.Kind(), c.Format, frozen.Path, level, baseline)
			if level < source.Full {
				p.report.Checks = append(p.report.Checks, notDue(r.Check))
			}
			return err
		})
		g.Go(func() error {
			groups, err := r.group(gctx, c, frozen)
			defer func() {
				for _, g := range groups {
					g.close()
				}
			}()
			for _, g := range groups {
				if err == nil {
					err = r.packGroup(gctx, c, frozen, g, &p)
				}
			}
			return err
		})
		if err := g.Wait(); err != nil {
			return nil, fmt.Errorf("component %s: %w", name, err)
		}
		for i := range p.report.Checks {
			p.report.Checks[i].Detail = clip(p.report.Checks[i].Detail)
		}
		for t, entry := range p.forTarget {
			entry.Facts, entry.Checks = p.report.Facts, p.report.Checks
			p.forTarget[t] = entry
		}
		r.report.Components[i].Checks = p.report.Checks
		all = append(all, p)
		if err := r.nothing(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// group is targets whose parents hold the same stream of a component.
type group struct {
	targets []*targetRun
	parents []*parentComponent // nil elements: no parent
}

func (g *group) close() {
	for _, p := range g.parents {
		if p != nil {
			p.Close()
		}
	}
}

// group opens the component's parent in every target that is left, and groups the targets. A target
// whose parent cannot be read is out.
func (r *run) group(ctx context.Context, c Component, frozen *source.Frozen) ([]*group, error) {
	byHash := map[string]*group{}
	var groups []*group
	for _, t := range r.targets {
		if t.Err != nil {
			continue
		}
		parent, err := t.openParent(ctx, c.Source.Name(), c.Source.Kind(), frozen.ChunkSize, frozen.Size(), r.scratch)
		if err != nil {
			if ctx.Err() != nil {
				return groups, err
			}
			t.Err = err
			continue
		}
		hash := ""
		if parent != nil {
			hash = parent.hash
		}
		g := byHash[hash]
		if g == nil {
			g = &group{}
			byHash[hash] = g
			groups = append(groups, g)
		}
		g.targets, g.parents = append(g.targets, t), append(g.parents, parent)
	}
	return groups, nil
}

// packGroup packs the component once for all targets of a group and puts what is new into each.
func (r *run) packGroup(ctx context.Context, c Component, frozen *source.Frozen, g *group, p *packedComponent) error {
	name := c.Source.Name()
	var parents []*archive.Parent
	for _, parent := range g.parents {
		if parent == nil {
			parents = append(parents, nil)
			continue
		}
		parents = append(parents, archive.NewParent(parent.Recipe, parent.refresh))
	}
	up := r.newUpload(ctx, name, g.targets)
	packed, err := archive.Pack(ctx, frozen.Parts, frozen.ChunkSize, parents, archive.PackOptions{
		Scratch: r.scratch, Workers: r.Workers, Rand: r.Rand, Emit: up.emit,
		Progress: func(n int64) { r.Progress.Add("pack "+name, n, frozen.Size()) },
	})
	werr := up.wait()
	if packed != nil {
		defer packed.Close()
	}
	if errors.Is(err, errNoTarget) {
		return werr // the targets' own errors tell the rest
	}
	if err := errors.Join(err, werr); err != nil {
		return err
	}
	entry := manifest.Component{
		Name: name, Kind: c.Source.Kind(), ChunkSize: frozen.ChunkSize, Size: packed.Size,
		SHA256: hex.EncodeToString(packed.SHA256[:]), FrozenMS: r.cut.Held[name].Milliseconds(),
	}
	var places sync.WaitGroup
	entries := make([]manifest.Component, len(g.targets))
	for i, t := range g.targets {
		if t.Err != nil {
			continue
		}
		t.Stored[name] = packed.Raw
		places.Go(func() { entries[i], t.Err = t.place(ctx, r, entry, packed.Members[i], g.parents[i], up.volumes) })
	}
	places.Wait()
	for i, t := range g.targets {
		p.forTarget[t] = entries[i]
	}
	return ctx.Err()
}

// upload puts volumes into the targets of a group while the next ones are packed. One volume waits
// while one is sent: a slow target holds the others back by no more.
type upload struct {
	r         *run
	component string
	targets   []*targetRun
	queue     chan *archive.Volume
	done      chan struct{}
	ctx       context.Context
	volumes   map[archive.VolumeID]freshVolume // what was emitted
	dead      chan struct{}                    // closed when no target is left
	err       error
}

// freshVolume is a new volume's entry in a manifest, but for its key, which is each target's own.
type freshVolume struct {
	manifest.Volume
	n int
}

// errNoTarget ends the packing for a group of which every target has failed.
var errNoTarget = errors.New("no target is left")

func (r *run) newUpload(ctx context.Context, component string, targets []*targetRun) *upload {
	u := &upload{
		r: r, component: component, targets: targets, ctx: ctx,
		queue: make(chan *archive.Volume, 1), done: make(chan struct{}), dead: make(chan struct{}),
		volumes: map[archive.VolumeID]freshVolume{},
	}
	go u.run()
	return u
}

// emit implements archive.PackOptions.Emit.
func (u *upload) emit(ctx context.Context, v *archive.Volume) error {
	select {
	case u.queue <- v:
		return nil
	case <-u.dead:
		return errors.Join(errNoTarget, v.Close())
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), v.Close())
	}
}

// wait returns when everything that was emitted was dealt with.
func (u *upload) wait() error {
	close(u.queue)
	<-u.done
	return u.err
}

func (u *upload) run() {
	defer close(u.done)
	for v := range u.queue {
		u.volumes[v.ID] = freshVolume{
			manifest.Volume{ID: v.ID.String(), Size: v.Size, SHA256: hex.EncodeToString(v.SHA256[:]), Raw: v.Raw}, v.N,
		}
		left := u.send(v)
		u.err = errors.Join(u.err, v.Close())
		if left == 0 {
			close(u.dead)
			for v := range u.queue {
				u.err = errors.Join(u.err, v.Close())
			}
		}
	}
}

// send puts a volume into every target that is left, and returns how many then still are.
func (u *upload) send(v *archive.Volume) (left int) {
	var g sync.WaitGroup
	for _, t := range u.targets {
		if t.Err != nil {
			continue
		}
		g.Go(func() {
			key := manifest.VolumeKey(u.r.Set, t.session.ID, u.component, v.N, false)
			t.Err = t.session.Put(u.ctx, key, v, v.Size, v.SHA256)
			u.r.Progress.Add("upload "+t.Name, v.Size, 0)
		})
	}
	g.Wait()
	for _, t := range u.targets {
		if t.Err == nil {
			left++
		}
	}
	return left
}
