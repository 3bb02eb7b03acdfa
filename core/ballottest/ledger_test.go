package ballottest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

const (
	set          = "atocore"
	repositoryID = "0123456789abcdef0123456789abcdef"
)

// givenUp tells which snapshots a cleanup's own plan gives up; nil for who has no plan.
type givenUp func(manifest.ID) bool

// broken is a promise that did not hold.
type broken struct {
	loss bool // somebody's snapshot is gone, or is not what it was; not just a rule that would keep it from that
	what string
}

// ledger sees every effect on the target, in the order in which they happen, and what people were told.
type ledger struct {
	s         *schedule
	sums      map[string]string                    // archive keys that are there: SHA-256, in hexadecimal
	snapshots map[manifest.ID]*manifest.Manifest   // whose manifest stands at its ballot
	namedBy   map[string]map[manifest.ID]bool      // archive keys, by the manifests that stand
	taken     map[manifest.ID]bool                 // ballots that were ever taken
	tombs     map[manifest.ID]time.Time            // tombstones that stand, and since when
	swept     map[manifest.ID]bool                 // of which a verdict was ever sweep
	sweeps    map[string]bool                      // verdicts that stand and say so
	told      map[manifest.ID]bool                 // whose writer was told that it is committed
	holds     map[manifest.ID]map[string]time.Time // pins that people rely on, by key, and until when
	marked    map[manifest.ID]bool                 // on which a mark was ever put
	intents   map[string]bool                      // that are there
	pins      map[string]bool                      // that are there
	pinBy     map[*actor]string                    // the key of the pin that an actor put last
	counts    map[string]int                       // what happened, for the log of a run
	broken    []broken
}

func newLedger(s *schedule) *ledger {
	return &ledger{
		s: s, sums: map[string]string{}, snapshots: map[manifest.ID]*manifest.Manifest{}, namedBy: map[string]map[manifest.ID]bool{},
		taken: map[manifest.ID]bool{}, tombs: map[manifest.ID]time.Time{}, swept: map[manifest.ID]bool{}, sweeps: map[string]bool{}, told: map[manifest.ID]bool{},
		holds: map[manifest.ID]map[string]time.Time{}, marked: map[manifest.ID]bool{}, pins: map[string]bool{}, intents: map[string]bool{}, pinBy: map[*actor]string{}, counts: map[string]int{},
	}
}

func (l *ledger) lose(format string, args ...any)    { l.find(true, format, args...) }
func (l *ledger) violate(format string, args ...any) { l.find(false, format, args...) }

func (l *ledger) find(loss bool, format string, args ...any) {
	b := broken{loss, fmt.Sprintf(format, args...)}
	l.s.log(nil, "BROKEN: %s", b.what)
	if loss || l.s.honest() {
		l.broken = append(l.broken, b)
	}
}

// put is told of a new object.
func (l *ledger) put(a *actor, key string, body []byte) {
	k, err := manifest.ParseKey(key)
	if err != nil {
		return
	}
	l.counts["put "+string(k.Folder)]++
	switch k.Folder {
	case manifest.Archives:
		sum := sha256.Sum256(body)
		l.sums[key] = hex.EncodeToString(sum[:])
	case manifest.Expired:
		l.marked[k.ID] = true
	case manifest.Intents:
		l.intents[key] = true
	case manifest.Pins:
		l.pins[key], l.pinBy[a] = true, key
	case manifest.Verdicts:
		if manifest.Verdict(body) == manifest.Sweep {
			l.swept[k.ID], l.sweeps[key] = true, true
		}
	case manifest.Manifests:
		l.taken[k.ID] = true
		if manifest.IsTombstone(body, k.ID) {
			l.tombs[k.ID] = l.s.now
			l.counts["tombstones"]++
			return
		}
		m, err := manifest.Decode(body)
		if err != nil {
			l.violate("%s put %s, which is no manifest: %v", a, key, err)
			return
		}
		l.snapshots[k.ID] = m
		for key, sum := range inOrder(named(m)) {
			if l.namedBy[key] == nil {
				l.namedBy[key] = map[manifest.ID]bool{}
			}
			l.namedBy[key][k.ID] = true
			if l.sums[key] != sum && !l.expired(k.ID) {
				l.lose("the manifest of %s takes its ballot, and %s is not there", k.ID, key)
			}
		}
	}
}

