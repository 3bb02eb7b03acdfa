// Package manifest is the small documents of a repository and their keys: the manifest, whose existence
// makes a snapshot exist, the marker, notes, drills, tombstones and verdicts.
//
// [Decode] reads a manifest and [Encode] writes it; [ParseKey] tells which keys of a listing belong to a
// repository. Reading is strict: there is one encoding of a content, to the byte, and whatever else is
// offered is a [DecodeError] with a stable identifier. What decodes encodes to the same bytes, what was
// encoded decodes to an equal value, and what a hostile document can make a decoder allocate is bounded.
//
// FORMAT.md beside this file is the specification of the whole repository format, for implementers in
// any language. testdata/vectors holds what must be accepted and refused; `go test -update` writes the
// vectors anew, here and in core/archive. Format 1 is final: a later change that an older program could
// get wrong brings a new word in the marker's requires.
package manifest
