package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// The windows do not show: whatever their size, every distinct chunk counts once, on its side.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var recipes [2]*Recipe
		var has [2]map[byte]bool
		for i := range recipes {
			r, err := newRecipe(dir, 4096)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			recipes[i], has[i] = r, map[byte]bool{}
			for _, n := range rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "chunks") {
				has[i][n] = true
				if err := r.add(Entry{ID: sha256.Sum256([]byte{n}), Base: -1, Length: 1 + uint32(n)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.flush(); err != nil {
				t.Fatal(err)
			}
		}
		var want Delta
		for n := range 256 {
			one := Tally{1, 1 + int64(n)}
			switch a, b := has[0][byte(n)], has[1][byte(n)]; {
			case a && b:
				want.Both.add(one)
			case a:
				want.OnlyA.add(one)
			case b:
				want.OnlyB.add(one)
			}
		}
		for _, window := range []int64{deltaWindow, 100, 1} {
			if got, err := compare(t.Context(), recipes[0], recipes[1], window); err != nil || got != want {
				t.Errorf("windows of %d: %+v, %v, want %+v", window, got, err, want)
			}
		}
		sum := want.OnlyA
		sum.add(want.Both)
		if got, err := Compare(t.Context(), recipes[0], nil); err != nil || (got != Delta{OnlyA: sum}) {
			t.Errorf("with nothing: %+v, %v", got, err)
		}
		if ended, cancel := context.WithCancel(t.Context()); len(has[0]) > 0 {
			cancel()
			if _, err := Compare(ended, recipes[0], nil); !errors.Is(err, context.Canceled) {
				t.Errorf("after the end: %v", err)
			}
		} else {
			cancel()
		}
	})
}
