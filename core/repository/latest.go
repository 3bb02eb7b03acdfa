package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Latest is the name by which the newest snapshot that may be relied on is asked for: the greatest id
// that is good, no safety snapshot, not about to expire, not ahead of now, and has what is asked for.
const Latest = "latest"

// MaxAhead is how far in the future a snapshot's stamp may lie and still be believed: clocks differ.
const MaxAhead = 5 * time.Minute

// Ask says which components the latest snapshot must have. The zero Ask is content with any.
type Ask struct {
	Components []string // it has these, or there is no latest

	// Usual is asked about every component that a snapshot which could be the latest had within the week
	// before the newest of them. Those for which it is true are asked for as well, unless no snapshot
	// has them all: an hourly create that leaves a component out does not hide the nightly one that has
	// it. nil asks for none.
	Usual func(component string) bool
}

// week is how long before its newest good snapshot a set's usual components are looked for.
const week = 7 * 24 * time.Hour

// Incomplete is a snapshot that is newer than the latest, and was passed over only because it lacks components.
type Incomplete struct {
	ID      manifest.ID
	Missing []string
}

// latest looks for the snapshot that Latest describes.
func (r *Repository) latest(ctx context.Context, v *View, ask Ask, now time.Time) (*Choice, error) {
	var good, usual []*manifest.Manifest // newest first; usual are those of the week
	var passed, doubted []string
	damaged := false
	var least *Choice // the newest that has the components that it must have
	for id := range v.Newest {
		recent := len(good) == 0 || !id.Time().Before(good[0].ID.Time().Add(-week))
		if least != nil && (ask.Usual == nil || !recent) {
			break
		}
		m, why, err := r.reliable(ctx, v, id, now)
		switch {
		case err != nil:
			return nil, err
		case why != "":
			passed = append(passed, fmt.Sprintf("%s (%s)", id, why))
			damaged = damaged || why == damagedManifest
			if len(good) == 0 && why != safetySnapshot {
				doubted = append(doubted, passed[len(passed)-1])
			}
		case m != nil:
			good = append(good, m)
			if recent {
				usual = append(usual, m)
			}
			if least == nil {
				least = choose(good, ask.Components)
			}
			if lacks := missing(m, ask.Components); len(lacks) > 0 {
				passed = append(passed, fmt.Sprintf("%s (without %s)", id, strings.Join(lacks, ", ")))
			}
		}
	}
	choice := choose(good, ask.all(usual))
	if choice == nil {
		choice = least
	}
	if choice != nil {
		choice.Doubted = doubted
		return choice, nil
	}
	if len(passed) > 3 {
		passed = append(passed[:3], "...")
	}
	hint := "the set is empty"
	if len(passed) > 0 {
		hint = "passed over: " + strings.Join(passed, ", ") + "; name one by its id to use it all the same"
	}
	kind := ErrNoSnapshot
	if damaged && len(good) == 0 {
		kind = ErrDamaged // what cannot be read may be the latest
	}
	return nil, fmt.Errorf("%w: no snapshot of set %s in target %s can be the latest; %s", kind, v.Set, r.Store.Name(), hint)
}

// all returns the names of all components that are asked for, in view of those snapshots.
func (a Ask) all(snapshots []*manifest.Manifest) []string {
	names := slices.Clone(a.Components)
	for _, m := range snapshots {
		for _, c := range m.Components {
			if a.Usual != nil && a.Usual(c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Why a snapshot cannot be the latest, where it matters which.
const (
	damagedManifest = "damaged manifest"
	safetySnapshot  = "safety snapshot"
)

// reliable returns the manifest of a snapshot that could be the latest but for its components, or why it
// could not. One that does not exist is neither.
func (r *Repository) reliable(ctx context.Context, v *View, id manifest.ID, now time.Time) (_ *manifest.Manifest, why string, _ error) {
	m, err := r.Load(ctx, v.Set, id)
	switch {
	case errors.Is(err, ErrRevoked), errors.Is(err, target.ErrNotFound):
		return nil, "", nil
	case errors.Is(err, ErrDamaged):
		return nil, damagedManifest, nil
	case err != nil:
		return nil, "", err
	}
	usable, err := v.Usable(ctx, id)
	switch {
	case err != nil:
		return nil, "", err
	case m.Grade != manifest.Good:
		return nil, string(m.Grade), nil
	case m.HasTag(manifest.PreRestore):
		return nil, safetySnapshot, nil
	case !usable:
		return nil, "marked as expired", nil
	case m.ID.Time().After(now.Add(MaxAhead)):
		return nil, "stamp lies in the future", nil
	}
	return m, "", nil
}

// choose returns the first of the snapshots that has all components, or nil.
func choose(good []*manifest.Manifest, components []string) *Choice {
	var passed []Incomplete
	for _, m := range good {
		lacks := missing(m, components)
		if len(lacks) == 0 {
			return &Choice{Manifest: m, Passed: passed}
		}
		passed = append(passed, Incomplete{m.ID, lacks})
	}
	return nil
}

func missing(m *manifest.Manifest, components []string) (lacks []string) {
	for _, c := range components {
		if m.Component(c) == nil {
			lacks = append(lacks, c)
		}
	}
	return lacks
}
