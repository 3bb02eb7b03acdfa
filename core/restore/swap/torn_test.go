package swap_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/restore/swap"
)

// A loss of power while a mounted file is overwritten keeps any of the blocks written and loses the
// others. That is no service that ran.
func TestTornByPowerLoss(t *testing.T) {
	const block = 512
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	text := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(1 + rnd.IntN(255))
		}
		return b
	}
	item := func(w *world) swap.Item {
		return swap.Item{Name: "registry", Kind: manifest.File, Live: w.path("data/registry.json")}
	}
	for round := range 60 {
		old, new := text(rnd.IntN(5*block)), text(rnd.IntN(5*block))
		if round == 0 {
			old, new = text(600<<10+7), text(700<<10+77) // several pieces
		}
		w := newWorld(scratch(t), "data/registry.json")
		w.write(tree{"data/registry.json": string(old)})
		s, err := w.prepare(item(w))
		if err != nil {
			t.Fatal(err)
		}
		must(os.WriteFile(s.Staged("registry"), new, 0o600))
		w.fail = func(p string) error {
			if strings.HasSuffix(p, "overwrite header of registry:before") {
				panic(killed{p})
			}
			return nil
		}
		if _, at, err := w.attempt(func() (*swap.Outcome, error) { return s.Run(t.Context()) }); at == "" {
			t.Fatal(err)
		}
		live := make([]byte, max(len(old), len(new)))
		if rnd.IntN(2) == 0 { // or it was truncated
			live = live[:len(new)]
		}
		for at := 0; at < len(live); at += block {
			end := min(at+block, len(live))
			from := old
			if rnd.IntN(2) == 0 {
				from = new
			}
			copy(live[at:end], from[min(at, len(from)):min(end, len(from))])
		}
		w.write(tree{"data/registry.json": string(live)})
		want, g := string(new), swap.New
		service := round%3 == 2 && len(live) > 0
		if service {
			at := rnd.IntN(len(live))
			if live[at] ^= 0x55; live[at] == 0 {
				live[at] = 1 // a zero could be a hole
			}
			w.write(tree{"data/registry.json": string(live)})
		}
		out, err := w.recover()
		if service {
			if !errors.Is(err, swap.ErrServiceRan) {
				t.Fatalf("round %d: a byte was changed: %v", round, err)
			}
			out, err = w.take(swap.Old)
			want, g = string(old), swap.Old
		}
		if err != nil || out.Live != g {
			t.Fatalf("round %d: old %d, new %d, live %d bytes: %v, %v", round, len(old), len(new), len(live), out, err)
		}
		if got, err := os.ReadFile(w.path("data/registry.json")); err != nil || string(got) != want {
			t.Fatalf("round %d: %d bytes, %v", round, len(got), err)
		}
	}
}

// Random stores, random mounts, killed at a random point, then recovered, killed again at random, and
// again: in the end everything is old or everything is new.
func TestRandom(t *testing.T) {
	name := rapid.StringMatching(`\.?[a-zA-Z0-9][a-zA-Z0-9 %#?-]{0,6}`)
	content := rapid.StringN(0, 30, 600)
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(scratch(t), "")
		must(err)
		defer os.RemoveAll(dir)
		w := &world{root: dir}
		sub := rapid.MapOfN(name, rapid.MapOfN(name, content, 0, 3), 0, 3)
		plain := rapid.MapOfN(name, content, 0, 3)
		store := func(label string) tree {
			t := tree{"chroma.sqlite3": magic + rapid.StringN(1, 30, 600).Draw(r, label)}
			for d, files := range sub.Draw(r, label+" directories") {
				for f, c := range files {
					t[d+"/"+f] = c
				}
			}
			for f, c := range plain.Draw(r, label+" files") {
				if _, err := os.Lstat(f); err != nil {
					t["file "+f] = c
				}
			}
			return t
		}
		must(os.MkdirAll(w.path("state"), 0o700))
		must(os.MkdirAll(w.path("data/db"), 0o700))
		for path, c := range store("old Chroma") {
			w.write(tree{"data/chroma/" + path: c})
		}
		for _, suffix := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "-wal", "-shm", "-journal"}), 0, 4, rapid.ID).Draw(r, "old database") {
			w.write(tree{"data/db/app.db" + suffix: magic + content.Draw(r, "old content")})
		}
		if rapid.Bool().Draw(r, "old registry") {
			w.write(tree{"data/registry.json": content.Draw(r, "registry")})
		}
		for _, m := range []string{"data/chroma", "data/registry.json", "data/db/app.db"} {
			if _, err := os.Lstat(w.path(m)); err == nil && rapid.Bool().Draw(r, "mount "+m) {
				w.mounts = append(w.mounts, m)
			}
		}
		newDB, newRegistry, newChroma := magic+content.Draw(r, "new database"), content.Draw(r, "new registry"), store("new Chroma")
		run := func() (*swap.Outcome, error) {
			s, err := w.prepare()
			if err != nil {
				return nil, err
			}
			must(os.WriteFile(s.Staged("db"), []byte(newDB), 0o600))
			must(os.WriteFile(s.Staged("registry"), []byte(newRegistry), 0o600))
			staged := &world{root: s.Staged("chroma")}
			staged.write(newChroma)
			return s.Run(t.Context())
		}
		if rapid.Bool().Draw(r, "undo") {
			if _, err := run(); err != nil {
				r.Fatal(err)
			}
			run = w.undo
		}
		before := contents(w.live())
		w.killAt(rapid.IntRange(0, 260).Draw(r, "kill"))
		if _, at, err := w.attempt(run); at == "" && err != nil {
			r.Fatal(err)
		}
		for _, k := range rapid.SliceOfN(rapid.IntRange(0, 130), 0, 3).Draw(r, "kills of the recover") {
			w.killAt(k)
			if _, _, err := w.attempt(w.recover); err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
				r.Fatal(err)
			}
		}
		if _, err := w.recover(); err != nil && !errors.Is(err, swap.ErrNothingToRecover) {
			r.Fatal(err)
		}
		live := contents(w.live())
		if cmp.Equal(before, live) {
			return
		}
		j, err := swap.Look(w.path("state"))
		if err != nil || !j.Undoable() {
			r.Fatalf("neither as before nor done: %v: %s", err, cmp.Diff(before, live))
		}
		if _, err := w.undo(); err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(before, contents(w.live())); diff != "" {
			r.Fatalf("undone it is not as before: %s", diff)
		}
		if _, err := w.undo(); err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(live, contents(w.live())); diff != "" {
			r.Fatalf("redone it is not as it was: %s", diff)
		}
		if !j.Undo && (live["data/db/app.db"] != newDB || live["data/registry.json"] != newRegistry || live["data/db/app.db-wal"] != "") {
			r.Fatalf("done, and not what was staged: %v", live)
		}
	})
}
