// Package swap replaces live stores by staged ones so that a process killed anywhere, or a host that
// loses power, leaves everything old or everything new once [Recover] has run. It knows nothing of
// repositories or targets.
//
//	s, err := swap.Prepare(ctx, o)        // staging beside each live store, on its mount
//	defer s.Abandon()                     // does nothing once Run has decided
//	... put each item at s.Staged(name) and verify it ...
//	out, err := s.Run(ctx)                // the old generation is kept
//	swap.Undo(ctx, u)                     // puts it back; again: puts the restored one back
//	swap.Drop(ctx, o)                     // forgets it
//	swap.Recover(ctx, r)                  // after a kill; also before every service start
//
// The caller holds a lock of Options.Dir from Prepare on and has stopped the service. It holds no SQLite
// connection to, and no POSIX lock on, a live database during Run, Recover and Undo: they read the live
// files, and closing a descriptor drops every such lock of a process. Nobody should open a live database
// between a kill and Recover, not even to look.
//
// # Methods
//
// How an item is replaced depends on the mount that its path lies on:
//
//   - [Rename]: its directory is on the same mount. Live, staged and kept are names on one file system.
//   - [Entries]: it is a directory that is a mount point, which cannot be renamed. Its entries are moved,
//     each with an identity of its own in the journal; lost+found stays.
//   - [Overwrite]: it is a file that is a mount point. The old bytes are saved beside the journal, and the
//     file is overwritten. A database that is replaced so has an unreadable header meanwhile, because
//     its name cannot be absent.
//
// # Names
//
// ID is drawn by Prepare and has the form of a snapshot's. Beside the live path, or in the mount:
//
//	.holdfast-restore-ID/COMPONENT/  staged; gone when Run, Recover or Abandon has ended
//	.holdfast-old-ID/COMPONENT/      the generation that was replaced, under the live names, with the
//	                                 -wal, -shm and -journal of a database, which hold what it had committed
//	.holdfast-stray-ID/COMPONENT/    what Recover found live and was told to put aside (Take)
//
// and in Options.Dir restore.json, the journal, and the same three directories for Overwrite.
//
// # Order
//
// The names of databases go first and return last, Chroma's before that of the application, so that a
// service that starts in between finds none. Sidecars are linked to their new place before the database
// is moved and unlinked after: SQLite deletes a -wal or -journal that it finds beside no database. On a
// file system without links they are moved.
//
// # Recovery
//
// Where a thing is, is decided by inode and SHA-256 of the content, never by name. The device number is
// in the journal for people only: it changes when a file system is mounted again. Of a -shm only the
// inode counts; it is an index that SQLite makes anew. Recover goes forward when everything staged is
// whole, back when Run had begun to go back or something staged is not whole. A live file that is of
// neither generation or has other bytes is a [ServiceRanError], and nothing is touched.
//
// # What is kept
//
// A swap that is done keeps the generation that it replaced. The next one that is done removes that, and
// tells so in Outcome.Dropped; one that goes back does not.
//
// # Owners, modes and the rest
//
// A new file takes owner and mode of what it replaces; in a Chroma directory those of the same path, else
// of chroma.sqlite3 for files and of the directory for directories. Without the right to do so Run fails
// before anything is moved. What replaces nothing keeps what it was staged with, and missing directories
// above it are made private to the user. Extended attributes are not carried over; an undo brings back
// the old files with theirs. Other names of a hard-linked live file go on naming the old file, but with
// Overwrite there is one file.
package swap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Errors that Prepare, Run, Recover, Undo and Drop return.
var (
	// ErrUnfinished: a journal tells of a swap that was killed. Recover, then try again.
	ErrUnfinished = errors.New("an unfinished restore: run holdfast recover")
	// ErrNothingToRecover: no journal, or one of a swap that is done.
	ErrNothingToRecover = errors.New("nothing to recover")
	// ErrNothingToUndo: no swap is done, or what it replaced was dropped.
	ErrNothingToUndo = errors.New("nothing to undo")
	// ErrForeign: the journal cannot be understood; nothing is touched.
	ErrForeign = errors.New("a restore journal of another version, or damaged")
	// ErrUnsuitable: a live or staged path is of a kind that is not replaced, or lies in another item.
	ErrUnsuitable = errors.New("cannot be replaced")
	// ErrServiceRan is what a ServiceRanError Is.
	ErrServiceRan = errors.New("the service ran in the middle of a restore")
	// ErrNotWhole: a generation that is to be live is damaged or not all there; nothing is touched.
	ErrNotWhole = errors.New("a generation is not whole")
	// ErrNotMounted: what was a mount point is none now; mount it, then recover.
	ErrNotMounted = errors.New("not mounted")
)

