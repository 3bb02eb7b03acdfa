package ballottest

import (
	"context"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// ablation leaves one step of the protocol out.
type ablation struct {
	name string
	lie  lie
}

// to lies to actors of one role only.
func to(role string, l func(*actor, *disk) *liar) lie {
	return func(a *actor, d *disk) *liar {
		if a.role != role {
			return nil
		}
		return l(a, d)
	}
}

// empty is a listing of a folder that shows nothing.
func empty(folder manifest.Folder) func(*actor, *disk) *liar {
	return func(*actor, *disk) *liar {
		return &liar{list: func(prefix string, list func() ([]target.Object, error)) ([]target.Object, error) {
			if in(prefix, folder) {
				return nil, nil
			}
			return list()
		}}
	}
}

// deaf takes every put of a folder for made whose answer is lost.
func deaf(folder manifest.Folder, body func(manifest.ID, []byte) bool) func(*actor, *disk) *liar {
	return func(*actor, *disk) *liar {
		l := &liar{}
		l.put = func(key string, b []byte, put func() error) error {
			err := put()
			if k, perr := manifest.ParseKey(key); perr == nil && err != nil && !exists(err) && k.Folder == folder && body(k.ID, b) {
				return l.pretend(key, b)
			}
			return err
		}
		return l
	}
}

// swallow makes no put of a folder, and says that it is made.
func swallow(folder manifest.Folder, body func(manifest.ID, []byte) bool) func(*actor, *disk) *liar {
	return func(*actor, *disk) *liar {
		l := &liar{}
		l.put = func(key string, b []byte, put func() error) error {
			if k, err := manifest.ParseKey(key); err == nil && k.Folder == folder && body(k.ID, b) {
				return l.pretend(key, b)
			}
			return put()
		}
		return l
	}
}

// stubborn takes its own verdict for the one that stands.
func stubborn(*actor, *disk) *liar {
	l := &liar{}
	l.put = func(key string, b []byte, put func() error) error {
		err := put()
		if in(key, manifest.Verdicts) && exists(err) {
			return l.pretend(key, b)
		}
		return err
	}
	return l
}

func exists(err error) bool { return target.KindOf(err) == target.KindExists }

func anything(manifest.ID, []byte) bool { return true }

func tombstone(id manifest.ID, b []byte) bool { return manifest.IsTombstone(b, id) }

func document(id manifest.ID, b []byte) bool { return !manifest.IsTombstone(b, id) }

// ablations is every step whose absence loses snapshots. These lose none, and so are not here:
//
//   - C2, the size of what is reused, and damage marks: they are about stores that lose bytes.
//   - Expire without a look at pins: G2 looks at them again, and the mark only makes the snapshot nobody's parent.
//   - max_session and the grace: the first is patience with writers, whose creates would fail; the second gives
//     people time.
//   - G7, manifests last: earlier ones would leave garbage, which the next sweep finds.
func ablations() []ablation {
	return []ablation{
		{"C1: no intent", to("writer", swallow(manifest.Intents, anything))},
		{"C2: the listings before the intent", to("writer", func(a *actor, d *disk) *liar {
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
		})},
		{"C2: a marked snapshot is a parent", to("writer", empty(manifest.Expired))},
		{"C4: before every put is known to be made", to("writer", deaf(manifest.Archives, anything))},
		{"C4: not if absent", to("writer", func(a *actor, d *disk) *liar {
			return &liar{put: func(key string, b []byte, put func() error) error {
				err := put()
				if in(key, manifest.Manifests) && exists(err) {
					a.ledger.put(a, key, b)
					a.mem.Set(key, b)
					return nil
				}
				return err
			}}
		})},
		{"C4: an unclear answer is a success", to("writer", deaf(manifest.Manifests, document))},
		{"C5: the intent goes before the ballot is taken", to("writer", func(a *actor, d *disk) *liar {
			return &liar{put: func(key string, b []byte, put func() error) error {
				if k, err := manifest.ParseKey(key); err == nil && k.Folder == manifest.Manifests {
					if err := d.Delete(context.Background(), manifest.IntentKey(set, k.ID)); err != nil {
						return err
					}
				}
				return put()
			}}
		})},
		{"C5: given up without a tombstone", to("writer", swallow(manifest.Manifests, tombstone))},
		{"Undelete: no pin", to("hand", func(a *actor, d *disk) *liar {
			l := &liar{}
			l.put = func(key string, b []byte, put func() error) error {
				if in(key, manifest.Pins) && a.doing == "undelete" {
					return l.pretend(key, b)
				}
				return put()
			}
			return l
		})},
		{"Undelete: sweep is not obeyed", to("hand", stubborn)},
		{"Pin: marks are not listed after it", to("hand", func(a *actor, d *disk) *liar {
			return &liar{list: func(prefix string, list func() ([]target.Object, error)) ([]target.Object, error) {
				if in(prefix, manifest.Expired) && a.doing == "pin" {
					return nil, nil
				}
				return list()
			}}
		})},
		{"Sweep: keep is not obeyed", to("cleanup", stubborn)},
		{"G2: pins do not count", to("cleanup", empty(manifest.Pins))},
		{"G2: pins are listed before the marks are put", to("cleanup", func(a *actor, d *disk) *liar {
			l := &liar{}
			before := replay(a, manifest.Pins)
			l.list = func(prefix string, list func() ([]target.Object, error)) ([]target.Object, error) {
				return before(prefix, func() ([]target.Object, error) {
					return l.all(context.Background(), manifest.Prefix(set, manifest.Pins), "")
				}, list)
			}
			return l
		})},
		{"G4: intents before archives", to("cleanup", func(a *actor, d *disk) *liar {
			l := &liar{}
			var intents []target.Object
			have := -1
			l.list = func(prefix string, list func() ([]target.Object, error)) ([]target.Object, error) {
				switch {
				case in(prefix, manifest.Archives) && have != a.runs:
					var err error
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
		})},
		{"G5: intents do not count", to("cleanup", empty(manifest.Intents))},
		{"G5: no tombstone", to("cleanup", swallow(manifest.Manifests, anything))},
		{"G5: an unclear answer is a tombstone", to("cleanup", deaf(manifest.Manifests, anything))},
		{"G6: one listing", to("cleanup", func(a *actor, d *disk) *liar {
			l := &liar{}
			var manifests []target.Object
			sure, have := -1, -1
			l.list = func(prefix string, list func() ([]target.Object, error)) ([]target.Object, error) {
				if in(prefix, manifest.Intents) {
					sure = a.runs
				}
				if !in(prefix, manifest.Manifests) || sure != a.runs {
					return list()
				}
				if have == a.runs {
					return manifests, nil
				}
				var err error
				if manifests, err = list(); err == nil {
					have = a.runs
				}
				return manifests, err
			}
			return l
		})},
		{"G6: a listing that fails is taken for whole", to("cleanup", func(a *actor, d *disk) *liar {
			return &liar{list: func(prefix string, list func() ([]target.Object, error)) ([]target.Object, error) {
				all, err := list()
				if in(prefix, manifest.Manifests) {
					err = nil
				}
				return all, err
			}}
		})},
		{"G6: a manifest that cannot be read does not count", to("cleanup", unread)},
		{"kept: tombstones, marks and verdicts go at once", to("cleanup", func(a *actor, d *disk) *liar {
			return &liar{list: func(prefix string, list func() ([]target.Object, error)) ([]target.Object, error) {
				all, err := list()
				if in(prefix, manifest.Manifests) || in(prefix, manifest.Verdicts) || in(prefix, manifest.Expired) {
					for i := range all {
						all[i].ModTime = all[i].ModTime.Add(-400 * 24 * time.Hour)
					}
				}
				return all, err
			}}
		})},
	}
}

// replay answers every listing of a folder with what was there when the cleanup's run began.
func replay(a *actor, folder manifest.Folder) func(prefix string, now, list func() ([]target.Object, error)) ([]target.Object, error) {
	var then []target.Object
	have := -1
	return func(prefix string, now, list func() ([]target.Object, error)) ([]target.Object, error) {
		if have != a.runs {
			var err error
			if then, err = now(); err != nil {
				return nil, err
			}
			have = a.runs
		}
		if in(prefix, folder) {
			return then, nil
		}
		return list()
	}
}

// unread passes over every manifest that cannot be read.
func unread(a *actor, d *disk) *liar {
	return &liar{list: func(prefix string, list func() ([]target.Object, error)) (readable []target.Object, err error) {
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
