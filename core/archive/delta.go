package archive

import (
	"context"
	"encoding/binary"
)

// Delta says what two streams have in common. Every distinct chunk counts once, with its plain bytes.
type Delta struct {
	OnlyA, OnlyB, Both Tally
}

// deltaWindow is about how many distinct chunks are held at a time: some 30 MiB.
const deltaWindow = 1 << 18

// Compare finds out what two streams have in common; a nil recipe is an empty stream. Where they have more
// chunks than fit a window it reads both recipes once for every window.
func Compare(ctx context.Context, a, b *Recipe) (Delta, error) {
	return compare(ctx, a, b, deltaWindow)
}

func compare(ctx context.Context, a, b *Recipe, window int64) (d Delta, err error) {
	var chunks int64
	for _, r := range []*Recipe{a, b} {
		if r != nil {
			chunks += r.Chunks()
		}
	}
	passes := uint64(chunks/window + 1) // a chunk's id, which is a hash, says to which it belongs
	for pass := range passes {
		seen := map[ID]uint32{} // length, and above it which streams have the chunk
		for n, r := range []*Recipe{a, b} {
			if r == nil {
				continue
			}
			err := r.each(func(i int64, e Entry) error {
				if i%pageEntries == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				if passes == 1 || binary.BigEndian.Uint64(e.ID[:])%passes == pass {
					seen[e.ID] |= e.Length | 1<<(30+n)
				}
				return nil
			})
			if err != nil {
				return Delta{}, err
			}
		}
		for _, v := range seen {
			t := Tally{1, int64(v & (1<<30 - 1))}
			switch v >> 30 {
			case 1:
				d.OnlyA.add(t)
			case 2:
				d.OnlyB.add(t)
			default:
				d.Both.add(t)
			}
		}
	}
	return d, nil
}
