package backup_test

import (
	"slices"
	"testing"

	"github.com/atocore/holdfast/core/backup"
	"github.com/atocore/holdfast/core/backup/backuptest"
)

// A dry run tells what a create would send, to the byte but for hashes and ids, and leaves no trace.
func TestDryRun(t *testing.T) {
	w := backuptest.New(t, "nas", "offsite")
	for _, change := range []string{"", "UPDATE items SET body = hex(randomblob(300)) WHERE id % 200 = 0"} {
		if change != "" {
			w.Exec(change)
		}
		before := [][]string{w.Keys(0, ""), w.Keys(1, "")}
		dry, err := w.Create(func(o *backup.Options) { o.DryRun = true })
		if err != nil {
			t.Fatal(err)
		}
		for n := range w.Stores {
			if after := w.Keys(n, ""); !slices.Equal(after, before[n]) {
				t.Fatalf("a dry run changed the keys from %v to %v", before[n], after)
			}
		}
		real := w.Good()
		if notes := append(real.Targets[0].Notes, real.Targets[1].Notes...); len(notes) > 0 {
			t.Errorf("the run after it was told %q", notes)
		}
		for n, target := range real.Targets {
			would := dry.Targets[n]
			if would.Stored["db"] != target.Stored["db"] || would.Manifest.Parent != target.Manifest.Parent ||
				would.Sent < target.Sent-1000 || would.Sent > target.Sent+1000 {
				t.Errorf("target %s: a dry run said %d bytes, %d of chunks, parent %s; it was %d, %d and %s", target.Name,
					would.Sent, would.Stored["db"], would.Manifest.Parent, target.Sent, target.Stored["db"], target.Manifest.Parent)
			}
		}
	}
}
