package cleanup

import (
	"slices"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
)

// ReasonForgotten is why a snapshot goes that a person gave up by name.
const ReasonForgotten = "forgotten"

// decide asks the plan, but for what was given up by name: unless it was undeleted since, here or on another
// host, which its mark shows by being answered with keep. A snapshot that is marked may be half deleted already, so it takes no other's place: a
// usable one is given up only if the plan gives it up among the usable ones. A marked one is given up if
// the plan, which sees it as it sees any other, gives it up among all.
func (r *run) decide() {
	var all, usable []retention.Snapshot
	for _, id := range r.ids {
		f := r.fates[id]
		if slices.Contains(r.memory.Forgotten, id) && f.Standing != repository.Usable && !f.Held {
			f.Reasons = []retention.Reason{{ID: ReasonForgotten, Text: "given up by holdfast forget"}}
			continue
		}
		s := r.ballots[manifest.ManifestKey(r.Set, id)].facts
		s.Held = f.Held
		f.Keep = true // until the plan says otherwise
		all = append(all, s)
		if f.Standing == repository.Usable {
			usable = append(usable, s)
		}
	}
	apply := func(snapshots []retention.Snapshot, of func(repository.Standing) bool) {
		if len(snapshots) == 0 {
			return
		}
		for _, d := range r.Plan(snapshots, r.at) {
			if f := r.fates[d.ID]; f != nil && f.Reasons == nil && of(f.Standing) {
				f.Keep, f.Reasons = d.Keep || f.Held, d.Reasons
			}
		}
	}
	apply(usable, func(s repository.Standing) bool { return s == repository.Usable })
	if len(all) > len(usable) {
		apply(all, func(s repository.Standing) bool { return s != repository.Usable })
	}
}

// foresee says what a run that meets nothing new would do.
func (r *run) foresee() *Foresight {
	f := &Foresight{}
	for _, id := range r.ids {
		s := r.fates[id]
		if s.Keep || s.Held {
			s.Fate = FateKept
			continue
		}
		switch s.Standing {
		case repository.Usable:
			s.Fate = FateMarked
			f.Mark = append(f.Mark, id)
			if r.NoGrace {
				s.Fate = FateDeleted
				f.Sweep = append(f.Sweep, id)
			}
		case repository.Marked:
			s.Fate = FateWaiting
			due := false
			for _, m := range r.view.Open(id) {
				due = due || r.NoGrace || r.old(m.At, Grace)
				if !m.At.IsZero() {
					s.Due = m.At.Add(Grace).UTC()
				}
			}
			if due {
				s.Fate = FateDeleted
				f.Sweep = append(f.Sweep, id)
			}
		case repository.Expired:
			s.Fate = FateDeleted
			f.Sweep = append(f.Sweep, id)
		case repository.Doubtful:
			s.Fate = FateDoubtful
		}
	}
	busy := map[manifest.ID]bool{}
	for _, i := range r.intents {
		if r.ballots[manifest.ManifestKey(r.Set, i.ID)] == nil && !r.old(i.At, MaxSession) {
			busy[i.ID] = true
			r.report.Waiting = append(r.report.Waiting, i.ID)
		}
	}
	if len(busy) > 0 {
		for _, id := range f.Sweep {
			r.fates[id].Fate = FateExpired
		}
	}
	f.Delete = r.unneeded(f.Sweep, busy)
	return f
}

// bounded returns what of f the plan that was written down names, too. The rest is left for another run.
func (r *run) bounded(f *Foresight) *Foresight {
	if r.Only == nil {
		return f
	}
	out := &Foresight{both(f.Mark, r.Only.Mark), both(f.Sweep, r.Only.Sweep), both(f.Delete, r.Only.Delete)}
	r.leave(&Foresight{Mark: without(f.Mark, out.Mark), Sweep: without(f.Sweep, out.Sweep)})
	return out
}

// leave sets the fates of what f speaks of to what they are as long as nothing of it is done.
func (r *run) leave(f *Foresight) {
	for _, id := range slices.Concat(f.Mark, f.Sweep) {
		s := r.fates[id]
		switch s.Standing {
		case repository.Usable:
			s.Fate = FateKept
		case repository.Marked:
			s.Fate = FateWaiting
		default: // a doubtful one is in no foresight
			s.Fate = FateExpired
		}
	}
}

// unneeded returns the listed archive keys that no manifest but those of these snapshots names, and that
// no create in progress may be about to name; in order.
func (r *run) unneeded(gone []manifest.ID, busy map[manifest.ID]bool) (keys []string) {
	live := map[string]bool{}
	for _, b := range r.ballots {
		if !slices.Contains(gone, b.id) {
			for _, o := range b.objects {
				live[o.key] = true
			}
		}
	}
	for key := range r.view.Archives {
		k, err := manifest.ParseKey(key)
		if err == nil && !live[key] && !busy[k.ID] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
