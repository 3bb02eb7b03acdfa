// Package ballottest is a randomised model of the ballot, the protocol of section 13 of the repository format:
// writers, cleanups, pins, undeletes and forgets run over the real code, on one target in memory, and the
// model decides what happens when. The package holds tests only.
//
// Every process is an actor: a goroutine that stops before each operation on the target. A schedule wakes one of
// them at a time, so what happens is a function of its seed. Between two operations it may let the clock jump, past
// the grace and past the longest session, stop an actor for long, or for ever; an operation may fail, have
// its answer lost, or take effect later; a listing comes in pages between which others act. The clocks of the hosts
// differ by days.
//
// A ledger watches every effect, and a schedule fails at the first one that loses something:
//
//   - a manifest that stands at a ballot, and was not swept, names only objects that are there with the bytes that
//     it says;
//   - what a cleanup deletes was given up by its own plan, has the verdict sweep, and is not held by a pin that its
//     owner was told is there;
//   - what a writer was told is committed stands at its ballot;
//   - a snapshot is left, whatever the plans are;
//   - nothing is put over anything, and an intent goes only when its ballot is taken.
//
// When a schedule is over, everything that is left unfinished dies, faults end, and one more cleanup must leave
// live objects only, and no intent.
//
// That the model can see is shown by ablation: each step of the protocol is left out in turn, by a target that lies to
// the actors in just that step, and the model must lose a snapshot within a number of schedules.
//
// A failure prints its seed and the command that repeats it. HOLDFAST_SOAK, a number of schedules or a duration, plays more
// of them, and looks for the ablations that are rare; `make soak` sets it.
package ballottest
