package ballottest

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/retention"
)

// clean is one run of core/cleanup, with a plan that no other run has: it gives up a share of the snapshots, of the
// whole set or of none.
func clean(ctx context.Context, a *actor) error {
	salt, share := a.dice.Uint64(), []byte{0, 64, 128, 200}[a.dice.IntN(4)]
	if a.calm {
		share = 0
	}
	a.gives = func(id manifest.ID) bool {
		h := fnv.New64a()
		h.Write(binary.LittleEndian.AppendUint64([]byte(id), salt))
		return byte(h.Sum64()>>32) < share
	}
	r, err := cleanup.Run(ctx, cleanup.Options{
		Repository: a.repo, Set: set, Plan: a.plan, Confirm: true, NoGrace: a.dice.Float64() >= a.patient, Force: !a.one(10), Notebook: a.notebook,
		Host: a.String(), Tool: "ballottest", Rand: a.rand, Now: a.clock, Workers: 1 + a.dice.IntN(3),
	})
	for _, key := range r.Missing {
		a.ledger.violate("%s reports that %s is missing, and nobody lost anything", a, key)
	}
	return err
}

// plan is a retention plan as a cleanup asks for it.
func (a *actor) plan(snapshots []retention.Snapshot, _ time.Time) (decisions []retention.Decision) {
	for _, s := range snapshots {
		keep := s.Held || !a.gives(s.ID)
		if a.blind && a.ledger.marked[s.ID] {
			keep = false
		}
		decisions = append(decisions, retention.Decision{ID: s.ID, Keep: keep, Reasons: []retention.Reason{{ID: "dice"}}})
	}
	return decisions
}

// notebook is what one host remembers from one cleanup to the next.
type notebook struct {
	body []byte
	read func([]byte) []byte // nil: as it is
}

// Read implements cleanup.Notebook.
func (n *notebook) Read() ([]byte, error) {
	if n.read != nil && n.body != nil {
		return n.read(n.body), nil
	}
	return n.body, nil
}

// Write implements cleanup.Notebook.
func (n *notebook) Write(b []byte) error {
	n.body = b
	return nil
}
