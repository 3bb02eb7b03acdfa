// Package file reads a live plain file, such as a project registry, that another process may be
// writing, and inspects copies.
//
// A file has no lock that its writers heed. So it is read until two looks at its identity, size and
// times, one before and one after, agree (Freeze), and once more when every other store is frozen
// (Confirm): unless the bytes are still the same, the cut is repeated. Content that should be JSON
// and is not is read again for a while, for a writer that truncates before it writes; it is
// captured all the same in the end, and Inspect says what is wrong with it. A file that goes away
// meanwhile has changed; absent is only one that was not there when it was first looked for.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// The stable identifiers of this package's faults and failed checks. The first two are those of the
// original AtoCore backup.
const (
	IDMissing     = "registry_snapshot_missing" // a staged or restored copy is not there
	IDInvalidJSON = "registry_invalid_json"     // format json, and the content is something else

	IDAbsent   = "file_absent"      // the live file does not exist
	IDOpen     = "file_open_failed" // it cannot be opened or read
	IDSpecial  = "file_not_regular" // a directory, FIFO, device or socket
	IDTooLarge = "file_too_large"   // over MaxSize
	IDUnstable = "file_unstable"    // it changed during every attempt to read it
)

// JSON is the format of a file that must parse as JSON.
const JSON = "json"

// MaxSize is the size in bytes up to which a file is captured: what is larger is no configuration
// file, and could not be read in one go beside its writer.
const MaxSize = 1 << 30

const (
	attempts = 8
	pause    = 25 * time.Millisecond
)

// Source is a live file.
type Source struct {
	name, path, format string

	dir    string // staging
	seen   bool   // it was there
	frozen bool
	last   reading // what Freeze staged
}

var _ source.Source = (*Source)(nil)

// New returns the source of the file at path; format is "" or JSON. It touches nothing.
func New(name, path, format string) *Source { return &Source{name: name, path: path, format: format} }

// Name is the component's configured name.
func (s *Source) Name() string { return s.name }

// Kind is manifest.File.
func (s *Source) Kind() manifest.Kind { return manifest.File }

// Order is OrderFile: reading a file holds nothing.
func (s *Source) Order() source.Order { return source.OrderFile }

// Estimate is the file's size.
func (s *Source) Estimate(context.Context) (int64, error) {
	fi, err := os.Stat(s.path)
	if err != nil {
		return 0, s.opening(err)
	}
	s.seen = true
	return fi.Size(), s.acceptable(fi)
}

// Prepare only remembers dir.
func (s *Source) Prepare(_ context.Context, dir string) error {
	s.dir = dir
	return nil
}

// Freeze reads the file into staging. It takes no lock, so wait bounds only the time that it gives
// a writer to finish what is not JSON yet.
func (s *Source) Freeze(ctx context.Context, wait source.Wait) error {
	s.frozen = false
	patience := time.NewTimer(time.Duration(wait))
	defer patience.Stop()
	for try := 1; ; try++ {
		r, err := s.stage(ctx)
		if err != nil && !errors.Is(err, source.ErrMoved) {
			return err
		}
		if err == nil && (s.format != JSON || try == attempts || validJSON(s.staged()) == nil) {
			s.frozen, s.last = true, r
			return nil
		}
		if try == attempts {
			return err
		}
		if stop, ctxErr := sleep(ctx, patience); ctxErr != nil {
			return ctxErr
		} else if stop {
			if err != nil {
				return err
			}
			s.frozen, s.last = true, r
			return nil
		}
	}
}

// sleep pauses; stop is true when patience ended first.
func sleep(ctx context.Context, patience *time.Timer) (stop bool, err error) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-patience.C:
		return true, nil
	case <-t.C:
		return false, nil
	}
}

// Confirm reads the file again and compares.
func (s *Source) Confirm(ctx context.Context) error {
	if !s.frozen {
		return fmt.Errorf("confirm %s: it is not frozen", s.path)
	}
	now, err := s.read(ctx, io.Discard)
	if err != nil {
		return err
	}
	if now != s.last {
		return s.fault(IDUnstable, source.ErrMoved, "changed while the other stores were frozen", nil)
	}
	return nil
}

// Capture returns what Freeze staged.
func (s *Source) Capture(context.Context) (*source.Frozen, error) {
	if !s.frozen {
		return nil, fmt.Errorf("capture %s: it is not frozen", s.path)
	}
	path := s.staged()
	part := source.Part{Size: s.last.size}
	if part.Size > 0 {
		part.Open = func() (io.ReadCloser, error) { return os.Open(path) }
	}
	return &source.Frozen{ChunkSize: 4096, Path: path, Parts: []source.Part{part}}, nil
}

// Thaw has nothing to let go.
func (s *Source) Thaw() error {
	s.frozen = false
	return nil
}

// Close is Thaw.
func (s *Source) Close() error { return s.Thaw() }

// opening says why the file could not be opened. One that was there when the capture began is being replaced: a
// writer that removes before it renames must not make it look as if there were none.
func (s *Source) opening(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		if s.seen {
			return s.fault(IDUnstable, source.ErrMoved, "was there, and is gone", nil)
		}
		return s.fault(IDAbsent, source.ErrAbsent, "does not exist", nil)
	}
	return s.fault(IDOpen, nil, "cannot be opened", err)
}

func (s *Source) fault(id string, kind error, problem string, cause error) error {
	return &source.Fault{Path: s.path, ID: id, Kind: kind, Problem: problem, Cause: cause}
}
