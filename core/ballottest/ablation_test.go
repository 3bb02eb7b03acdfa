package ballottest

import "github.com/atocore/holdfast/core/manifest"

// ablation leaves one step of the protocol out.
type ablation struct {
	name string
	game
	rare bool // it takes a soak to see it
}

// ablations is every step whose absence loses snapshots. These lose none, and so are not here:
//
//   - C2, the size of what is reused, and damage marks: they are about stores that lose bytes.
//   - Expire without a look at pins: G2 looks at them again, and the mark only makes the snapshot nobody's parent.
//   - max_session and the grace: the first is patience with writers, whose creates would fail; the second gives
//     people time.
//   - G7, manifests last: earlier ones would leave garbage, which the next sweep finds.
//
// Most steps matter only when several things come together. The style of an ablation makes that likelier: actors stop
// for long, and operations fail, near the step. What is rare all the same takes a soak to see.
func ablations() []ablation {
	lies := func(role string, l func(*actor, *disk) *liar, tune func(*style)) game {
		return game{lie: to(role, l), tune: tune}
	}
	const (
		writer, cleanup, hand = "writer", "cleanup", "hand"
		put, list             = "put", "list"
	)
	commits := point{writer, put, manifest.Manifests, 0.3}
	return []ablation{
		{name: "C1: no intent", game: lies(writer, swallow(manifest.Intents, anything), nil)},
		{name: "C2: the listings before the intent", game: lies(writer, eager, calm(point{writer, put, manifest.Intents, 0.4}))},
		{name: "C2: a marked snapshot is a parent", game: lies(writer, empty(manifest.Expired), both(calm(
			point{writer, put, manifest.Archives, 0.1}, point{cleanup, list, manifest.Manifests, 0.4}), lonely))},
		{name: "C4: before every put is known to be made", game: lies(writer, deaf(manifest.Archives, anything), failing(point{writer, put, manifest.Archives, 0.1}))},
		{name: "C4: not if absent", game: lies(writer, bold, revoking(commits))},
		{name: "C4: an unclear answer is a success", game: lies(writer, deaf(manifest.Manifests, document), failing(point{writer, put, manifest.Manifests, 0.3}))},
		{name: "C5: the intent goes before the ballot is taken", game: lies(writer, hasty, calm(commits))},
		{name: "C5: given up without a tombstone", game: lies(writer, swallow(manifest.Manifests, tombstone), failing(point{writer, put, manifest.Manifests, 0.3}))},
		{name: "Undelete: no pin", game: lies(hand, pinless, handy())},
		{name: "Undelete: sweep is not obeyed", game: lies(hand, stubborn, both(handy(
			point{hand, put, manifest.Verdicts, 0.4}, point{cleanup, put, manifest.Verdicts, 0.4}, point{cleanup, list, manifest.Archives, 0.4}), regretting)), rare: true},
		{name: "Undelete: marks are not listed after the pin", game: lies(hand, stale, both(handy(
			point{hand, put, manifest.Pins, 0.4}, point{cleanup, put, manifest.Verdicts, 0.2}, point{cleanup, list, manifest.Archives, 0.2}), regretting)), rare: true},
		{name: "Pin: marks are not listed after it", game: lies(hand, unlooking, handy(
			point{cleanup, put, manifest.Verdicts, 0.4}, point{cleanup, list, manifest.Archives, 0.4}))},
		{name: "Sweep: keep is not obeyed", game: lies(cleanup, stubborn, handy(point{cleanup, put, manifest.Verdicts, 0.4}))},
		{name: "G2: pins do not count", game: lies(cleanup, empty(manifest.Pins), handy())},
		{name: "G2: pins are listed before the marks are put", game: lies(cleanup, pinsFirst, handy())},
		{name: "G2: what the plan keeps goes when it is marked", game: game{blind: true}},
		{name: "G4: intents before archives", game: lies(cleanup, intentsFirst, calm(point{cleanup, list, manifest.Archives, 0.4}, commits))},
		{name: "G5: intents do not count", game: lies(cleanup, empty(manifest.Intents), nil)},
		{name: "G5: no tombstone", game: lies(cleanup, swallow(manifest.Manifests, anything), revoking(commits))},
		{name: "G5: an unclear answer is a tombstone", game: lies(cleanup, deaf(manifest.Manifests, anything), both(revoking(commits), failing(point{cleanup, put, manifest.Manifests, 0.5})))},
		{name: "G5: a sweep goes on with newer archives", game: game{notes: notes(newArchives), tune: both(calm(commits), busy)}},
		{name: "G5: a sweep goes on with newer expiries", game: game{notes: notes(newExpired), tune: both(calm(commits), busy)}, rare: true},
		{name: "G6: one listing", game: lies(cleanup, once, both(calm(commits, point{cleanup, list, manifest.Manifests, 0.1}), paged)), rare: true},
		{name: "G6: a listing that fails is taken for whole", game: lies(cleanup, content, failing(point{cleanup, list, manifest.Manifests, 0.1}))},
		{name: "G6: a manifest that cannot be read does not count", game: lies(cleanup, unread, failing(point{cleanup, "get", manifest.Manifests, 0.02}))},
		{name: "kept: tombstones go at once", game: lies(cleanup, forgetful, revoking(commits))},
	}
}

// calm is a style in which nothing fails, and actors stop at some points only.
func calm(holds ...point) func(*style) {
	return func(s *style) {
		s.holds, s.patient, s.fault, s.crash, s.pause, s.stay, s.spread, s.jump, s.page = holds, 0, 0, 0, 0, 0.9, 300, 0.001, 0
		s.writers, s.cleanups, s.hands = 3, 2, 0
	}
}

// revoking is calm, with time to give up creates for dead.
func revoking(holds ...point) func(*style) {
	return both(calm(holds...), func(s *style) { s.jump = 0.02 })
}

// handy is calm, with many hands.
func handy(holds ...point) func(*style) {
	return both(calm(holds...), func(s *style) { s.hands, s.writers, s.stay, s.pause = 5, 2, 0.5, 0.002 })
}

// regretting has hands that undelete and unpin, much.
func regretting(s *style) { s.regret = 0.8 }

// failing lets operations fail, and what is late be very late.
func failing(points ...point) func(*style) {
	return func(s *style) {
		s.faults, s.again, s.crash, s.arrive, s.patient, s.jump = points, 0.8, 0, 0.002, 0, 0.005
	}
}

// lonely has one cleanup, and many creates that lean on the same few snapshots.
func lonely(s *style) { s.cleanups, s.writers, s.copies = 1, 4, 0.95 }

// busy has more cleanups, with time between their runs.
func busy(s *style) { s.cleanups, s.rest, s.spread = 3, 0.6, 600 }

// paged lists key by key, and much is copied: its ids are not the newest.
func paged(s *style) { s.copies, s.page = 0.7, 1 }

// both is one style after the other.
func both(styles ...func(*style)) func(*style) {
	return func(s *style) {
		for _, change := range styles {
			change(s)
		}
	}
}
