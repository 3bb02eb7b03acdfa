// Package chroma reads a live Chroma persistence directory, and inspects copies of one.
//
// New gives a source.Source in mode cold: it is for a store that nobody ingests into while it is
// copied, and refuses when anything changes meanwhile. The database is copied through SQLite, the
// files of live vector segments as files. What does not belong to the store is left out:
// directories of deleted collections (orphans), the database's journal, log and shared memory, and
// every directory that is no live segment. Other files at the top are kept. A symbolic link, device
// or other special file anywhere in what is kept is an error.
//
// The stream is a tar whose bytes depend on nothing but the names, contents and modification times
// of the files: members in byte order of their names, no entries for directories (a file implies
// those above it; Chroma makes a missing one itself), mode 0600, owner 0 without a name, times in
// whole seconds rounded down. Headers are USTAR, with a PAX record where a name or a size does not
// fit. Times matter: a header.bin younger than its index_metadata.pickle would look like a persist
// that never ended, and rounding down keeps the order. Extract reads such a tar and nothing more.
//
// Inspect is the census: what can be said about a copy without a Chroma at hand. Chroma's layout
// and order of writes are those of chroma-core/chroma 0.4.24 to 1.5.9.
package chroma

// Cold is the mode that refuses a store which changes during the copy.
const Cold = "cold"

// Database is the name of Chroma's database in a persistence directory.
const Database = "chroma.sqlite3"

// The files of a vector segment's directory.
const (
	headerFile = "header.bin"
	dataFile   = "data_level0.bin"
	lengthFile = "length.bin"
	linksFile  = "link_lists.bin"
	pickleFile = "index_metadata.pickle" // absent until the first persist
)

// The stable identifiers of this package's faults and failed checks. The first is that of the
// original AtoCore backup. Faults of the database itself have those of package sqlite.
const (
	IDMissing = "chroma_snapshot_missing" // a copy, or its database, is not there

	IDAbsent  = "chroma_absent"        // the live directory or its database does not exist
	IDMoved   = "chroma_changed"       // it changed during the copy
	IDSpecial = "chroma_special_file"  // a link, device or other special file, or a name that cannot be restored everywhere
	IDOpen    = "chroma_open_failed"   // a file cannot be read
	IDTables  = "chroma_table_missing" // a table that every version has is missing or has another shape

	IDSidecar     = "chroma_journal_present"        // a copy with a journal or log: part of another database's data
	IDDatabase    = "chroma_integrity_check_failed" // SQLite's own check found damage
	IDCollections = "chroma_collections_missing"    // no collection, where the baseline had some
	IDSegment     = "chroma_segment_lost"           // a segment whose vectors are neither in files nor in the queue
	IDHeader      = "chroma_header_invalid"         // header.bin contradicts itself or the collection
	IDTorn        = "chroma_persist_torn"           // header.bin and index_metadata.pickle are of two persists
	IDLength      = "chroma_length_mismatch"        // a data file has another length than header.bin implies
	IDGraph       = "chroma_graph_invalid"          // links, labels or vectors that cannot be
	IDSet         = "chroma_ids_mismatch"           // vectors lost, or vectors without metadata
)
