package ballottest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// hand is a person at a command line, who pins, unpins, undeletes and forgets.
func (a *actor) hand(ctx context.Context) {
	for range 1 + a.dice.IntN(6) {
		do := map[string]func(context.Context) error{"pin": a.pin, "undelete": a.undelete, "unpin": a.unpin, "forget": a.forget}
		a.doing = []string{"pin", "pin", "undelete", "undelete", "unpin", "forget"}[a.dice.IntN(6)]
		if a.dice.Float64() < a.regret {
			a.doing = []string{"undelete", "unpin"}[a.dice.IntN(2)]
		}
		a.runs++
		a.told(a.doing, do[a.doing](ctx))
	}
}

func (a *actor) note() manifest.Note {
	return manifest.Note{Format: manifest.Format, Host: a.String(), Tool: "ballottest", At: a.clock().UTC()}
}

func (a *actor) pin(ctx context.Context) error {
	id := choose(a, a.ledger.snapshots)
	if open := a.ledger.open(); len(open) > 0 && a.one(2) {
		id = choose(a, open)
	}
	note, until := a.note(), time.Time{}
	if a.one(3) {
		until = a.now.Add(time.Duration(1+a.dice.IntN(20*24)) * time.Hour).UTC()
		note.Until = &until
	}
	pin, err := a.repo.Pin(ctx, set, id, note, a.rand)
	if err == nil {
		a.ledger.hold(id, pin.Key, until)
	}
	return err
}

func (a *actor) undelete(ctx context.Context) error {
	id := choose(a, a.ledger.open())
	delete(a.ledger.pinBy, a)
	held, err := a.repo.Undelete(ctx, set, id, a.note(), a.rand)
	if held && err == nil {
		a.ledger.hold(id, a.ledger.pinBy[a], time.Time{})
	}
	return err
}

func (a *actor) unpin(ctx context.Context) error {
	id := choose(a, a.ledger.holds)
	a.ledger.release(id, "")
	_, err := a.repo.Unpin(ctx, set, id)
	return err
}

func (a *actor) forget(ctx context.Context) error {
	_, err := a.repo.Expire(ctx, set, []manifest.ID{choose(a, a.ledger.snapshots)}, a.note(), a.now)
	return err
}

// choose picks one of the snapshots in a map; one that does not exist when there is none.
func choose[V any](a *actor, from map[manifest.ID]V) manifest.ID {
	ids := slices.Sorted(maps.Keys(from))
	if len(ids) == 0 {
		return "20260101T000000Z-00000000"
	}
	return ids[a.dice.IntN(len(ids))]
}
