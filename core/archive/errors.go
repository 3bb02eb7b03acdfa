package archive

import (
	"errors"
	"fmt"
	"io"
)

// Identifiers of format errors, of frames and of indexes; the test vectors use them.
const (
	BadCompression = "compression"   // not zstd, or not within the bounds of FORMAT.md
	BadFrame       = "frame"         // a frame's header does not declare what it must
	Truncated      = "truncated"     // the bytes end early
	TrailingData   = "trailing_data" // there are bytes behind the end
	BadVarint      = "varint"        // an integer is not in its shortest form
	BadField       = "field"         // a field is missing, out of order, of another type or unknown
	TooLong        = "too_long"      // a field or a column is longer than its bound
	BadHeader      = "header"        // another index format or chunk size
	BadBase        = "base"          // a patch without its base, on another base, or a full index with one
	BadColumns     = "columns"       // the columns of a segment do not fit each other
	BadRun         = "run"           // a run is empty, not joined with the one before, or not in the base
	BadPlace       = "place"         // a chunk or a frame lies where it cannot
	BadSize        = "size"          // the chunks are not the stream that the manifest speaks of
	BadPart        = "part"          // a part is not one
	BadFacts       = "facts"         // facts where there can be none
	BadTrailer     = "trailer"       // the trailer's counts are not those of the index
)

// FormatError says why bytes are not a frame or an index.
type FormatError struct {
	ID      string // one of the identifiers above
	Message string
}

func (e *FormatError) Error() string { return e.ID + ": " + e.Message }

func bad(id, format string, args ...any) error {
	return &FormatError{id, fmt.Sprintf(format, args...)}
}

// decoding turns an error of a decompressor into a *FormatError; one that is there already stays.
func decoding(err error) error {
	var f *FormatError
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return bad(Truncated, "the bytes end early")
	}
	return bad(BadCompression, "%v", err)
}
