// Package archive takes a component's byte stream apart into chunks and puts it together again.
//
// [Pack] cuts a stream at fixed boundaries, looks every chunk up in the parent snapshot's recipe and
// stores the others: consecutive new chunks, up to 1 MiB, become a frame, an independent zstd frame;
// frames become volumes of at most 32 MiB. [WriteIndex] writes the recipe, and [ReadIndex] reads it
// back. [Read] verifies and writes chunks in the order of the frames, each frame decoded once.
// [Refresh] decides which old volumes are no longer leaned on.
//
// The package knows no targets: volumes leave through PackOptions.Emit and come back through an
// [Opener]. It keeps chunks, volumes and indexes in nameless scratch files. In memory are a few MiB for
// each worker, and of every recipe that is open its volumes, frames and parts: some 100 bytes for each
// frame, of which a store has about one for each MiB, and at most 65,536 parts with 16 MiB of names. A
// hostile index can name a frame for each of its chunks; [Limits] bound these.
//
// The format is specified in FORMAT.md beside core/manifest; index.proto is the schema of an index. Bytes
// that are not a frame or an index are a [FormatError] with a stable identifier, bytes of a volume that are
// not what its index says a [DamageError]. testdata/vectors and testdata/repositories hold what a reader
// must accept and refuse.
package archive
