package backup

import (
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Report is what a Run did.
type Report struct {
	CapturedAt time.Time
	Grade      manifest.Grade
	Reasons    []manifest.Reason
	Components []ComponentReport
	Targets    []TargetReport
}

// ComponentReport is what became of one component.
type ComponentReport struct {
	Name   string
	Kind   manifest.Kind
	Size   int64         // bytes of the stream; 0 when it was not captured
	Held   time.Duration // how long the live store was held frozen
	Checks []manifest.Check
	Err    error // why it was not captured
}

// TargetReport is what became of one target.
type TargetReport struct {
	Name     string
	Manifest *manifest.Manifest // what was committed; nil when Err is not
	Sent     int64              // bytes put
	Stored   map[string]int64   // component -> bytes of its new chunks, before compression
	Notes    []string           // what a person should know although it is no failure
	Err      error
}

// Complete reports whether every target holds the snapshot.
func (r *Report) Complete() bool {
	for _, t := range r.Targets {
		if t.Manifest == nil {
			return false
		}
	}
	return true
}
