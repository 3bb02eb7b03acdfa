package store

import (
	"testing"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/chroma"
)

// Synthetic collections have to be as good as recorded ones: the whole census passes, and sees them.
func TestChromaPassesTheCensus(t *testing.T) {
	dir := generate(t, Options{Size: 1 << 20, ChromaSize: 6 << 20})
	report, err := chroma.Inspect(t.Context(), Chroma(dir), source.Full, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		if c.Result != manifest.OK {
			t.Errorf("%s: %s %s", c.Name, c.Result, c.Detail)
		}
	}
	vectors := int64(0)
	for _, c := range report.Facts.Chroma.Collections {
		if c.Dimension == dimension {
			vectors += int64(c.Count)
		}
	}
	if len(report.Checks) == 0 || vectors < 500 {
		t.Errorf("%d checks saw %d synthetic vectors", len(report.Checks), vectors)
	}
}