// delete is told of an object that is about to go, and of the plan that its deletion is part of.
func (l *ledger) delete(a *actor, gives givenUp, key string) {
	k, err := manifest.ParseKey(key)
	if err != nil {
		if key == manifest.MarkerKey {
			l.lose("%s deletes the marker", a)
		}
		return
	}
	l.counts["delete "+string(k.Folder)]++
	switch k.Folder {
	case manifest.Archives:
		for id := range inOrder(l.namedBy[key]) {
			l.mayGo(a, gives, id, key)
		}
		delete(l.sums, key)
	case manifest.Manifests:
		if since, ok := l.tombs[k.ID]; ok {
			if l.s.now.Sub(since) < 365*24*time.Hour {
				l.violate("%s deletes the tombstone of %s within a year", a, k.ID)
			}
			delete(l.tombs, k.ID)
			return
		}
		l.mayGo(a, gives, k.ID, key)
		for key := range named(l.snapshots[k.ID]) {
			delete(l.namedBy[key], k.ID)
		}
		delete(l.snapshots, k.ID)
		if len(l.snapshots) == 0 {
			l.lose("%s deletes snapshot %s, the last that there is", a, k.ID)
		}
	case manifest.Intents:
		delete(l.intents, key)
		if !l.taken[k.ID] {
			l.violate("%s deletes the intent of %s, whose ballot is not taken", a, k.ID)
		}
	case manifest.Pins:
		delete(l.pins, key)
		if l.snapshots[k.ID] != nil && a.role == "cleanup" {
			l.violate("%s deletes a pin of %s, which is there", a, k.ID)
		}
		l.release(k.ID, key)
	case manifest.Expired, manifest.Verdicts:
		delete(l.sweeps, key)
		if l.snapshots[k.ID] != nil {
			l.violate("%s deletes %s of a snapshot that is there", a, key)
		}
	}
}

// mayGo checks that an actor may delete what belongs to a snapshot.
func (l *ledger) mayGo(a *actor, gives givenUp, id manifest.ID, key string) {
	switch {
	case !l.expired(id):
		l.lose("%s deletes %s of snapshot %s, which nobody swept", a, key, id)
	case l.held(id):
		l.lose("%s deletes %s of snapshot %s, which is held", a, key, id)
	case gives == nil || !gives(id):
		l.lose("%s deletes %s of snapshot %s, which its plan keeps", a, key, id)
	}
}

// expired reports whether a verdict says that the snapshot is to be swept.
func (l *ledger) expired(id manifest.ID) bool {
	for n := 1; n < 10; n++ {
		if l.sweeps[manifest.VerdictKey(set, id, n)] {
			return true
		}
	}
	return false
}

// open is the snapshots that are marked and may still be saved.
func (l *ledger) open() map[manifest.ID]bool {
	open := map[manifest.ID]bool{}
	for id := range l.marked {
		if l.snapshots[id] != nil && !l.expired(id) {
			open[id] = true
		}
	}
	return open
}

// held reports whether somebody relies on a pin.
func (l *ledger) held(id manifest.ID) bool {
	for _, until := range l.holds[id] {
		if until.IsZero() || until.After(l.s.now) {
			return true
		}
	}
	return false
}

// hold is told that somebody was told that a pin holds the snapshot; the zero time is no end. A pin that was
// taken away meanwhile holds nothing.
func (l *ledger) hold(id manifest.ID, pin string, until time.Time) {
	if pin != "" && !l.pins[pin] {
		return
	}
	if l.holds[id] == nil {
		l.holds[id] = map[string]time.Time{}
	}
	l.holds[id][pin] = until
}

// release is told that a pin goes.
func (l *ledger) release(id manifest.ID, pin string) { delete(l.holds[id], pin) }

// commit is told that a writer was told that its snapshot is committed.
func (l *ledger) commit(id manifest.ID) {
	l.told[id] = true
	l.counts["committed"]++
	l.stands(id)
}

func (l *ledger) stands(id manifest.ID) {
	if l.snapshots[id] == nil && !l.swept[id] {
		l.lose("the writer of %s was told that it is committed, and it does not exist", id)
	}
}

// close checks what must hold when everything is over and swept: all that is promised is there, and nothing
// else.
func (l *ledger) close() {
	for id := range inOrder(l.told) {
		l.stands(id)
	}
	for id, m := range inOrder(l.snapshots) {
		if l.expired(id) {
			continue // its objects may be gone
		}
		for key, sum := range inOrder(named(m)) {
			if l.sums[key] != sum {
				l.lose("snapshot %s has lost %s", id, key)
			}
		}
	}
	for key := range inOrder(l.intents) {
		l.violate("%s is left", key)
	}
	for key := range inOrder(l.sums) {
		if len(l.namedBy[key]) == 0 {
			l.violate("%s is garbage, and was not swept", key)
		}
	}
}

// named is what a manifest names: keys and SHA-256.
func named(m *manifest.Manifest) map[string]string {
	all := map[string]string{}
	for _, c := range m.Components {
		for _, o := range c.Index {
			all[o.Key] = o.SHA256
		}
		for _, v := range c.Volumes {
			all[v.Key] = v.SHA256
		}
	}
	return all
}

// inOrder ranges over a map as any other run with the same seed does.
func inOrder[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
