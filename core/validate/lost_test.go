package validate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/validate"
)

// What a target has lost is reported as damage there, whatever others hold; and that a restore would find it,
// or how much of it is nowhere.
func TestLost(t *testing.T) {
	none := func([]byte) []byte { return nil }
	for name, c := range map[string]struct {
		a, b  string // the files of db that are damaged in each target; "" for none
		how   func([]byte) []byte
		whole bool
	}{
		"volume":         {"db-00000.zst", "", backuptest.Flip, true},
		"volume missing": {"db-00000.zst", "", none, true},
		"index":          {"db.index.zst", "", backuptest.Flip, true},
		"index missing":  {"db.index.zst", "", none, true},
		"other lost":     {"db-00000.zst", "db.index.zst", backuptest.Flip, true}, // the volume has the same id
		"both volumes":   {"db-00000.zst", "db-00000.zst", none, false},
		"both indexes":   {"db.index.zst", "db.index.zst", backuptest.Flip, false},
		"index, volume":  {"db.index.zst", "db-00000.zst", none, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := backuptest.New(t, "a", "b")
			r := w.Good()
			a, b := r.Targets[0].Manifest, r.Targets[1].Manifest
			w.Damage(0, manifest.ArchivePrefix(backuptest.Set, a.ID)+c.a, c.how)
			if c.b != "" {
				w.Damage(1, manifest.ArchivePrefix(backuptest.Set, b.ID)+c.b, c.how)
			}
			for _, level := range levels {
				o := w.Validation(0, level)
				o.Fallback = &restore.Fallback{Others: []restore.Other{{Name: "b", Open: func(ctx context.Context) (*repository.Repository, error) {
					return repository.Open(ctx, w.Stores[1])
				}}}}
				got, err := validate.Run(t.Context(), o)
				if err != nil || level != validate.Objects && !got.Damaged() || got.Inconclusive() {
					t.Fatalf("level %s: %+v, %v", level, got, err)
				}
				lost := one(t, got).Lost
				if level == validate.Objects {
					if len(lost) > 0 {
						t.Errorf("level objects read: %v", lost)
					}
					continue
				}
				if len(lost) != 1 || lost[0].Component != "db" || lost[0].Whole() != c.whole || !strings.HasSuffix(lost[0].Damaged[0].Key, c.a) {
					t.Fatalf("level %s: %+v", level, lost)
				}
				if strings.HasPrefix(c.a, "db-") && (lost[0].Lost.Chunks == 0 || (lost[0].Left.Chunks == 0) != c.whole) {
					t.Errorf("level %s: %s", level, lost[0])
				}
				clean(t, w)
			}
		})
	}
}

// Nothing is sought when nothing is lost, and after many components no more.
func TestLostBound(t *testing.T) {
	w := backuptest.New(t, "a")
	for range 35 {
		w.Good()
	}
	opened := 0
	o := w.Validation(0, validate.Data)
	o.Fallback = &restore.Fallback{Others: []restore.Other{{Name: "b", Open: func(context.Context) (*repository.Repository, error) {
		opened++
		return nil, context.DeadlineExceeded
	}}}}
	if r, err := validate.Run(t.Context(), o); err != nil || r.Damaged() || opened > 0 {
		t.Fatalf("opened %d times: %+v, %v", opened, r, err)
	}
	for _, key := range w.Keys(0, "registry-00000.zst") {
		w.Damage(0, key, backuptest.Flip)
	}
	r, err := validate.Run(t.Context(), o)
	lost := 0
	for _, s := range r.Snapshots {
		lost += len(s.Lost)
	}
	if err != nil || lost+r.Unsought != 35 || r.Unsought != 3 || opened != 1 {
		t.Errorf("%d were sought and %d not, opened %d times, %v", lost, r.Unsought, opened, err)
	}
}
