package archive

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/atocore/holdfast/core/source"
)

// sought is a search for everything of a recipe, in windows of that many chunks.
func sought(t *testing.T, r *Recipe, to buffer, window int) *Search {
	t.Helper()
	s, err := NewSearch(r, 0, 0, to, func(VolumeID) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	s.window = window
	return s
}

// Chunks are found in another stream, in whatever order they stand there, and put to all of their places; what
// is nowhere is counted.
func TestSearch(t *testing.T) {
	texts := make([][]byte, 12)
	for i := range texts {
		texts[i] = noise(4096, string(rune('a'+i)))
	}
	mine := slices.Concat(append(slices.Clone(texts), texts[3], texts[3], noise(4096, "mine alone"))...)
	others := slices.Clone(texts)
	slices.Reverse(others)
	here, there := store{}, store{}
	_, lost := snapshot(t, here, []source.Part{bytesPart("", nil, mine, 0)})
	_, found := snapshot(t, there, []source.Part{bytesPart("", nil, slices.Concat(append([][]byte{noise(8192, "theirs")}, others...)...), 0)})
	for _, window := range []int{1, 4, searchWindow} {
		got := make(buffer, len(mine))
		s := sought(t, lost[0], got, window)
		var n Tally
		for {
			more, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
			f, err := s.In(t.Context(), found[0], there.open)
			if err != nil {
				t.Fatal(err)
			}
			n.add(f)
		}
		want := slices.Concat(mine[:len(mine)-4096], make([]byte, 4096))
		if !bytes.Equal(got, want) || n != (Tally{14, 14 * 4096}) || s.Lost != (Tally{15, 15 * 4096}) || s.Left() != (Tally{1, 4096}) {
			t.Errorf("window %d: found %v, lost %v, left %v", window, n, s.Lost, s.Left())
		}
	}
}

// Whatever is wrong with a byte of the volume that is searched, nothing wrong is found.
func TestSearchDamaged(t *testing.T) {
	s, r, want := small(t)
	id := r.Volumes[0]
	good := s[id]
	for i := 0; i < len(good); i += 97 {
		s[id] = bytes.Clone(good)
		s[id][i] ^= 1 << (i % 8)
		got := make(buffer, len(want))
		search := sought(t, r, got, searchWindow)
		if _, err := search.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := search.In(t.Context(), r, s.open); err != nil {
			t.Fatalf("flipped at %d: %v", i, err)
		}
		if search.Done() != bytes.Equal(got, want) {
			t.Fatalf("flipped at %d: %v left, right: %v", i, search.Left(), bytes.Equal(got, want))
		}
	}
	// A target that cannot be asked is no damage; what cannot be written, neither.
	delete(s, id)
	search := sought(t, r, make(buffer, len(want)), searchWindow)
	if _, err := search.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := search.In(t.Context(), r, s.open); !errors.Is(err, os.ErrNotExist) || search.Done() {
		t.Errorf("%v", err)
	}
	s[id] = good
	full := errors.New("full")
	search, err := NewSearch(r, 0, 0, writerAtFunc(func([]byte, int64) (int, error) { return 0, full }), func(VolumeID) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := search.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := search.In(t.Context(), r, s.open); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

// A chunk that lies in several frames is found in one that is whole.
func TestSearchOtherFrame(t *testing.T) {
	twice := noise(4096, "twice")
	s := store{}
	parts := []source.Part{bytesPart("", nil, slices.Concat(twice, noise(2<<20, "between"), twice), 0)}
	_, recipes := snapshot(t, s, parts)
	id := recipes[0].Volumes[0]
	s[id][20] ^= 1
	want := streamOf(parts)
	got := make(buffer, len(want))
	search := sought(t, recipes[0], got, searchWindow)
	if _, err := search.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := search.In(t.Context(), recipes[0], s.open); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[:4096], twice) || search.Left() != (Tally{255, 255 * 4096}) {
		t.Errorf("left %v", search.Left())
	}
}

// A frame that is whole and holds other chunks than the index says gives nothing.
func TestSearchForeign(t *testing.T) {
	s := store{}
	_, mine := snapshot(t, s, []source.Part{bytesPart("", nil, noise(8192, "mine"), 0)})
	_, theirs := snapshot(t, s, []source.Part{bytesPart("", nil, noise(8192, "theirs"), 0)})
	a, b := mine[0].Volumes[0], theirs[0].Volumes[0]
	if len(s[a]) != len(s[b]) {
		t.Fatalf("volumes of %d and %d bytes", len(s[a]), len(s[b]))
	}
	s[a] = s[b]
	got := make(buffer, 8192)
	search := sought(t, mine[0], got, searchWindow)
	if _, err := search.Next(); err != nil {
		t.Fatal(err)
	}
	if found, err := search.In(t.Context(), mine[0], s.open); err != nil || found != (Tally{}) || !bytes.Equal(got, make([]byte, 8192)) {
		t.Errorf("found %v, %v", found, err)
	}
}
