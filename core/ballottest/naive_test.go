package ballottest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// naive is a cleanup as one would first write it: what no manifest names goes.
func naive(ctx context.Context, a *actor) error {
	v, err := a.repo.View(ctx, set)
	if err != nil {
		return err
	}
	snapshots, err := a.repo.Snapshots(ctx, v)
	if err != nil {
		return err
	}
	live := map[string]bool{}
	for _, s := range snapshots {
		if s.Err != nil {
			return s.Err
		}
		for key := range named(s.Manifest) {
			live[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(v.Archives)) {
		if !live[key] {
			if err := a.store.Delete(ctx, key); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
		}
	}
	return nil
}

func TestNaive(t *testing.T) {
	seed := seedOf(t)
	for n := range uint64(100) {
		if s := (game{sweep: naive}).play(t, seed+n, false); len(s.ledger.broken) > 0 {
			t.Logf("after %d schedules: %s", n+1, s.ledger.broken[0].what)
			return
		}
	}
	t.Error("nothing was lost")
}
