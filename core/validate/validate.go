// Package validate finds out whether snapshots could be restored.
//
// [Run] checks snapshots at one of three levels and reports findings, what it could not find out, and
// the checks it made. A stored object that fails its hash twice is marked in the target, so that no
// create leans on it again and the next one stores its chunks anew. An object that meets what one
// manifest says of it is never marked: a manifest that says something else is at fault itself.
//
// With several snapshots at level Data a volume is read once, whole. Its hash proves it for all that name
// it with that hash; that its chunks have the ids that an index says is compared for the first snapshot
// that needs it. A snapshot that is validated alone has every one of its chunk ids compared, and at level
// Content every stream is hashed.
package validate

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/progress"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/target"
)

// Level says how deep validation goes.
type Level string

// Each level includes those before it.
const (
	Objects Level = "objects" // every object that a manifest names is listed, with its size
	Data    Level = "data"    // every needed byte is read; hashes of objects and ids of chunks agree (of shared volumes: see the package comment); nothing is written to disk but scratch
	Content Level = "content" // the streams are staged, their hashes agree, and each store passes its own checks
)

// Subset picks 1/N of the volumes by a hash of their keys, so that 1/N to N/N cover all. The zero value
// picks all.
type Subset struct{ K, N int }

func (s Subset) has(key string) bool {
	if s.N == 0 {
		return true
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32()%uint32(s.N)) == s.K-1
}

// Options of a Run.
type Options struct {
	Repository *repository.Repository
	View       *repository.View
	Snapshots  []repository.Snapshot
	Level      Level
	Subset     Subset            // only at level Data
	Scratch    string            // a directory with room for indexes and, for Content, for the largest component
	All        bool              // Snapshots are what there is, and none was asked for by its name: see Report.Swept
	Fallback   *restore.Fallback // optional: at levels that read, where to look for what is lost
	Mark       bool              // put damage marks
	Host, Tool string            // who marks
	Now        func() time.Time
	Progress   progress.Progress
}

// Finding is one thing that is wrong, or that could not be found out.
type Finding struct {
	Component string // may be empty
	Key       string // the object; may be empty
	ID        string // stable identifier, such as object_missing
	Message   string
}

// Identifiers of findings. Failed content checks carry their own.
const (
	IDManifest      = "manifest_damaged"     // the manifest cannot be read
	IDMissing       = "object_missing"       // a named object is not listed
	IDSize          = "object_size"          // it is listed with another size
	IDMarked        = "object_marked"        // it was found damaged before
	IDDamaged       = "object_damaged"       // it failed its hash twice
	IDContradiction = "object_contradiction" // it is what another manifest says, and not what this one says
	IDUnstable      = "object_unstable"      // it failed its hash once and then passed
	IDUnreadable    = "object_unreadable"    // it could not be read: the target, or this host's disk
	IDInconclusive  = "inconclusive"         // a check could not run
)

// Report is what a Run found.
type Report struct {
	Level     Level
	Snapshots []SnapshotReport
	Marked    []string      // keys of objects that got a damage mark
	Swept     []manifest.ID // with Options.All: a cleanup is deleting them, and what they lack is no damage
	Unsought  int           // components that lost objects for which, after many, nothing was looked for elsewhere
}

// SnapshotReport is what was found of one snapshot.
type SnapshotReport struct {
	ID           manifest.ID
	Manifest     *manifest.Manifest // nil when it cannot be read
	Findings     []Finding
	Inconclusive []Finding
	Checks       map[string][]manifest.Check // component -> content checks
	// Lost tells of each component that lost objects whether what they held is left elsewhere, with
	// Options.Fallback: restore would find it there.
	Lost []*restore.Rescue
}

// Damaged reports whether anything is wrong.
func (r *Report) Damaged() bool {
	for _, s := range r.Snapshots {
		if len(s.Findings) > 0 {
			return true
		}
	}
	return false
}

// Inconclusive reports whether anything could not be found out.
func (r *Report) Inconclusive() bool {
	for _, s := range r.Snapshots {
		if len(s.Inconclusive) > 0 {
			return true
		}
	}
	return false
}

