package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/validate"
)

// A manifest that says something untrue of an object that it shares with another is at fault itself: the
// other snapshot is whole and the object gets no mark, in whichever order they are validated, and alone.
func TestContradiction(t *testing.T) {
	wrong := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		touch bool // else both have the same stream, and so the same index
		lie   func(c *manifest.Component, own string)
		key   string
	}{
		"volume's hash": {true, func(c *manifest.Component, own string) {
			for i, v := range c.Volumes {
				if !strings.HasPrefix(v.Key, own) {
					c.Volumes[i].SHA256 = wrong
				}
			}
		}, "db-00000.zst"},
		"index's hash":   {false, func(c *manifest.Component, _ string) { c.Index[0].SHA256 = wrong }, "db.index.zst"},
		"stream's hash":  {false, func(c *manifest.Component, _ string) { c.SHA256 = wrong }, "db.index.zst"},
		"volume's bytes": {false, func(c *manifest.Component, _ string) { c.Volumes[0].SHA256 = wrong }, "db-00000.zst"},
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "nas")
			first := w.Good().Targets[0].Manifest
			if c.touch {
				w.Touch("100")
			}
			m := *w.Good().Targets[0].Manifest
			c.lie(m.Component("db"), manifest.ArchivePrefix(backuptest.Set, m.ID))
			b, err := manifest.Encode(&m)
			if err != nil {
				t.Fatal(err)
			}
			w.Damage(0, manifest.ManifestKey(backuptest.Set, m.ID), func([]byte) []byte { return b })
			for _, ids := range [][]manifest.ID{{first.ID, m.ID}, {m.ID, first.ID}, {m.ID}, {first.ID}} {
				for _, level := range []validate.Level{validate.Data, validate.Content} {
					o := w.Validation(0, level)
					all := o.Snapshots
					o.Snapshots = nil
					for _, id := range ids {
						i := slices.IndexFunc(all, func(s repository.Snapshot) bool { return s.ID == id })
						o.Snapshots = append(o.Snapshots, all[i])
					}
					r, err := validate.Run(t.Context(), o)
					if err != nil || len(r.Marked) > 0 || r.Inconclusive() {
						t.Errorf("%v at level %s: marked %v, %+v, %v", ids, level, r.Marked, r.Snapshots, err)
					}
					for _, s := range r.Snapshots {
						var want []string
						if s.ID == m.ID {
							want = []string{"db " + c.key + " object_contradiction"}
						}
						if got := found(s.Findings); !slices.Equal(got, want) {
							t.Errorf("%v at level %s: snapshot %s: found %v, want %v", ids, level, s.ID, got, want)
						}
					}
				}
			}
			// An object that is what none of them says is damaged.
			if name == "volume's hash" {
				w.Damage(0, first.Component("db").Volumes[0].Key, backuptest.Flip)
				r := w.Validate(0, validate.Data)
				for _, s := range r.Snapshots {
					if got := found(s.Findings); !slices.Equal(got, []string{"db db-00000.zst object_damaged"}) {
						t.Errorf("flipped: snapshot %s: %v", s.ID, got)
					}
				}
				if len(r.Marked) != 1 {
					t.Errorf("marked %v", r.Marked)
				}
			}
		})
	}
}
