package ballottest

import (
	"context"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// eager puts the intent only when it has listed what there is.
func eager(*actor, *disk) *liar {
	l := &liar{}
	var intent func() error
	l.put = func(key string, b []byte, put func() error) error {
		if in(key, manifest.Intents) {
			intent = put
			return l.pretend(key, b)
		}
		if intent != nil {
			if err := intent(); err != nil {
				return err
			}
			intent = nil
		}
		return put()
	}
	return l
}

// bold puts its manifest over whatever is there.
func bold(a *actor, _ *disk) *liar {
	return &liar{put: func(key string, b []byte, put func() error) error {
		err := put()
		if in(key, manifest.Manifests) && exists(err) {
			a.ledger.put(a, key, b)
			a.mem.Set(key, b)
			return nil
		}
		return err
	}}
}

// hasty deletes its intent before it puts its manifest.
func hasty(_ *actor, d *disk) *liar {
	return &liar{put: func(key string, _ []byte, put func() error) error {
		if k, err := manifest.ParseKey(key); err == nil && k.Folder == manifest.Manifests {
			if err := d.Delete(context.Background(), manifest.IntentKey(set, k.ID)); err != nil {
				return err
			}
		}
		return put()
	}}
}

// pinless puts no pin when it undeletes.
func pinless(a *actor, _ *disk) *liar {
	l := &liar{}
	l.put = func(key string, b []byte, put func() error) error {
		if in(key, manifest.Pins) && a.doing == "undelete" {
			return l.pretend(key, b)
		}
		return put()
	}
	return l
}

// unlooking sees no marks when it pins.
func unlooking(a *actor, _ *disk) *liar {
	return &liar{list: func(prefix string, list listing) ([]target.Object, error) {
		if in(prefix, manifest.Expired) && a.doing == "pin" {
			return nil, nil
		}
		return list()
	}}
}

// stale goes on with the marks that it listed before its pin when it undeletes.
func stale(a *actor, _ *disk) *liar {
	before, have := map[string][]target.Object{}, 0
	return &liar{list: func(prefix string, list listing) ([]target.Object, error) {
		if a.doing != "undelete" {
			return list()
		}
		if have != a.runs {
			before, have = map[string][]target.Object{}, a.runs
		}
		if all, ok := before[prefix]; ok {
			return all, nil
		}
		all, err := list()
		if err == nil {
			before[prefix] = all
		}
		return all, err
	}}
}
