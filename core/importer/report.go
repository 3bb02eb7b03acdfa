package importer

import (
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Report is what a Run did.
type Report struct {
	Dir         string     // the folder that holds the stamps
	Snapshots   []Snapshot // one for each stamp that the run came to, oldest first
	Unparseable []string   // names in Dir that are no stamp; they were left alone
	Targets     []Target   // in the order of the options
}

// Snapshot is what became of one stamp.
type Snapshot struct {
	Stamp      string
	Problems   []Problem // why it was left out; then nothing below is known
	CapturedAt time.Time
	Components []string          // that were imported; nil when no target wanted it
	Grade      manifest.Grade    // "" when nothing was committed
	Reasons    []manifest.Reason // of the grade
	Already    []string          // targets that hold it from an earlier run
	Targets    []SnapshotTarget  // the others; of those that failed before, none
}

// Problem is why a folder cannot be imported.
type Problem struct {
	ID      string // stable; the original's where it has one for it
	Message string
}

// SnapshotTarget is what became of one stamp in one target.
type SnapshotTarget struct {
	Name  string
	ID    manifest.ID // "" in a dry run, and when Err is not nil
	Notes []string
	Err   error
}

// Target is what became of all stamps in one target.
type Target struct {
	Name     string
	Imported int   // in a dry run those that would be
	Already  int   // that it held before
	Sent     int64 // bytes
	Err      error // why it got nothing more
}
