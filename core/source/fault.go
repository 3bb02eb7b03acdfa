package source

import (
	"errors"
	"strings"
)

// Fault is an error of a live store or a staged copy that a machine can recognise by its ID and a
// person can act on. errors.Is finds Kind as well as Cause.
type Fault struct {
	Path    string // what is at fault
	ID      string // stable identifier, such as db_truncated; every kind's package lists its own
	Problem string // what is wrong, in a few words
	Next    string // what to do about it; "" when there is nothing to say
	Kind    error  // ErrAbsent, ErrBusy, ErrMoved or ErrInvalid; nil for none of them
	Cause   error  // what the operating system or SQLite said; may be nil
}

func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Path + ": " + f.Problem)
	if f.Cause != nil {
		b.WriteString(": " + f.Cause.Error())
	}
	if f.Next != "" {
		b.WriteString(" (" + f.Next + ")")
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (f *Fault) Unwrap() []error {
	var errs []error
	for _, e := range []error{f.Kind, f.Cause} {
		if e != nil {
			errs = append(errs, e)
		}
	}
	return errs
}

// ErrorID returns the ID of the first Fault in err's tree, or "".
func ErrorID(err error) string {
	var f *Fault
	if errors.As(err, &f) {
		return f.ID
	}
	return ""
}
