package repository

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Identity is one way to know a snapshot again in another repository, where it has another id. It is a
// key for maps: two manifests that share an Identity are of one snapshot, with the same streams.
type Identity struct {
	repository, id string // the snapshot that a copy was first made from, or that the snapshot is itself
	moment         time.Time
	host           string
	streams        string // of what the components are, so that no two contents are ever taken for one
}

// Identities returns those of a snapshot: by its origin, which copies keep, and by the create that made it
// in several targets at once.
func Identities(m *manifest.Manifest) [2]Identity {
	created := Identity{moment: m.CapturedAt.UTC(), host: m.Host, streams: streams(m)}
	origin := Identity{repository: m.Repository, id: string(m.ID), streams: created.streams}
	if o := m.Origin; o != nil {
		origin.repository, origin.id = o.Repository, o.ID
		if o.Repository == "" { // imported: a stamp alone names nothing
			origin.moment, origin.host = created.moment, created.host
		}
	}
	return [2]Identity{origin, created}
}

// Same reports whether two manifests, of different repositories, are of one snapshot.
func Same(a, b *manifest.Manifest) bool {
	mine, of := Identities(a), Identities(b)
	return slices.ContainsFunc(of[:], func(i Identity) bool { return slices.Contains(mine[:], i) })
}

// streams digests what the components of a snapshot are: of an encrypted one, whose manifest does not tell
// the hashes, names and sizes.
func streams(m *manifest.Manifest) string {
	var all []string
	for _, c := range m.Components {
		all = append(all, fmt.Sprintf("%s %s %d %s\n", c.Name, c.Kind, c.Size, c.SHA256))
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "")))
	return string(sum[:])
}
