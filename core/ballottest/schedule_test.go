package ballottest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// style is how one schedule goes. Schedules differ much from each other, so that some are good at one thing.
type style struct {
	writers  int // actors
	cleanups int
	hands    int
	regret   float64 // a hand only undeletes and unpins
	spread   int     // steps within which actors start
	copies   float64 // a create is of a snapshot of some other time
	patient  float64 // a cleanup waits for the grace
	stay     float64 // the actor that acted last acts again
	fault    float64 // an operation fails
	again    float64 // what failed fails once more
	arrive   float64 // something that is late takes effect
	pause    float64 // an actor stops for long
	rest     float64 // an actor pauses between two creates, or cleanups
	crash    float64 // an actor stops for ever
	jump     float64 // the clock jumps
	page     int     // the most keys in a page of a listing; 0: no bound

	holds  []point // where actors stop for long
	faults []point // what fails; nil: anything
}

func newStyle(r *rand.Rand) style {
	pick := func(of ...float64) float64 { return of[r.IntN(len(of))] }
	return style{
		writers: 2 + r.IntN(3), cleanups: 1 + r.IntN(2), hands: r.IntN(3),
		spread: int(pick(1, 300, 1000)), copies: pick(0.1, 0.5), patient: pick(0, 0.5),
		stay: pick(0, 0.5, 0.9, 0.97), fault: pick(0, 0, 0.01, 0.05), again: pick(0.3, 0.8),
		arrive: pick(0.002, 0.02), pause: pick(0, 0.005, 0.03), rest: pick(0, 0.2, 0.6), crash: pick(0, 0, 0.001, 0.004), jump: pick(0, 0.002, 0.01, 0.03),
		page: []int{0, 0, 1, 4}[r.IntN(4)],
	}
}

// point is where something is likely to happen to actors of a role.
type point struct {
	role, op string
	folder   manifest.Folder
	chance   float64
}

func (p point) at(w *stop) bool { return p.role == w.a.role && p.op == w.op && in(w.key, p.folder) }

// actor is one process. Its store is the only way to the target that it has.
type actor struct {
	*schedule
	role  string
	n     int
	store *target.Store
	repo  *repository.Repository
	rand  *rand.ChaCha8
	dice  *rand.Rand
	skew  time.Duration // of its host's clock
	gives givenUp       // a cleanup's own plan

	doing    string    // what a hand does
	runs     int       // of a cleanup; what a hand did
	notebook *notebook // of a cleanup

	dead    bool
	resumes int     // the step before which it is paused
	flaky   float64 // how likely its operations fail
	broken  map[string]bool
}

// clock is what the actor's host takes for the time.
func (a *actor) clock() time.Time { return a.now.Add(a.skew) }

func (a *actor) one(n int) bool { return a.dice.IntN(n) == 0 }

// stop is an actor that waits to do one operation.
type stop struct {
	a       *actor
	op, key string
	answer  chan fate
}

// schedule decides what happens when. Everything in it is touched by one goroutine at a time: by the schedule
// while all actors wait, or by the one actor that it woke; but several goroutines of one actor may come to
// wait at once, hence the lock.
type schedule struct {
	seed uint64
	dice *rand.Rand
	style
	calm   bool // no faults, pauses, crashes or jumps
	now    time.Time
	mem    *memtarget.Target
	ledger *ledger
	game
	actors []*actor
	late   []func()
	last   *actor
	steps  int
	jumped time.Duration
	traced bool // keep a trace, which takes time
	trace  []string

	mu      sync.Mutex
	waiting []*stop
}

// longest bounds how far the clock jumps in all: what is remembered is forgotten after a year.
const longest = 300 * 24 * time.Hour

func newSchedule(seed uint64, g game) *schedule {
	s := &schedule{
		seed: seed, dice: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 4, 11, 12, 0, 0, 0, time.UTC), game: g,
	}
	s.style = newStyle(s.dice)
	if g.tune != nil {
		g.tune(&s.style)
	}
	s.mem = memtarget.New(memtarget.Options{Now: func() time.Time { return s.now }})
	s.ledger = newLedger(s)
	return s
}

// start adds an actor that does f when it is first woken.
func (s *schedule) start(role string, f func(*actor)) *actor {
	a := &actor{schedule: s, role: role, n: len(s.actors), broken: map[string]bool{}}
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(s.dice.Uint32())
	}
	a.rand = rand.NewChaCha8(seed)
	a.dice = rand.New(rand.NewPCG(s.dice.Uint64(), 2))
	if s.dice.IntN(3) == 0 {
		a.skew = time.Duration(s.dice.IntN(40*24)-20*24) * time.Hour
	}
	d := &disk{a}
	var t target.Target = d
	if s.lie != nil {
		if l := s.lie(a, d); l != nil {
			l.disk = d
			t = l
		}
	}
	a.store = target.Open("nas", t, target.Options{Attempts: 2, Sleep: awake, Rand: func() float64 { return 0 }})
	a.repo = &repository.Repository{Store: a.store, ID: repositoryID}
	s.actors = append(s.actors, a)
	if s.chance(0.5) {
		a.flaky = s.style.fault
	}
	if !s.calm {
		a.resumes = s.steps + s.dice.IntN(s.spread)
	}
	go func() {
		if !a.wait("start", "").dead {
			f(a)
		}
	}()
	return a
}

