package sqlite_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// At level None no check is made, but damage that counting rows runs into is told; a table that is gone
// since the baseline is not: that is how a person accepts that it is.
func TestInspectUnasked(t *testing.T) {
	path := dbPath(t)
	make1(t, path)
	copied := mustCapture(t, path).Path
	gone := &manifest.SQLiteFacts{Rows: map[string]int64{"was here": 1}}
	if got := inspect(t, copied, source.None, gone).Checks; len(got) != 0 {
		t.Errorf("a healthy copy: %v", got)
	}
	f, err := os.OpenFile(copied, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := int64(1); page < 4; page++ { // the first interior and leaf pages behind the schema
		if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, page*4096); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(map[string]string{"tables": "failed db_open_failed"}, outcome(inspect(t, copied, source.None, gone))); d != "" {
		t.Errorf("a damaged copy (-want +got):\n%s", d)
	}
}
