package target

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what sort of failure an error is, and so what a caller may do about
// it. The numbers cross process boundaries: they are never reordered and never
// used again for something else.
type Kind uint8

// The kinds. KindUnknown is the zero value: the driver could not tell.
const (
	KindUnknown     Kind = 0
	KindNotFound    Kind = 1 // no object under this key
	KindExists      Kind = 2 // the key is taken
	KindDenied      Kind = 3 // credentials or permissions do not allow it
	KindLocked      Kind = 4 // a retention lock forbids it
	KindFull        Kind = 5 // no space, no inodes, or over quota
	KindThrottled   Kind = 6 // too many requests: again after Error.Delay
	KindCorrupt     Kind = 7 // bytes that differ from what they are declared to be
	KindUnavailable Kind = 8 // out of reach for now: worth another attempt
	KindInvalid     Kind = 9 // the request itself is wrong, and stays wrong
)

var kindNames = [...]string{
	KindUnknown:     "failed",
	KindNotFound:    "not found",
	KindExists:      "already exists",
	KindDenied:      "denied",
	KindLocked:      "locked by retention",
	KindFull:        "target full",
	KindThrottled:   "throttled",
	KindCorrupt:     "corrupt",
	KindUnavailable: "unavailable",
	KindInvalid:     "invalid",
}

// String is the kind in words, as error messages show it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return KindUnknown.String()
}

// KindFromNumber rebuilds a kind that came over a wire. A number that this
// version does not know is KindUnknown.
func KindFromNumber(n uint32) Kind {
	if n < uint32(len(kindNames)) {
		return Kind(n)
	}
	return KindUnknown
}

// Sentinels for errors.Is: each matches every *Error of its kind.
var (
	ErrNotFound    error = kindError(KindNotFound)
	ErrExists      error = kindError(KindExists)
	ErrDenied      error = kindError(KindDenied)
	ErrLocked      error = kindError(KindLocked)
	ErrFull        error = kindError(KindFull)
	ErrThrottled   error = kindError(KindThrottled)
	ErrCorrupt     error = kindError(KindCorrupt)
	ErrUnavailable error = kindError(KindUnavailable)
	ErrInvalid     error = kindError(KindInvalid)
)

type kindError Kind

func (k kindError) Error() string { return Kind(k).String() }

// Error is a failed operation on a target. It is rebuilt as the same type on
// the other side of a process boundary from Op, Key, Kind, Delay and the text
// of Err.
type Error struct {
	Target string        // the configured name of the target; set by Store
	Op     string        // "put", "get", "stat", "list", "delete", "retain", "info", "open"
	Key    string        // the key, or the prefix of a listing; may be empty
	Kind   Kind          // what sort of failure
	Delay  time.Duration // for KindThrottled: wait at least this long; 0: not told
	Err    error         // the cause; may be nil
}

// Error tells target, operation, key, kind and cause.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Target != "" {
		fmt.Fprintf(&b, "target %s: ", e.Target)
	}
	b.WriteString(e.Op)
	if e.Key != "" {
		b.WriteByte(' ')
		b.WriteString(e.Key)
	}
	if e.Kind != KindUnknown || e.Err == nil {
		fmt.Fprintf(&b, ": %s", e.Kind)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the sentinel of the error's own kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(kindError)
	return ok && Kind(k) == e.Kind
}

// KindOf is the kind of the first *Error in err's chain, or of a bare sentinel;
// KindUnknown if there is neither.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k kindError
	if errors.As(err, &k) {
		return Kind(k)
	}
	return KindUnknown
}
