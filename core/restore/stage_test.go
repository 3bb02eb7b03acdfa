package restore_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
)

// Right chunks are not enough: the stream must be the one that the manifest speaks of, and be what its kind
// says. Whatever fails, nothing is left.
func TestStage(t *testing.T) {
	w := backuptest.New(t, "nas")
	m := w.Good().Targets[0].Manifest
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		change func(*manifest.Component)
		ctx    context.Context
		want   error
		says   string
	}{
		"right":      {func(*manifest.Component) {}, t.Context(), nil, ""},
		"other hash": {func(c *manifest.Component) { c.SHA256 = strings.Repeat("0", 64) }, t.Context(), repository.ErrDamaged, "the manifest says"},
		"longer":     {func(c *manifest.Component) { c.Size++ }, t.Context(), repository.ErrDamaged, "the manifest says"},
		"no tar":     {func(c *manifest.Component) { c.Kind = manifest.Chroma }, t.Context(), repository.ErrDamaged, "cannot be unpacked"},
		"cancelled":  {func(*manifest.Component) {}, ended, context.Canceled, ""},
	} {
		dir := t.TempDir()
		open, err := w.Repo(0).OpenComponent(t.Context(), m, "registry", dir)
		if err != nil {
			t.Fatal(err)
		}
		changed := *open.Component
		c.change(&changed)
		open.Component = &changed
		path, err := restore.Stage(c.ctx, open, restore.StageOptions{Dir: dir})
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s, %v", name, path, err)
		}
		if left, _ := os.ReadDir(dir); (err == nil) != (len(left) == 1) {
			t.Errorf("%s: %v is in the directory", name, left)
		}
		if err := open.Close(); err != nil {
			t.Error(err)
		}
	}
}
