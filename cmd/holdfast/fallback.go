package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
)

// fallback looks for what a snapshot's target has lost in the others of these
// places. They are opened when they are needed, and closed by done.
func (a *app) fallback(places []place, own string) (f *restore.Fallback, done func()) {
	f = &restore.Fallback{}
	var all []*opened
	for _, p := range places {
		if p.name == own {
			continue
		}
		f.Others = append(f.Others, restore.Other{Name: p.name, Open: func(ctx context.Context) (*repository.Repository, error) {
			o, err := a.connect(ctx, p)
			if err != nil {
				return nil, err
			}
			all = append(all, o)
			return o.Repository, nil
		}})
	}
	return f, func() {
		for _, o := range all {
			o.close()
		}
	}
}

// rescued is what a target had lost of a component, and where it was found.
type rescued struct {
	Component string         `json:"component"`
	Damaged   []string       `json:"damaged"` // keys of objects that are damaged or missing
	Lost      restore.Chunks `json:"lost"`    // what was needed of them
	Left      restore.Chunks `json:"left"`    // what of that was found nowhere
	Found     []rescuedFrom  `json:"found"`
	Whole     bool           `json:"whole"`     // all of it was found
	NotAsked  []string       `json:"not_asked"` // what kept places from being asked
}

type rescuedFrom struct {
	Target string      `json:"target"`
	ID     manifest.ID `json:"id"`
	Index  bool        `json:"index"` // its index stood in for the lost one
	restore.Chunks
}

func newRescued(r *restore.Rescue) *rescued {
	if r == nil {
		return nil
	}
	out := &rescued{Component: r.Component, Damaged: []string{}, Lost: r.Lost, Left: r.Left, Found: []rescuedFrom{}, Whole: r.Whole(), NotAsked: []string{}}
	for _, d := range r.Damaged {
		out.Damaged = append(out.Damaged, d.Key)
	}
	for _, f := range r.Found {
		out.Found = append(out.Found, rescuedFrom{f.Target, f.ID, f.Index, f.Chunks})
	}
	for _, err := range r.Silent {
		out.NotAsked = append(out.NotAsked, err.Error())
	}
	return out
}

// tellRescued warns of what a target has lost, although it was found.
func (a *app) tellRescued(target string, r *restore.Rescue) {
	if r != nil {
		a.warn(fmt.Errorf("target %s: %s; see holdfast validate", target, r))
	}
}

// standsIn returns the stamp of the snapshot that ref names, by which it is looked
// for once more in the targets that lack it: an id is unique to one target, and one
// that has it may be among those that failed. "" when there is nothing to look for.
func standsIn(ref string, fault, missing error) string {
	id, err := manifest.ParseID(ref)
	if err != nil || fault == nil || missing == nil {
		return ""
	}
	stamp, _, _ := strings.Cut(string(id), "-")
	return stamp
}

// standIn refuses to replace live stores by another snapshot than the one that was named in full: two creates
// to two targets within a second have the same stamp.
func standIn(ref string, f *found) error {
	if _, err := manifest.ParseID(ref); err != nil || manifest.ID(ref) == f.manifest.ID {
		return nil
	}
	return &failure{
		code: exitRefused, id: "other_snapshot",
		err:  fmt.Errorf("snapshot %s is in no target that can be read; %s in target %s has the same stamp, and need not be of the same moment; nothing is replaced", ref, f.manifest.ID, f.name),
		hint: fmt.Sprintf("see holdfast show %s; when it is the one, restore that", f.manifest.ID),
	}
}

// tellStandIn warns that another snapshot than the one that was asked for was taken.
func (a *app) tellStandIn(target string, id manifest.ID, ref string) {
	a.warn(fmt.Errorf("target %s: snapshot %s stands in for %s: it has the same stamp, and is the only one there that has", target, id, ref))
}
