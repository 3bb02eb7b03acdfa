package repository_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func TestFind(t *testing.T) {
	w := newWorld(t)
	alone := w.place(noon, nil)
	one, two := w.place(noon.Add(time.Hour), nil), w.place(noon.Add(time.Hour), nil)
	revoked := manifest.ID("20260411T140000Z-00000000")
	w.mem.Set(manifest.ManifestKey(set, revoked), manifest.Tombstone(revoked))
	damaged := w.place(noon.Add(3*time.Hour), nil)
	w.mem.Set(manifest.ManifestKey(set, damaged), []byte("{"))
	beside := w.place(noon.Add(4*time.Hour), nil)
	torn := w.place(noon.Add(4*time.Hour), nil)
	w.mem.Set(manifest.ManifestKey(set, torn), []byte("{"))

	for ref, want := range map[string]struct {
		id  manifest.ID
		err error
	}{
		string(alone):      {alone, nil},
		"20260411T120000Z": {alone, nil}, // the original's plain stamp
		"20260411T12":      {alone, nil},
		string(one):        {one, nil},
		string(two):        {two, nil},
		string(beside):     {beside, nil},
		"20260411T130000Z": {"", repository.ErrNoSnapshot}, // ambiguous
		"20260411":         {"", repository.ErrNoSnapshot},
		"":                 {"", repository.ErrNoSnapshot},
		"20270101T000000Z": {"", repository.ErrNoSnapshot},
		string(revoked):    {"", repository.ErrNoSnapshot},
		"0260411T12":       {"", repository.ErrNoSnapshot}, // within an id, but not its beginning
		string(damaged):    {"", repository.ErrDamaged},
		"20260411T15":      {"", repository.ErrDamaged},
		"20260411T160000Z": {"", repository.ErrNoSnapshot}, // the damaged one may be meant
	} {
		m, err := w.repo.Find(t.Context(), w.view(), ref, repository.Ask{}, noon)
		if !errors.Is(err, want.err) || err == nil && m.ID != want.id {
			t.Errorf("%q: %v, want %s, %v", ref, err, want.id, want.err)
		}
	}
	single := newWorld(t)
	single.place(noon, nil)
	if _, err := single.repo.Find(t.Context(), single.view(), "", repository.Ask{}, noon); !errors.Is(err, repository.ErrNoSnapshot) {
		t.Errorf("no reference, where there is only one: %v", err)
	}
	v := w.view()
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		return failing(op, key, target.KindUnavailable)
	}
	for _, ref := range []string{string(alone), repository.Latest} {
		if _, err := w.repo.Find(t.Context(), v, ref, repository.Ask{}, noon); !errors.Is(err, target.ErrUnavailable) {
			t.Errorf("%s while the target is out of reach: %v", ref, err)
		}
	}
}