// Item is one live store.
type Item struct {
	Name string        `json:"name"` // the component; staged under this name
	Kind manifest.Kind `json:"kind"` // Chroma: a directory, else a file; SQLite: with sidecars
	Live string        `json:"live"` // absolute and clean, links resolved; need not exist
}

// Options of Prepare.
type Options struct {
	Dir   string // private directory of this set's restores; made when absent
	Items []Item
	Label string           // what is restored, a snapshot's id; told back, never interpreted
	Now   func() time.Time // nil: time.Now
	Rand  io.Reader        // nil: crypto/rand
	Check Check
	Hooks
}

// RecoverOptions of Recover. Dir is that of Prepare.
type RecoverOptions struct {
	Dir  string
	Take Generation // decides after ErrServiceRan; "": nobody has decided
	Hooks
}

// UndoOptions of Undo. Dir is that of Prepare.
type UndoOptions struct {
	Dir   string
	Now   func() time.Time
	Rand  io.Reader
	Check Check
	Hooks
}

// DropOptions of Drop. Dir is that of Prepare.
type DropOptions struct {
	Dir string
	Hooks
}

// Check is called when everything is read and right before the first live file is moved: the caller's
// last look for a service that runs. With an error nothing is touched. Nil: no look.
type Check func(context.Context) error

// Hooks are for tests. The zero value is what everybody else wants.
type Hooks struct {
	// Fail is called before and after each effect, with its name and ":before" or ":after". What it
	// returns counts as the error of the effect.
	Fail func(point string) error
	// Mount returns the id of the mount that a path lies on; nil asks the kernel.
	Mount func(path string) (uint64, error)
}

// Method is how an item is replaced; see the package comment.
type Method string

// Methods.
const (
	Rename    Method = "rename"
	Entries   Method = "entries"
	Overwrite Method = "overwrite"
)

// Generation is one of the two sets of files that a swap exchanges.
type Generation string

// Generations: what was live when the swap began, and what was to replace it.
const (
	Old Generation = "old"
	New Generation = "new"
)

// Outcome is how a swap ended.
type Outcome struct {
	ID    string
	Label string
	Undo  bool       // it put a replaced generation back
	Live  Generation // New: done. Old: it went back, and everything is as before
	Items []ItemOutcome
	// Dropped are directories of an earlier swap's replaced generation that this one's success removed.
	Dropped []string
	// Stray are directories with what was found live and put aside (Take); nothing removes them.
	Stray []string
}

// ItemOutcome is one item of an Outcome.
type ItemOutcome struct {
	Item
	Method Method
	Kept   string // where the replaced generation is; "" when there was none, or Outcome.Live is Old
}

// ServiceRanError tells of live files that are of neither generation, or have other bytes. Nothing
// was touched. RecoverOptions.Take decides.
type ServiceRanError struct {
	Label string
	Undo  bool
	Found []string // live paths and what is wrong with them
	Old   []string // where the files of the old generation are
	New   []string // where the files of the new generation are
}

func (e *ServiceRanError) Error() string {
	return fmt.Sprintf("%v: %s; the old generation is in %s, the new one in %s; stop the service, then choose: holdfast recover --take old, or holdfast recover --take new",
		ErrServiceRan, strings.Join(e.Found, "; "), cmp.Or(strings.Join(e.Old, ", "), "no place"), cmp.Or(strings.Join(e.New, ", "), "no place"))
}

// Is reports whether target is ErrServiceRan.
func (e *ServiceRanError) Is(target error) bool { return target == ErrServiceRan }