// wait is called by actors before each operation, and returns what becomes of it.
func (a *actor) wait(op, key string) fate {
	w := &stop{a, op, key, make(chan fate)}
	a.mu.Lock()
	a.waiting = append(a.waiting, w)
	a.mu.Unlock()
	return <-w.answer
}

// run goes on until every actor is done or dead, or something is lost.
func (s *schedule) run() {
	for {
		synctest.Wait()
		if len(s.ledger.broken) > 0 {
			return
		}
		var ready []*stop
		paused := false
		for _, w := range s.waiting {
			switch {
			case w.a.dead:
			case w.a.resumes > s.steps:
				paused = true
			default:
				ready = append(ready, w)
			}
		}
		if len(ready) == 0 && !paused {
			return
		}
		s.steps++
		s.events()
		if len(ready) > 0 {
			// The order in which the goroutines of one actor came is Go's, not the seed's.
			slices.SortStableFunc(ready, func(x, y *stop) int {
				return cmp.Or(cmp.Compare(x.a.n, y.a.n), cmp.Compare(x.op, y.op), cmp.Compare(x.key, y.key))
			})
			s.wake(s.pick(ready))
		}
	}
}

// pick chooses who is next: often the one who was last, so that some actors get far while others stand still.
func (s *schedule) pick(ready []*stop) *stop {
	if s.chance(s.stay) {
		for _, w := range ready {
			if w.a == s.last {
				return w
			}
		}
	}
	return ready[s.dice.IntN(len(ready))]
}

// wake lets an actor do what it waits for, unless it pauses or crashes before.
func (s *schedule) wake(w *stop) {
	a := w.a
	s.last = a
	if !s.calm && s.chance(s.crash) {
		s.log(a, "crashes before %s %s", w.op, w.key)
		a.dead = true
		if a.notebook != nil { // on a host that died another cleanup runs some day
			s.cleanup(a.notebook)
		}
		return
	}
	if !s.calm && s.chance(s.pauseAt(w)) {
		a.resumes = s.steps + 1 + s.dice.IntN(600)
		s.log(a, "pauses before %s %s", w.op, w.key)
		return
	}
	s.answer(w, s.fate(w))
}

// pauseAt is how likely an actor pauses where it is: most likely between two steps of the protocol, which are
// listings and small puts, and so little among the many reads.
func (s *schedule) pauseAt(w *stop) float64 {
	for _, h := range s.holds {
		if h.at(w) {
			return h.chance
		}
	}
	switch {
	case w.op == "rest":
		return s.rest
	case w.op == "list", w.op == "put" && !in(w.key, manifest.Archives):
		return 4 * s.pause
	}
	return s.pause / 4
}

func (s *schedule) answer(w *stop, f fate) {
	s.mu.Lock()
	s.waiting = slices.DeleteFunc(s.waiting, func(o *stop) bool { return o == w })
	s.mu.Unlock()
	w.answer <- f
}

// kill ends all that is unfinished: nothing that it still asks for is done.
func (s *schedule) kill() {
	for {
		synctest.Wait()
		if len(s.waiting) == 0 {
			return
		}
		s.answer(s.waiting[0], fate{dead: true})
	}
}

// events is what happens while nobody acts.
func (s *schedule) events() {
	s.now = s.now.Add(time.Duration(s.dice.IntN(2000)) * time.Millisecond)
	if s.calm {
		return
	}
	if s.chance(s.jump) {
		s.leap([]time.Duration{time.Hour, 25 * time.Hour, 8 * 24 * time.Hour}[s.dice.IntN(3)])
	}
	if len(s.late) > 0 && s.chance(s.arrive) {
		s.land(s.dice.IntN(len(s.late)))
	}
}

func (s *schedule) leap(d time.Duration) {
	if s.jumped += d; s.jumped <= longest {
		s.now = s.now.Add(d)
		s.log(nil, "the clock jumps by %s", d)
	}
}

// land lets an effect that was late take place.
func (s *schedule) land(n int) {
	effect := s.late[n]
	s.late = slices.Delete(s.late, n, n+1)
	effect()
}

func (s *schedule) chance(p float64) bool { return s.dice.Float64() < p }

func (s *schedule) log(a *actor, format string, args ...any) {
	if !s.traced {
		return
	}
	who := "-"
	if a != nil {
		who = a.String()
	}
	s.trace = append(s.trace, fmt.Sprintf("%5d %s %-11s ", s.steps, s.now.Format("01-02T15:04"), who)+fmt.Sprintf(format, args...))
}

func (a *actor) String() string { return fmt.Sprintf("%s-%d", a.role, a.n) }