// Each row puts one more snapshot behind all those before it, and says whether it is the latest by then.
func TestLatest(t *testing.T) {
	w := newWorld(t)
	now := noon.Add(time.Hour)
	damage := func(id manifest.ID) { w.mem.Set(manifest.ManifestKey(set, id), []byte("{")) }
	graded := func(g manifest.Grade) func(*manifest.Manifest) {
		return func(m *manifest.Manifest) {
			m.Grade, m.Reasons = g, []manifest.Reason{{ID: "some_reason", Message: "x"}}
		}
	}
	full := func(m *manifest.Manifest) { m.Components = document(noon, "chroma").Components }
	if _, err := w.repo.Find(t.Context(), w.view(), repository.Latest, repository.Ask{}, now); !errors.Is(err, repository.ErrNoSnapshot) || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty set: %v", err)
	}
	var latest, latestFull manifest.ID
	for i, row := range []struct {
		name   string
		change func(*manifest.Manifest)
		then   func(manifest.ID)
		is     bool
	}{
		{"suspect", graded(manifest.Suspect), nil, false},
		{"good, with chroma", full, nil, true},
		{"good", nil, nil, true},
		{"degraded", graded(manifest.Degraded), nil, false},
		{"safety snapshot", func(m *manifest.Manifest) { m.Tags = []string{manifest.PreRestore} }, nil, false},
		{"damaged", nil, damage, false},
		{"tombstone", nil, func(id manifest.ID) { w.mem.Set(manifest.ManifestKey(set, id), manifest.Tombstone(id)) }, false},
		{"expiring", nil, func(id manifest.ID) { w.mem.Set(manifest.ExpiredKey(set, id, 1), []byte("x")) }, false},
		{"undeleted", nil, func(id manifest.ID) {
			w.mem.Set(manifest.ExpiredKey(set, id, 1), []byte("x"))
			w.mem.Set(manifest.VerdictKey(set, id, 1), []byte("keep\n"))
		}, true},
		{"verdict damaged", nil, func(id manifest.ID) {
			w.mem.Set(manifest.ExpiredKey(set, id, 1), []byte("x"))
			w.mem.Set(manifest.VerdictKey(set, id, 1), []byte("?"))
		}, false},
	} {
		id := w.place(noon.Add(time.Duration(i)*time.Minute), row.change)
		if row.then != nil {
			row.then(id)
		}
		if row.is {
			latest = id
		}
		if row.is && row.name == "good, with chroma" {
			latestFull = id
		}
		for _, ask := range []struct {
			components []string
			want       manifest.ID
		}{{nil, latest}, {[]string{"db"}, latest}, {[]string{"db", "chroma"}, latestFull}} {
			m, err := w.repo.Find(t.Context(), w.view(), repository.Latest, repository.Ask{Components: ask.components}, now)
			if ask.want == "" {
				if !errors.Is(err, repository.ErrNoSnapshot) || !strings.Contains(err.Error(), string(id)) {
					t.Errorf("%s, asked for %v: %v", row.name, ask.components, err)
				}
			} else if err != nil || m.ID != ask.want {
				t.Errorf("%s, asked for %v: %v, want %s", row.name, ask.components, err, ask.want)
			}
		}
	}

	soon := w.place(now.Add(5*time.Minute), nil)
	far := w.place(now.Add(5*time.Minute+time.Second), nil)
	if m, err := w.repo.Find(t.Context(), w.view(), repository.Latest, repository.Ask{}, now); err != nil || m.ID != soon {
		t.Errorf("with a stamp 5 minutes ahead and one beyond: %v", err)
	}
	if m, err := w.repo.Find(t.Context(), w.view(), string(far), repository.Ask{}, now); err != nil || m.ID != far {
		t.Errorf("one far ahead, by its name: %v", err)
	}
}

