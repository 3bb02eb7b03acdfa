package cleanup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
)

// PlanFile is what a dry run would do, written down: to be read by a person, and done later exactly so or not at all.
type PlanFile struct {
	Format  int          `json:"format"` // 1
	Tool    string       `json:"tool"`
	Targets []TargetPlan `json:"targets"`
	Digest  string       `json:"digest"` // SHA-256 of the document as it is while this member is ""
}

// TargetPlan is the part of one set in one target.
type TargetPlan struct {
	Target     string         `json:"target"` // the configured name
	Repository string         `json:"repository"`
	Set        string         `json:"set"`
	Policy     string         `json:"policy"`   // in words
	Now        time.Time      `json:"now"`      // of the decisions
	NoGrace    bool           `json:"no_grace"` // marks are answered at once
	World      string         `json:"world"`    // see World
	Snapshots  []PlanDecision `json:"snapshots"`
	Mark       []manifest.ID  `json:"mark"`   // get a mark
	Sweep      []manifest.ID  `json:"sweep"`  // get the verdict sweep, and are deleted
	Delete     []string       `json:"delete"` // keys of archives that no manifest needs then
}

// PlanDecision is what is done with one snapshot, and why.
type PlanDecision struct {
	ID      manifest.ID        `json:"id"`
	Keep    bool               `json:"keep"`
	Fate    Fate               `json:"fate"`
	Reasons []retention.Reason `json:"reasons"`
}

const planFormat = 1

// NewTargetPlan writes down what a dry run with o reported.
func NewTargetPlan(o Options, policy string, r *Report) TargetPlan {
	p := TargetPlan{
		Target: o.Repository.Store.Name(), Repository: o.Repository.ID, Set: o.Set, Policy: policy, Now: r.At.UTC(), NoGrace: o.NoGrace,
		World: r.World, Snapshots: []PlanDecision{}, Mark: []manifest.ID{}, Sweep: []manifest.ID{}, Delete: []string{},
	}
	for _, s := range r.Snapshots {
		p.Snapshots = append(p.Snapshots, PlanDecision{s.ID, s.Keep, s.Fate, append([]retention.Reason{}, s.Reasons...)})
	}
	if f := r.Foresight; f != nil {
		p.Mark, p.Sweep, p.Delete = append(p.Mark, f.Mark...), append(p.Sweep, f.Sweep...), append(p.Delete, f.Delete...)
	}
	return p
}

// Bind makes o a run that does this plan and nothing else, and refuses when the set is not as it was.
func (p TargetPlan) Bind(o *Options) error {
	if o.Repository.ID != p.Repository || o.Set != p.Set {
		return refuse(RefusedMoved, fmt.Sprintf("the plan was made for set %s of repository %s; target %s is repository %s",
			p.Set, p.Repository, o.Repository.Store.Name(), o.Repository.ID), "make a new plan")
	}
	o.World, o.NoGrace = p.World, p.NoGrace
	o.Only = &Foresight{Mark: p.Mark, Sweep: p.Sweep, Delete: p.Delete}
	o.Plan = func([]retention.Snapshot, time.Time) (out []retention.Decision) {
		for _, s := range p.Snapshots {
			out = append(out, retention.Decision{ID: s.ID, Keep: s.Keep, Reasons: s.Reasons})
		}
		return out
	}
	return nil
}

// Encode returns the file's bytes; it sets the digest.
func (p *PlanFile) Encode() ([]byte, error) {
	p.Format, p.Digest = planFormat, ""
	b, err := indent(p)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	p.Digest = hex.EncodeToString(sum[:])
	return indent(p)
}

func indent(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// DecodePlan reads a file that Encode wrote. One that was changed in any way, or is none, is refused.
func DecodePlan(b []byte) (*PlanFile, error) {
	altered := func(why string) error {
		return refuse(RefusedAltered, "the plan is not as it was written: "+why, "make a new plan")
	}
	p := &PlanFile{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, altered(err.Error())
	}
	if p.Format != planFormat {
		return nil, altered(fmt.Sprintf("format %d; this version reads format %d", p.Format, planFormat))
	}
	digest := p.Digest
	again, err := p.Encode()
	if err != nil {
		return nil, err
	}
	if digest != p.Digest || !bytes.Equal(again, b) {
		return nil, altered("its digest does not agree")
	}
	return p, nil
}

// World is the SHA-256 of what decides over a set: keys and sizes of its manifests, marks, verdicts,
// pins and intents, one a line.
func World(ctx context.Context, r *repository.Repository, set string) (string, error) {
	h := sha256.New()
	for _, folder := range []manifest.Folder{manifest.Manifests, manifest.Expired, manifest.Verdicts, manifest.Pins, manifest.Intents} {
		for o, err := range r.Store.List(ctx, manifest.Prefix(set, folder), "") {
			if err != nil {
				return "", err
			}
			if _, err := io.WriteString(h, fmt.Sprintf("%s %d\n", o.Key, o.Size)); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
