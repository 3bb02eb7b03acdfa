package cleanup

import (
	"fmt"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
	"github.com/atocore/holdfast/core/target"
)

// Fate is what becomes of a snapshot.
type Fate string

// In a dry run they say what would become of it.
const (
	FateKept     Fate = "kept"
	FateMarked   Fate = "marked"   // given up by this run: it can be undeleted until its grace has passed
	FateWaiting  Fate = "waiting"  // marked before, and its grace has not passed
	FateExpired  Fate = "expired"  // to be deleted, but the sweep waits or has stopped
	FateDeleted  Fate = "deleted"  // gone
	FateDoubtful Fate = "doubtful" // given up, but a verdict cannot be read: nothing is done
)

// Snapshot is what was decided of one snapshot.
type Snapshot struct {
	ID         manifest.ID
	CapturedAt time.Time
	Grade      manifest.Grade
	Keep       bool // what the plan says; a mark on what it keeps deletes nothing
	Held       bool // by a pin
	Reasons    []retention.Reason
	Standing   repository.Standing // before the run
	Fate       Fate
	Due        time.Time // by the store's own clock: when the grace of its mark ends; zero: no mark, or not known
}

// Report is what a Run did; of a dry run what it would do.
type Report struct {
	DryRun    bool
	At        time.Time  // by this host's clock
	World     string     // of a dry run, and of one bound to a plan: see World
	Snapshots []Snapshot // every one that had a manifest, oldest first

	Waiting []manifest.ID // creates that are in progress: the sweep goes on when they are done
	Objects int           // deleted from archives
	Bytes   int64         // their size
	Revoked []manifest.ID // creates that were given up for dead
	Missing []string      // keys that the manifest of a snapshot names that nobody deletes, and that are not listed after the sweep
	Foreign []string      // keys that are not a repository's; never touched
	Notes   []string      // what a person should know although it is no failure
	Refused error         // of a dry run: what would stand in the way; Is ErrRefused

	Foresight *Foresight // what this run set out to do; nil when it did not come so far
}

// Foresight is what a run sets out to do.
type Foresight struct {
	Mark   []manifest.ID // snapshots that get a mark
	Sweep  []manifest.ID // snapshots that are deleted
	Delete []string      // keys below archives/
}

// both returns what is in a and in b.
func both[T comparable](a, b []T) []T { return without(a, without(a, b)) }

// without returns what is in a and not in b.
func without[T comparable](a, b []T) []T {
	in := map[T]bool{}
	for _, v := range b {
		in[v] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(v T) bool { return in[v] })
}

// foreseen takes over what a run with Confirm would delete.
func (r *Report) foreseen(f *Foresight, archives map[string]int64) {
	r.Objects = len(f.Delete)
	for _, key := range f.Delete {
		r.Bytes += archives[key]
	}
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Report) foreign(keys []string, intents []target.Object) {
	r.Foreign = append(r.Foreign, keys...)
	for _, o := range intents {
		if _, err := manifest.ParseKey(o.Key); err != nil {
			r.Foreign = append(r.Foreign, o.Key)
		}
	}
}

// Marked reports whether an expiry mark stood on the snapshot before the run that was not answered with keep.
func (s *Snapshot) Marked() bool { return s.Standing != repository.Usable }
