package repository_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func TestOpen(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	for name, c := range map[string]struct {
		marker string
		want   error
	}{
		"good":               {string(manifest.NewMarker(id).Encode()), nil},
		"absent":             {"", repository.ErrNotInitialised},
		"newer format":       {`{"format":2,"repository":"` + id + `","other":[]}`, repository.ErrNewer},
		"unknown word":       {`{"format":1,"repository":"` + id + `","requires":["ballot-1","quorum-7"]}`, repository.ErrNewer},
		"no JSON":            {"{", repository.ErrDamaged},
		"zero bytes":         {" ", repository.ErrDamaged},
		"no ballot":          {`{"format":1,"repository":"` + id + `","requires":[]}`, repository.ErrDamaged},
		"larger than 64 KiB": {strings.Repeat(" ", 64<<10) + string(manifest.NewMarker(id).Encode()), repository.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			w := empty(t)
			if c.marker != "" {
				w.mem.Set(manifest.MarkerKey, []byte(c.marker))
			}
			r, err := repository.Open(t.Context(), w.store)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err == nil && r.ID != id {
				t.Errorf("id %q", r.ID)
			}
			if err != nil && !strings.Contains(err.Error(), "nas") {
				t.Errorf("the error does not name the target: %v", err)
			}
		})
	}
}

// A target that does not answer is neither empty nor damaged, and is not made anew.
func TestOpenUnreachable(t *testing.T) {
	w := empty(t)
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Put {
			return memtarget.Fault{}
		}
		return failing(op, key, target.KindUnavailable)
	}
	_, err := repository.Open(t.Context(), w.store)
	if !errors.Is(err, target.ErrUnavailable) || errors.Is(err, repository.ErrNotInitialised) || errors.Is(err, repository.ErrDamaged) {
		t.Errorf("open: %v", err)
	}
	if _, _, err := repository.Init(t.Context(), w.store, rand.Reader); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("init: %v", err)
	}
	if keys := w.mem.Keys(); len(keys) > 0 {
		t.Errorf("init of a target that does not answer put %v", keys)
	}
}

// Of two that init at once one makes the repository, and both open the same.
func TestInitRace(t *testing.T) {
	w := empty(t)
	var meet sync.WaitGroup
	meet.Add(2)
	w.fault = func(_ context.Context, op memtarget.Op, _ string) memtarget.Fault {
		if op == memtarget.Put { // both have seen that there is nothing
			meet.Done()
			meet.Wait()
		}
		return memtarget.Fault{}
	}
	var repos [2]*repository.Repository
	var created [2]bool
	var errs [2]error
	var both sync.WaitGroup
	for i := range repos {
		both.Go(func() { repos[i], created[i], errs[i] = repository.Init(t.Context(), w.store, rand.Reader) })
	}
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if created[0] == created[1] || repos[0].ID != repos[1].ID {
		t.Errorf("created %v with ids %s and %s", created, repos[0].ID, repos[1].ID)
	}
	if _, again, err := repository.Init(t.Context(), w.store, rand.Reader); again || err != nil {
		t.Errorf("a third init: created %v, %v", again, err)
	}
}

func TestSets(t *testing.T) {
	w := newWorld(t)
	for _, s := range []string{"a", "a-b", "a0", "zebra"} {
		for n := range 3 {
			w.mem.Set(manifest.IntentKey(s, manifest.ID(fmt.Sprintf("20260411T12000%dZ-00000000", n))), []byte("x"))
		}
	}
	w.mem.Set("junk/of/others", []byte("x"))
	w.mem.Set("b/unknown/20260411T120000Z-00000000", []byte("x"))
	sets, err := w.repo.Sets(t.Context())
	if err != nil || !slices.Equal(sets, []string{"a", "a-b", "a0", "zebra"}) {
		t.Errorf("sets %v, %v", sets, err)
	}
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.List {
			return failing(op, key, target.KindDenied)
		}
		return memtarget.Fault{}
	}
	if sets, err := w.repo.Sets(t.Context()); !errors.Is(err, target.ErrDenied) || sets != nil {
		t.Errorf("a listing that fails gave %v, %v", sets, err)
	}
}

