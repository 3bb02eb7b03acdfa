package sqlite

// The stable identifiers of this package's faults and failed checks. The first three are those of
// the original AtoCore backup, whose users look for them.
const (
	IDMissing   = "db_snapshot_missing"       // a staged or restored copy is not there
	IDIntegrity = "db_integrity_check_failed" // quick_check or integrity_check found damage
	IDOpen      = "db_open_failed"            // SQLite or the operating system cannot open or read it

	IDAbsent       = "db_absent"         // the live database does not exist
	IDEmpty        = "db_empty"          // zero bytes: SQLite would call that a healthy database without tables
	IDNotADatabase = "db_not_a_database" // no SQLite header: foreign, or encrypted
	IDTruncated    = "db_truncated"      // shorter than its header says
	IDLocked       = "db_locked"         // another process kept its lock for longer than the wait
	IDHotJournal   = "db_hot_journal"    // a writer was killed in mid-transaction; only a writer can roll it back
	IDSidecars     = "db_sidecars"       // a WAL database whose -shm can be neither opened nor made
	IDReplaced     = "db_replaced"       // another file now stands at the path, or the journal mode changed
	IDTableMissing = "db_table_missing"  // a table of the baseline is gone
)
