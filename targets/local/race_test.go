package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/atocore/holdfast/core/target"
)

// TestPutLosesRace lets another writer take the name at the last moment.
func TestPutLosesRace(t *testing.T) {
	for _, c := range []struct {
		theirs   string
		ifAbsent bool
		want     error
	}{
		{"ours", true, target.ErrExists},
		{"ours", false, nil},
		{"theirs", true, target.ErrExists},
		{"theirs", false, target.ErrExists},
		{"them", false, target.ErrExists},
	} {
		path := t.TempDir()
		x, other := create(t, path), open(t, path)
		x.failAt = func(s step, _ string) error {
			if s == stepLink {
				mustPut(t, other, "k", c.theirs)
			}
			return nil
		}
		o := optionsFor([]byte("ours"))
		o.IfAbsent = c.ifAbsent
		if _, err := x.Put(t.Context(), "k", strings.NewReader("ours"), o); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
		if b, err := get(t.Context(), x, "k"); string(b) != c.theirs {
			t.Errorf("%+v: stored %q, %v", c, b, err)
		}
		if names := everything(t, path); len(names) != 1 {
			t.Errorf("%+v: left %q", c, names)
		}
	}
}

// TestPutRacesWithPruning removes the directory of a put, and its temporary file,
// at the worst moments: the put begins anew.
func TestPutRacesWithPruning(t *testing.T) {
	for _, at := range []step{stepCreate, stepLink} {
		path := t.TempDir()
		x := create(t, path)
		n := 0
		x.failAt = func(s step, _ string) error {
			if s == at && n < 3 {
				n++
				return os.RemoveAll(filepath.Join(path, "s"))
			}
			return nil
		}
		mustPut(t, x, "s/a/b", "x")
		if n != 3 {
			t.Errorf("%s: %d races", at, n)
		}
		wantKeys(t, x, "s/a/b")
	}
}

// TestPutRacesForEver shows that the races are bounded.
func TestPutRacesForEver(t *testing.T) {
	path := t.TempDir()
	x := create(t, path)
	x.failAt = func(s step, _ string) error {
		if s == stepCreate {
			return os.RemoveAll(filepath.Join(path, "s"))
		}
		return nil
	}
	if err := put(t.Context(), x, "s/a/b", "x"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, target.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestRemoveStale tells a dead writer's temporary file from a living one's.
func TestRemoveStale(t *testing.T) {
	path := t.TempDir()
	x, other := create(t, path), open(t, path)
	mustPut(t, x, "s/a/b", "x")
	if err := os.MkdirAll(filepath.Join(path, "s", "only"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a", "only"} {
		if err := os.WriteFile(filepath.Join(path, "s", dir, tempPrefix+"DEAD"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writing, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	x.failAt = func(s step, _ string) error {
		if s == stepWrite {
			once.Do(func() { close(writing); <-goOn })
		}
		return nil
	}
	done := make(chan error)
	go func() { done <- put(t.Context(), x, "s/a/c", "y") }()
	<-writing
	n, err := other.RemoveStale(t.Context())
	if err != nil || n != 2 {
		t.Errorf("RemoveStale: %d, %v; want the two dead ones", n, err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the living writer: %v", err)
	}
	if names := everything(t, path); !slices.Equal(names, []string{"s", "s/a", "s/a/b", "s/a/c"}) {
		t.Errorf("left %q", names)
	}
}

// TestStaleLink is a put killed between link and unlink: the object is whole, and
// its second name stale.
func TestStaleLink(t *testing.T) {
	path := t.TempDir()
	x := create(t, path)
	x.failAt = failing(stepUnlink, syscall.EIO)
	mustPut(t, x, "k", "x")
	x.failAt = nil
	wantKeys(t, x, "k")
	if n, err := x.RemoveStale(t.Context()); n != 1 || err != nil {
		t.Errorf("RemoveStale: %d, %v", n, err)
	}
	if b, err := get(t.Context(), x, "k"); string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestListUnderChurn shows that objects which stay are in every listing, while
// their neighbours, folders included, come and go.
func TestListUnderChurn(t *testing.T) {
	path := t.TempDir()
	x := create(t, path)
	var want []string
	for i := range 60 {
		key := fmt.Sprintf("s/%d/stays-%02d", i%6, i)
		mustPut(t, x, key, "x")
		want = append(want, key)
	}
	slices.Sort(want)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for w := range 3 {
		y := open(t, path)
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("s/%d/x%d/goes-%d", i%8, i%3, w)
				if err := errors.Join(put(t.Context(), y, key, "x"), y.Delete(t.Context(), key)); err != nil {
					t.Errorf("%s: %v", key, err)
					return
				}
			}
		})
	}
	for range 100 {
		got, err := keys(t.Context(), x)
		if err != nil {
			t.Errorf("List: %v", err)
			break
		}
		if !slices.IsSorted(got) {
			t.Errorf("not sorted: %q", got)
		}
		got = slices.DeleteFunc(got, func(k string) bool { return !strings.Contains(k, "stays") })
		if !slices.Equal(got, want) {
			t.Errorf("listed %d of %d", len(got), len(want))
		}
	}
	close(stop)
	wg.Wait()
}
