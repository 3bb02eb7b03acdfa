package replicate

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// object is one that is to be copied.
type object struct {
	from, to string // keys
	size     int64
	sum      [32]byte
}

// plan is what a copy of one snapshot takes.
type plan struct {
	manifest manifest.Manifest // of the copy, but for what its session sets
	objects  []object
	shared   int64 // bytes of objects that are named where they lie in the destination
}

func (p *plan) size() (n int64) {
	for _, o := range p.objects {
		n += o.size
	}
	return n
}

// plan finds out what of a snapshot the destination lacks, in view of what the session's listing shows.
func (r *run) plan(ctx context.Context, session *repository.Session, m *manifest.Manifest) (*plan, error) {
	parents, err := r.candidates(ctx, session.View, m)
	if err != nil {
		return nil, err
	}
	p := &plan{manifest: *m}
	p.manifest.Parent, p.manifest.Components = "", nil
	for _, c := range m.Components {
		parent, shared := r.choose(session.View, parents, &c)
		if shared.parent != "" {
			p.manifest.Parent = max(p.manifest.Parent, shared.parent)
		}
		if err := p.component(session, c, parent, shared, m.Encryption != nil); err != nil {
			return nil, err
		}
	}
	// Who reads that there is no parent may take the volumes, in their order, for the stream (FORMAT.md, 7).
	if p.manifest.Parent == "" && m.Parent != session.ID {
		p.manifest.Parent = m.Parent
	}
	return p, nil
}

// component adds what a component needs.
func (p *plan) component(session *repository.Session, c manifest.Component, parent *manifest.Component, shared holdings, sealed bool) error {
	set, id := session.View.Set, session.ID
	take := func(from, to string, size int64, sha256 string) (string, error) {
		o := object{from: from, to: to, size: size}
		if n, err := hex.Decode(o.sum[:], []byte(sha256)); err != nil || n != len(o.sum) {
			return "", fmt.Errorf("SHA-256 %q of %s", sha256, from)
		}
		p.objects = append(p.objects, o)
		return to, nil
	}
	var err error
	c.Index = slices.Clone(c.Index)
	for i, o := range c.Index {
		to := manifest.IndexKey(set, id, c.Name, sealed)
		if i > 0 {
			to = manifest.BaseKey(set, id, c.Name, sealed)
		}
		if key := shared.index(parent, o, i > 0); key != "" {
			c.Index[i].Key = key
			p.shared += o.Size
		} else if c.Index[i].Key, err = take(o.Key, to, o.Size, o.SHA256); err != nil {
			return err
		}
	}
	c.Volumes = slices.Clone(c.Volumes)
	n := 0
	for i, v := range c.Volumes {
		if key := shared.volumes[v.ID]; key != "" {
			c.Volumes[i].Key = key
			p.shared += v.Size
			continue
		}
		if c.Volumes[i].Key, err = take(v.Key, manifest.VolumeKey(set, id, c.Name, n, sealed), v.Size, v.SHA256); err != nil {
			return err
		}
		n++
	}
	slices.SortFunc(c.Volumes, func(a, b manifest.Volume) int { return strings.Compare(a.Key, b.Key) })
	p.manifest.Components = append(p.manifest.Components, c)
	return nil
}

// holdings is what of a component the destination holds, as part of one snapshot.
type holdings struct {
	parent  manifest.ID       // "" when it holds nothing
	volumes map[string]string // id -> key
	whole   func(key string, size int64) bool
	bytes   int64
}

// index returns the key under which the parent names an index of those bytes, or "". A base may be named
// where an index lies, but no index where a base lies (FORMAT.md, 11.5).
func (h holdings) index(parent *manifest.Component, o manifest.Object, base bool) string {
	if parent == nil {
		return ""
	}
	for _, have := range parent.Index {
		k, err := manifest.ParseKey(have.Key)
		if err == nil && (base || !k.Base) && have.Size == o.Size && have.SHA256 == o.SHA256 && have.PlainSHA256 == o.PlainSHA256 && h.whole(have.Key, have.Size) {
			return have.Key
		}
	}
	return ""
}

// choose finds the candidate that holds most of a component.
func (r *run) choose(view *repository.View, parents []*manifest.Manifest, c *manifest.Component) (best *manifest.Component, most holdings) {
	whole := view.Whole
	if r.DryRun { // what this run would have put counts as there
		whole = func(key string, size int64) bool {
			k, err := manifest.ParseKey(key)
			return view.Whole(key, size) || err == nil && r.would[k.ID]
		}
	}
	for _, m := range parents {
		have := m.Component(c.Name)
		if have == nil {
			continue
		}
		h := holdings{parent: m.ID, volumes: map[string]string{}, whole: whole}
		named := make(map[string]manifest.Volume, len(have.Volumes))
		for _, v := range have.Volumes {
			named[v.ID] = v
		}
		for _, v := range c.Volumes {
			if n := named[v.ID]; n.Size == v.Size && n.SHA256 == v.SHA256 && n.Raw == v.Raw && whole(n.Key, n.Size) {
				h.volumes[v.ID] = n.Key
				h.bytes += v.Size
			}
		}
		for i, o := range c.Index {
			if h.index(have, o, i > 0) != "" {
				h.bytes += o.Size
			}
		}
		if h.bytes > most.bytes {
			best, most = have, h
		}
	}
	return best, most
}
