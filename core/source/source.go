// Package source turns live stores into frozen copies.
//
// A Source belongs to one live store. Its life has four phases, driven by Cut for all sources of a
// set together, so that the copies show one instant:
//
//	Prepare  bulk copies, no locks
//	Freeze   take the lock or the read transaction that pins the store
//	Capture  copy what must be copied while the store is pinned
//	Thaw     let go
//
// After Capture the staged copy is a Frozen: named parts whose concatenation is the component's
// stream. The kinds live in the packages below this one; package kinds lists them.
package source

import (
	"context"
	"io"
	"slices"

	"github.com/atocore/holdfast/core/manifest"
)

// Source reads one live store. Its methods are called by one goroutine at a time, in the order of
// the phases; Freeze, Capture and Thaw may be repeated. Every method may be followed by Close.
type Source interface {
	// Name is the component's configured name.
	Name() string
	Kind() manifest.Kind

	// Estimate returns how many bytes of staging the copy will need, at most. It takes no lock. A
	// store that is absent gives an error that Is ErrAbsent.
	Estimate(ctx context.Context) (int64, error)

	// Prepare copies what can be copied without a lock into dir, a fresh private directory that
	// belongs to this source alone, and learns what Freeze needs to know.
	Prepare(ctx context.Context, dir string) error

	// Order is this source's place in the order of locks; valid after Prepare. Cut freezes in rising order.
	Order() Order

	// Freeze pins the store. It waits for a lock for at most wait; a lock that it cannot have by
	// then gives an error that Is ErrBusy, and nothing is held.
	Freeze(ctx context.Context, wait Wait) error

	// Confirm is called when everything is frozen. An error that Is ErrMoved means that the store
	// no longer is what Freeze saw: Cut thaws everything and repeats.
	Confirm(ctx context.Context) error

	// Capture finishes the copy in dir while the store is pinned.
	Capture(ctx context.Context) (*Frozen, error)

	// Thaw releases the store. Calling it when nothing is held does nothing.
	Thaw() error

	// Close thaws and releases everything but the directory, which belongs to the caller.
	Close() error
}

// Frozen is a staged copy of one component.
type Frozen struct {
	ChunkSize int    // bytes: a power of two from 4096 to 65536
	Path      string // the staged copy: a file, or for Chroma a directory
	Parts     []Part // in the order of the stream
}

// Size is the stream's length in bytes.
func (f *Frozen) Size() int64 {
	var n int64
	for _, p := range f.Parts {
		n += p.StreamSize()
	}
	return n
}

// Part is a run of the stream at whose start, and after whose Header, chunk boundaries restart: the
// part's bytes are Header, then Size bytes from Open, then Pad zero bytes. Content and padding are
// chunked together. A database or a file is one part without name, header and padding.
type Part struct {
	Name   string // the member's path with slashes; "" where the stream has no members
	Header []byte // at most one chunk; its length is a multiple of 512
	Size   int64
	Pad    int64
	Open   func() (io.ReadCloser, error) // nil when Size is 0
}

// StreamSize is the number of bytes that the part takes in the stream.
func (p Part) StreamSize() int64 { return int64(len(p.Header)) + p.Size + p.Pad }

// Level says how deep Inspect looks.
type Level int

// Quick is what every create affords beside compression (quick_check for databases); Full adds
// what reads everything (integrity_check, the whole census). Facts alone are gathered at None.
const (
	None Level = iota
	Quick
	Full
)

// Unasked is what an inspection at level None reports of its checks: those that failed. Nobody asked for
// a check, but what came to light on the way to the facts is not kept back.
func Unasked(checks []manifest.Check) []manifest.Check {
	return slices.DeleteFunc(checks, func(k manifest.Check) bool { return k.Result != manifest.Failed })
}

// Report is what an inspection of a staged or restored copy found.
type Report struct {
	Facts  *manifest.Facts
	Checks []manifest.Check
}