// A document that says it is another's is damage, whoever put it there.
func TestLoad(t *testing.T) {
	w := newWorld(t)
	good := w.place(noon, nil)
	if m, err := w.repo.Load(t.Context(), set, good); err != nil || m.ID != good {
		t.Fatalf("%+v, %v", m, err)
	}
	for name, change := range map[string]func(*manifest.Manifest){
		"another id":         func(m *manifest.Manifest) { m.ID = "20260411T120001Z-00000000" },
		"another repository": func(m *manifest.Manifest) { m.Repository = strings.Repeat("0", 32) },
		"another set": func(m *manifest.Manifest) {
			m.Set = "other"
			for i := range m.Components {
				m.Components[i].Index[0].Key = "other" + strings.TrimPrefix(m.Components[i].Index[0].Key, set)
			}
		},
	} {
		if _, err := w.repo.Load(t.Context(), set, w.place(noon, change)); !errors.Is(err, repository.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key := manifest.ManifestKey(set, good)
	b, _ := w.mem.Bytes(key)
	for name, bad := range map[string][]byte{
		"flipped":            append([]byte("["), b[1:]...),
		"truncated":          b[:len(b)/2],
		"another tombstone":  manifest.Tombstone("20260411T120001Z-00000000"),
		"more than 64 MiB":   make([]byte, manifest.MaxBytes+1),
		"nothing but spaces": []byte("   "),
	} {
		w.mem.Set(key, bad)
		if _, err := w.repo.Load(t.Context(), set, good); !errors.Is(err, repository.ErrDamaged) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.mem.Set(key, manifest.Tombstone(good))
	if _, err := w.repo.Load(t.Context(), set, good); !errors.Is(err, repository.ErrRevoked) {
		t.Errorf("a tombstone: %v", err)
	}
	w.mem.Remove(key)
	if _, err := w.repo.Load(t.Context(), set, good); !errors.Is(err, target.ErrNotFound) || errors.Is(err, repository.ErrDamaged) {
		t.Errorf("nothing: %v", err)
	}
}

func TestView(t *testing.T) {
	w := newWorld(t)
	a, b := w.place(noon.Add(time.Hour), nil), w.place(noon, nil)
	volume, index := manifest.VolumeKey(set, a, "db", 0, false), manifest.IndexKey(set, a, "db", false)
	w.mem.Set(volume, []byte("12345"))
	w.mem.Set(index, []byte("123"))
	w.mem.Set(manifest.DamagedKey(set, a, "db-00000.zst"), []byte("x"))
	foreign := []string{
		set + "/archives/readme.txt", set + "/archives/" + string(a) + "/DB-00000.zst", set + "/damaged/" + string(a) + ".db.tar",
		set + "/manifests/" + string(a) + ".JSON", set + "/expired/" + string(a) + ".0", set + "/verdicts/" + string(a),
	}
	for _, k := range foreign {
		w.mem.Set(k, []byte("x"))
	}
	w.mem.Set("other/archives/"+string(a)+"/db-00000.zst", []byte("another set's"))

	v := w.view()
	slices.Sort(foreign)
	slices.Sort(v.Foreign)
	if !slices.Equal(v.IDs, []manifest.ID{b, a}) || !slices.Equal(v.Foreign, foreign) || len(v.Archives) != 2 {
		t.Errorf("ids %v, foreign %v, archives %v", v.IDs, v.Foreign, v.Archives)
	}
	if !v.Whole(index, 3) || v.Whole(index, 4) || v.Whole(volume, 5) || v.Whole(manifest.VolumeKey(set, a, "db", 1, false), 5) {
		t.Error("only an object that is listed with its size and carries no mark is whole")
	}
	for _, folder := range []manifest.Folder{manifest.Expired, manifest.Verdicts, manifest.Manifests, manifest.Damaged, manifest.Archives} {
		w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
			if op == memtarget.List && key == manifest.Prefix(set, folder) {
				return failing(op, key, target.KindDenied)
			}
			return memtarget.Fault{}
		}
		if v, err := w.repo.View(t.Context(), set); !errors.Is(err, target.ErrDenied) || v != nil {
			t.Errorf("a listing of %s that fails gave %v, %v", folder, v, err)
		}
	}
}

func TestUsable(t *testing.T) {
	for name, c := range map[string]struct {
		verdicts []string // of the marks 1, 2, ...; "-" for none
		want     bool
	}{
		"no mark":            {nil, true},
		"a mark":             {[]string{"-"}, false},
		"kept":               {[]string{"keep\n"}, true},
		"swept":              {[]string{"sweep\n"}, false},
		"damaged":            {[]string{"keep"}, false},
		"too large":          {[]string{strings.Repeat("keep\n", 100)}, false},
		"kept, then marked":  {[]string{"keep\n", "-"}, false},
		"kept twice":         {[]string{"keep\n", "keep\n"}, true},
		"kept and swept":     {[]string{"keep\n", "sweep\n"}, false},
		"first not answered": {[]string{"-", "keep\n"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.place(noon, nil)
			for i, verdict := range c.verdicts {
				w.mem.Set(manifest.ExpiredKey(set, id, i+1), []byte("x"))
				if verdict != "-" {
					w.mem.Set(manifest.VerdictKey(set, id, i+1), []byte(verdict))
				}
			}
			v := w.view()
			for range 2 { // the second time from memory
				if got, err := v.Usable(t.Context(), id); err != nil || got != c.want {
					t.Errorf("usable %v, %v", got, err)
				}
			}
			all, err := w.repo.Snapshots(t.Context(), v)
			if err != nil || len(all) != 1 || all[0].Expiring == c.want {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
	w := newWorld(t)
	id := w.place(noon, nil)
	w.mem.Set(manifest.ExpiredKey(set, id, 1), []byte("x"))
	w.mem.Set(manifest.VerdictKey(set, id, 1), []byte("keep\n"))
	v := w.view()
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		return failing(op, key, target.KindUnavailable)
	}
	if _, err := v.Usable(t.Context(), id); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("a verdict out of reach: %v", err)
	}
}
