package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/target"
)

// packedComponent is a captured component's entry in every target's manifest.
type packedComponent struct {
	name      string
	due       due
	report    source.Report
	forTarget map[*targetRun]manifest.Component
}

// pack inspects, compresses and sends the captured components, one after the other. One that cannot be
// packed is missing from the snapshot, and keeps the others from nothing.
func (r *run) pack(ctx context.Context) ([]packedComponent, error) {
	var all []packedComponent
	var failed []error
	for i, c := range r.Components {
		name := c.Source.Name()
		frozen := r.cut.Frozen[name]
		if frozen == nil {
			continue
		}
		p, err := r.packOne(ctx, c, frozen)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := r.nothing(); err != nil {
			return nil, err
		}
		if err != nil {
			err = fmt.Errorf("pack %s: %w", name, err)
			if r.Past != nil {
				return nil, fmt.Errorf("%w: %w", ErrNothing, err)
			}
			r.cut.Failed[name] = err
			r.report.Components[i].Err, r.report.Components[i].Size = err, 0
			failed = append(failed, err)
			continue
		}
		r.report.Components[i].Checks = p.report.Checks
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, errors.Join(append([]error{fmt.Errorf("%w: no component could be packed", ErrNothing)}, failed...)...)
	}
	return all, nil
}

// packOne inspects a component beside packing it.
func (r *run) packOne(ctx context.Context, c Component, frozen *source.Frozen) (packedComponent, error) {
	p := packedComponent{name: c.Source.Name(), forTarget: map[*targetRun]manifest.Component{}}
	if c.Inspected == nil {
		p.due = r.due(ctx, p.name)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if c.Inspected != nil {
			p.report = *c.Inspected
			return nil
		}
		p.report, err = r.inspect(ctx, c, frozen.Path, p.due)
		return err
	})
	g.Go(func() error {
		groups, err := r.group(ctx, c, frozen)
		defer func() {
			for _, g := range groups {
				g.close()
			}
		}()
		for _, g := range groups {
			if err == nil {
				err = r.packGroup(ctx, c, frozen, g, &p)
			}
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return p, err
	}
	for t, entry := range p.forTarget {
		entry.Facts, entry.Checks = p.report.Facts.Fit(), p.report.Checks
		p.forTarget[t] = entry
	}
	return p, nil
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
		if err != nil && (ctx.Err() != nil || !ofTarget(err)) {
			return groups, err
		}
		if err != nil {
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
	var places errgroup.Group
	entries := make([]manifest.Component, len(g.targets))
	for i, t := range g.targets {
		if t.Err != nil {
			continue
		}
		t.Stored[name] = packed.Raw
		places.Go(func() (err error) {
			entries[i], err = t.place(ctx, r, entry, packed.Members[i], g.parents[i], up.volumes)
			if ofTarget(err) {
				t.Err, err = err, nil
			}
			return err
		})
	}
	if err := places.Wait(); err != nil {
		return err
	}
	for i, t := range g.targets {
		p.forTarget[t] = entries[i]
	}
	return ctx.Err()
}

// ofTarget reports whether an error is a target's: others, such as staging that is full, are the component's.
func ofTarget(err error) bool { return errors.As(err, new(*target.Error)) }
