package ballottest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// pinsFirst lists pins when the run begins, and never again.
func pinsFirst(a *actor, _ *disk) *liar {
	l := &liar{}
	var pins []target.Object
	have := 0 // the run
	l.list = func(prefix string, list listing) ([]target.Object, error) {
		if have != a.runs {
			var err error
			if pins, err = l.all(context.Background(), manifest.Prefix(set, manifest.Pins), ""); err != nil {
				return nil, err
			}
			have = a.runs
		}
		if in(prefix, manifest.Pins) {
			return pins, nil
		}
		return list()
	}
	return l
}

// intentsFirst lists intents just before archives.
func intentsFirst(a *actor, _ *disk) *liar {
	l := &liar{}
	var intents []target.Object
	have := 0 // the run
	l.list = func(prefix string, list listing) (_ []target.Object, err error) {
		switch {
		case in(prefix, manifest.Archives):
			if intents, err = l.all(context.Background(), manifest.Prefix(set, manifest.Intents), ""); err != nil {
				return nil, err
			}
			have = a.runs
		case in(prefix, manifest.Intents) && have == a.runs:
			return intents, nil
		}
		return list()
	}
	return l
}

// once lists manifests only once when it knows the intents.
func once(a *actor, _ *disk) *liar {
	l := &liar{}
	var manifests []target.Object
	asked, have := 0, 0 // the run
	l.list = func(prefix string, list listing) (_ []target.Object, err error) {
		switch {
		case in(prefix, manifest.Intents):
			asked, have = a.runs, 0
		case in(prefix, manifest.Manifests) && asked == a.runs && have == a.runs:
			return manifests, nil
		case in(prefix, manifest.Manifests) && asked == a.runs:
			if manifests, err = list(); err == nil {
				have = a.runs
			}
			return manifests, err
		}
		return list()
	}
	return l
}

// content takes what it got of a listing that failed for all there is.
func content(*actor, *disk) *liar {
	return &liar{list: func(prefix string, list listing) ([]target.Object, error) {
		all, err := list()
		if in(prefix, manifest.Manifests) {
			err = nil
		}
		return all, err
	}}
}

// forgetful takes whatever is there for older than a year.
func forgetful(*actor, *disk) *liar {
	return &liar{list: func(prefix string, list listing) ([]target.Object, error) {
		all, err := list()
		if in(prefix, manifest.Manifests) || in(prefix, manifest.Verdicts) || in(prefix, manifest.Expired) {
			for i := range all {
				all[i].ModTime = all[i].ModTime.Add(-400 * 24 * time.Hour)
			}
		}
		return all, err
	}}
}

// unread passes over every manifest that cannot be read.
func unread(a *actor, d *disk) *liar {
	return &liar{list: func(_ string, list listing) (readable []target.Object, err error) {
		all, err := list()
		for _, o := range all {
			if in(o.Key, manifest.Manifests) {
				body, err := a.read(d, o.Key)
				if _, bad := manifest.Decode(body); err != nil || bad != nil {
					continue
				}
			}
			readable = append(readable, o)
		}
		return readable, err
	}}
}

// notes changes what a host reads of a sweep that waits.
func notes(change func(s *schedule, sweep map[string]any)) func(*schedule, []byte) []byte {
	return func(s *schedule, b []byte) []byte {
		var all map[string]any
		if err := json.Unmarshal(b, &all); err != nil {
			panic(err) // the notebook of core/cleanup is JSON
		}
		if sweep, ok := all["sweep"].(map[string]any); ok {
			change(s, sweep)
		}
		b, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		return b
	}
}

// newArchives makes K what lies there now.
func newArchives(s *schedule, sweep map[string]any) {
	var all []any
	for key := range inOrder(s.ledger.sums) {
		all = append(all, map[string]any{"key": key, "size": 1})
	}
	sweep["archives"] = all
}

// newExpired makes E what is expired now.
func newExpired(s *schedule, sweep map[string]any) {
	var all []any
	for id := range inOrder(s.ledger.swept) {
		all = append(all, id)
	}
	sweep["expired"] = all
}