// The latest is complete, and what is newer and is not is named.
func TestLatestComplete(t *testing.T) {
	const day = 24 * time.Hour
	type placed struct {
		before     time.Duration // noon
		components string        // beside db
		grade      manifest.Grade
		tag        string
	}
	for name, c := range map[string]struct {
		there  []placed
		must   string
		usual  string // "*": any
		want   int    // in there, or -1
		passed string // numbers in there, and what each lacks
	}{
		"all the same":            {[]placed{{day, "chroma", "", ""}, {0, "chroma", "", ""}}, "", "*", 1, ""},
		"newer without":           {[]placed{{day, "chroma", "", ""}, {time.Hour, "", "", ""}, {0, "", "", ""}}, "", "*", 0, "2 chroma, 1 chroma"},
		"nothing asked":           {[]placed{{day, "chroma", "", ""}, {0, "", "", ""}}, "", "", 1, ""},
		"usual, but not asked":    {[]placed{{day, "chroma", "", ""}, {0, "", "", ""}}, "db", "notes", 1, ""},
		"usual, and optional":     {[]placed{{day, "chroma", "", ""}, {0, "", "", ""}}, "db", "chroma", 0, "1 chroma"},
		"must have":               {[]placed{{day, "chroma", "", ""}, {0, "", "", ""}}, "db chroma", "", 0, "1 chroma"},
		"must have what it has":   {[]placed{{day, "chroma", "", ""}, {0, "", "", ""}}, "db", "", 1, ""},
		"must have what none has": {[]placed{{day, "chroma", "", ""}, {0, "", "", ""}}, "other", "*", -1, ""},
		"six days and 23 h ago":   {[]placed{{7*day - time.Hour, "chroma", "", ""}, {0, "", "", ""}}, "", "*", 0, "1 chroma"},
		"over a week ago":         {[]placed{{7*day + time.Hour, "chroma", "", ""}, {0, "", "", ""}}, "", "*", 1, ""},
		"over a week ago, must":   {[]placed{{7*day + time.Hour, "chroma", "", ""}, {0, "", "", ""}}, "chroma", "*", 0, "1 chroma"},
		"a week before the good":  {[]placed{{20 * day, "chroma", "", ""}, {15 * day, "", "", ""}, {0, "", manifest.Suspect, ""}}, "", "*", 0, "1 chroma"},
		"only in a suspect one":   {[]placed{{day, "chroma", manifest.Suspect, ""}, {0, "", "", ""}}, "", "*", 1, ""},
		"only in a safety one":    {[]placed{{day, "chroma", "", manifest.PreRestore}, {0, "", "", ""}}, "", "*", 1, ""},
		"none has all":            {[]placed{{day, "chroma", "", ""}, {time.Hour, "notes", "", ""}, {0, "", "", ""}}, "", "*", 2, ""},
		"none has all, must":      {[]placed{{day, "chroma", "", ""}, {time.Hour, "notes", "", ""}, {0, "", "", ""}}, "notes", "*", 1, "2 notes"},
		"one has all":             {[]placed{{day, "chroma notes", "", ""}, {time.Hour, "notes", "", ""}, {0, "", "", ""}}, "", "*", 0, "2 chroma+notes, 1 chroma"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var ids []manifest.ID
			for _, p := range c.there {
				ids = append(ids, w.place(noon.Add(-p.before), func(m *manifest.Manifest) {
					m.Components = document(noon, strings.Fields(p.components)...).Components
					if p.grade != "" {
						m.Grade, m.Reasons = p.grade, []manifest.Reason{{ID: "some_reason", Message: "x"}}
					}
					if p.tag != "" {
						m.Tags = []string{p.tag}
					}
				}))
			}
			ask := repository.Ask{Components: strings.Fields(c.must)}
			if c.usual != "" {
				ask.Usual = func(name string) bool { return c.usual == "*" || c.usual == name }
			}
			got, err := w.repo.Find(t.Context(), w.view(), repository.Latest, ask, noon)
			if c.want < 0 {
				if !errors.Is(err, repository.ErrNoSnapshot) || !strings.Contains(err.Error(), "without "+c.must) {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || got.ID != ids[c.want] {
				t.Fatalf("%+v, %v, want number %d of %v", got, err, c.want, ids)
			}
			var passed []string
			for _, p := range got.Passed {
				passed = append(passed, fmt.Sprint(slices.Index(ids, p.ID), " ", strings.Join(p.Missing, "+")))
			}
			if s := strings.Join(passed, ", "); s != c.passed {
				t.Errorf("passed over %q, want %q", s, c.passed)
			}
		})
	}
}

// One manifest that cannot be read is shown as such, and hides nobody else.
func TestSnapshots(t *testing.T) {
	w := newWorld(t)
	a, bad, b := w.place(noon, nil), w.place(noon.Add(time.Minute), nil), w.place(noon.Add(2*time.Minute), nil)
	w.mem.Set(manifest.ManifestKey(set, bad), make([]byte, manifest.MaxBytes+1))
	gone := manifest.ID("20260411T130000Z-00000000")
	w.mem.Set(manifest.ManifestKey(set, gone), manifest.Tombstone(gone))
	v := w.view()
	all, err := w.repo.Snapshots(t.Context(), v)
	if err != nil || len(all) != 3 || all[0].ID != a || all[1].ID != bad || all[2].ID != b {
		t.Fatalf("%+v, %v", all, err)
	}
	if all[0].Err != nil || all[0].Manifest == nil || !errors.Is(all[1].Err, repository.ErrDamaged) || all[1].Manifest != nil {
		t.Errorf("%+v", all)
	}
	w.mem.Remove(manifest.ManifestKey(set, a)) // swept since the listing
	if all, err = w.repo.Snapshots(t.Context(), v); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	w.fault = func(_ context.Context, op memtarget.Op, key string) memtarget.Fault {
		if op == memtarget.Get && strings.Contains(key, string(b)) {
			return failing(op, key, target.KindDenied)
		}
		return memtarget.Fault{}
	}
	if all, err = w.repo.Snapshots(t.Context(), v); !errors.Is(err, target.ErrDenied) || all != nil {
		t.Errorf("a manifest out of reach: %+v, %v", all, err)
	}
}