// Run validates snapshots. What is wrong with them is in the report; the error is for a run that could
// not go on, and comes with the report so far.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Progress = progress.Or(o.Progress)
	v := &validation{Options: o, report: &Report{Level: o.Level}, damaged: map[claim]error{}, whole: map[claim]bool{}}
	if err := o.check(); err != nil {
		return v.report, err
	}
	dir, err := os.MkdirTemp(o.Scratch, "validate-")
	if err != nil {
		return v.report, fmt.Errorf("scratch space: %w", err)
	}
	v.Scratch = dir
	for _, s := range o.Snapshots {
		if err != nil {
			break
		}
		out := SnapshotReport{ID: s.ID, Manifest: s.Manifest, Checks: map[string][]manifest.Check{}}
		err = v.snapshot(ctx, s, &out)
		swept := false
		if o.All && err == nil && s.Err == nil && len(out.Findings)+len(out.Inconclusive) > 0 {
			swept, err = o.Repository.Swept(ctx, o.View.Set, s.ID) // also since the view was taken
		}
		if swept {
			v.report.Swept = append(v.report.Swept, s.ID)
		} else {
			v.report.Snapshots = append(v.report.Snapshots, out)
		}
	}
	return v.report, errors.Join(err, os.RemoveAll(dir))
}

// check refuses options that would leave something out without a word.
func (o *Options) check() error {
	s := o.Subset
	switch {
	case o.Level != Objects && o.Level != Data && o.Level != Content:
		return fmt.Errorf("validate: unknown level %q", o.Level)
	case s == Subset{}:
	case o.Level != Data:
		return fmt.Errorf("validate: a subset has no sense at level %s", o.Level)
	case s.K < 1 || s.K > s.N:
		return fmt.Errorf("validate: there is no subset %d/%d", s.K, s.N)
	}
	return nil
}

type validation struct {
	Options
	report  *Report
	damaged map[claim]error // objects that failed twice in this run
	whole   map[claim]bool  // volumes read whole and found right in this run

	manifests []repository.Snapshot // all of the set, read when an object fails
	sought    int                   // components for which something was looked for elsewhere
}

func (v *validation) snapshot(ctx context.Context, s repository.Snapshot, out *SnapshotReport) error {
	if s.Err != nil {
		out.Findings = append(out.Findings, Finding{Key: manifest.ManifestKey(v.View.Set, s.ID), ID: IDManifest, Message: s.Err.Error()})
		return nil
	}
	for i := range s.Manifest.Components {
		c := &component{v: v, m: s.Manifest, c: &s.Manifest.Components[i], out: out, gone: map[string]bool{}}
		c.claims = claimed(c.c)
		c.objects()
		if v.Level == Objects {
			continue
		}
		err := c.data(ctx)
		if err == nil {
			err = c.seek(ctx)
		}
		if err != nil {
			return fmt.Errorf("validate %s of snapshot %s: %w", c.c.Name, s.ID, err)
		}
	}
	return nil
}

// mark notes in the target, when asked, that an object failed twice. That it cannot be is no reason to
// stop, nor that the repository is no longer there: then nothing that was seen missing is to be believed.
func (v *validation) mark(ctx context.Context, key string, cause error) error {
	if !v.Mark || v.View.Damaged[key] || slices.Contains(v.report.Marked, key) {
		return nil
	}
	r, err := repository.Open(ctx, v.Repository.Store)
	if err != nil {
		return err
	}
	if r.ID != v.Repository.ID {
		return fmt.Errorf("the target now holds another repository, %s", r.ID)
	}
	k, err := manifest.ParseKey(key)
	if err != nil {
		return err
	}
	note := manifest.Note{ID: k.ID, At: v.Now().UTC(), Host: v.Host, Tool: v.Tool, Reason: manifest.ClipText(cause.Error())}
	b, err := note.Encode()
	if err != nil {
		return err
	}
	_, err = v.Repository.Store.PutBytes(ctx, manifest.DamagedKey(k.Set, k.ID, path.Base(key)), b, target.PutOptions{})
	if err != nil && !errors.Is(err, target.ErrExists) { // else somebody else found it too
		return err
	}
	v.report.Marked = append(v.report.Marked, key)
	return nil
}
