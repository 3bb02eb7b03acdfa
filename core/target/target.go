// Package target is where holdfast's objects lie.
//
// Two types carry it. [Target] is the small interface that the author of a
// driver implements: six methods over keys and bytes. [Store] is the type that
// everybody else uses: [Open] wraps a Target and adds what every driver would
// otherwise have to repeat, namely retries with backoff, a put whose outcome
// is known even after a lost answer, reads that survive a dropped connection,
// hashes checked where bytes are read, and listings that fail rather than
// shrink.
//
// What a repository relies on, and what core/target/targettest checks:
//
//   - A put is all or nothing: an object exists whole, or not at all. A put that
//     failed leaves nothing that Get, Stat or List shows.
//   - A key is written once. With PutOptions.IfAbsent exactly one of several
//     racing puts wins, and the others get ErrExists.
//   - A put that returned is durable, and every later listing shows it.
//   - A listing is complete, or it ends in an error. "Nothing there" is never
//     the answer to a failure.
//
// A driver that cannot keep the second or third promise says so in [Info].
//
// The package imports the standard library only, so that a driver of a third
// party builds without cgo and without any cloud SDK.
package target

import (
	"context"
	"io"
	"iter"
	"time"
)

// Target stores objects under keys. Its methods may be called from several
// goroutines at once.
//
// Every error is, or wraps, an *[Error] with the [Kind] that fits, except that
// an ended context is reported by an error that wraps ctx.Err(). A key outside
// the grammar of [CheckKey] is ErrInvalid and touches nothing. Drivers need
// not retry: Store does.
//
// A Target that holds a process, a connection or a descriptor also implements
// io.Closer; Store.Close calls it.
type Target interface {
	// Info tells what the target can do. It may ask the remote side.
	Info(ctx context.Context) (Info, error)

	// Put stores the first o.Size bytes of r under key: all or nothing. It is
	// repeatable: r may be read again from the start after a failure. The
	// bytes must be o.Size long and hash to o.SHA256, else ErrCorrupt. Put
	// returns when the object is durable.
	//
	// With o.IfAbsent and the key taken, Put returns ErrExists and changes
	// nothing, whatever the bytes. Without it, over a taken key: the same bytes
	// succeed; other bytes either replace the object whole or are refused with
	// ErrExists, as the driver prefers.
	//
	// If ctx ends before Put is done, nothing is left behind.
	Put(ctx context.Context, key string, r io.ReaderAt, o PutOptions) (Object, error)

	// Get reads length bytes of the object from offset on, or to its end if
	// length < 0. What lies past the end is left out without an error, so that
	// a range wholly past it reads as empty. A missing key is ErrNotFound
	// from Get itself, a negative offset ErrInvalid. ctx governs the reader
	// until its Close, which the caller owes.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// Stat describes one object, or fails with ErrNotFound.
	Stat(ctx context.Context, key string) (Object, error)

	// List yields the objects whose key starts with prefix and is greater than
	// after (both may be empty), in byte order of the keys. It is complete,
	// or its last element is an error. What is there but is no object under
	// the key grammar may be left out. A prefix that could start no key, and
	// is not empty, is ErrInvalid; see CheckPrefix.
	List(ctx context.Context, prefix, after string) iter.Seq2[Object, error]

	// Delete removes an object. An absent one is a success, a retained one is
	// ErrLocked.
	Delete(ctx context.Context, key string) error
}

// Retainer is an optional ability of a Target, announced by Info.Retain:
// objects that cannot be deleted before a moment.
type Retainer interface {
	// Retain keeps the object under key from deletion until the given moment.
	// It only ever extends: an earlier moment than the present one is a
	// success and changes nothing. A missing key is ErrNotFound.
	Retain(ctx context.Context, key string, until time.Time) error
}

// StaleRemover is implemented by a Target whose killed puts leave something behind that is no object, such as
// temporary files.
type StaleRemover interface {
	// RemoveStale removes what dead writers left and returns how many there
	// were. What a living process, on any host, is writing is not touched.
	RemoveStale(ctx context.Context) (int, error)
}

// PutOptions describes the object that is put. Size and SHA256 are required.
type PutOptions struct {
	Size   int64    // bytes
	SHA256 [32]byte // of exactly these bytes

	// IfAbsent makes the put fail with ErrExists when the key is taken,
	// atomically against every other writer. A target that cannot do this
	// says so in Info.IfAbsent and puts as if it were not set.
	IfAbsent bool

	// RetainUntil locks the new object until then. The zero time asks for
	// nothing. A target without Info.Retain answers ErrInvalid: a lock that is
	// silently missing is worse than none.
	RetainUntil time.Time

	// StorageClass is the target's own name of a class; empty is its default.
	// One that the target does not know is ErrInvalid.
	StorageClass string
}

// Object is one stored object as a listing shows it.
type Object struct {
	Key     string
	Size    int64     // bytes
	ModTime time.Time // when it was written, by the target's own clock
}

// Info describes a target.
type Info struct {
	Name string // the driver's name: "local", "s3", ...

	IfAbsent       bool // PutOptions.IfAbsent is kept, also under a race
	ConsistentList bool // a listing shows every put that returned before it began
	Retain         bool // the Target is a Retainer and keeps RetainUntil

	MaxObject int64 // the largest object in bytes; 0: no limit is known
	PartSize  int64 // the size in bytes of one request that suits the target; 0: any
}
