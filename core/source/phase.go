package source

import (
	"errors"
	"time"
)

// Order is a place in the order of locks. Waiting for a lock while holding a later one can
// deadlock with the application, so everybody freezes in this order:
//
//	OrderFile      read the registry: holds nothing
//	OrderRollback  a database in rollback mode: its SHARED lock, for which an application that has
//	               spilled its cache can make us wait
//	OrderChroma    Chroma's database
//	OrderWAL       a database in WAL mode: a reader waits for nobody
type Order int

// The places, in rising order.
const (
	OrderFile Order = iota
	OrderRollback
	OrderChroma
	OrderWAL
)

// Wait bounds the wait for one lock.
type Wait time.Duration

// Errors of the phases.
var (
	// ErrAbsent: the live store does not exist.
	ErrAbsent = errors.New("store is absent")
	// ErrBusy: somebody else held the lock for longer than the wait.
	ErrBusy = errors.New("store is locked by another process")
	// ErrMoved: the store changed between Freeze and Confirm, or during a copy that must not see changes.
	ErrMoved = errors.New("store changed during the copy")
	// ErrInvalid: what is there is not a store of this kind (an empty, truncated, foreign or
	// encrypted database, a directory in place of a file).
	ErrInvalid = errors.New("not a valid store of its kind")
)
