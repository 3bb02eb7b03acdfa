package store

import (
	"context"
	"database/sql"
	"fmt"
)

// schema is what an AtoCore database looks like, as far as a backup can tell. accounts and transfers are there for
// proofs only: every transaction keeps the sum of the balances.
const schema = `
CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE documents (id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects(id), title TEXT NOT NULL,
  sha256 TEXT NOT NULL, metadata TEXT NOT NULL CHECK (json_valid(metadata)), created_at TEXT NOT NULL);
CREATE TABLE chunks (id TEXT PRIMARY KEY, document_id TEXT NOT NULL REFERENCES documents(id), ordinal INTEGER NOT NULL,
  content TEXT NOT NULL, metadata TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX chunks_document ON chunks (document_id, ordinal);
CREATE TABLE memories (id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects(id), kind TEXT NOT NULL,
  content TEXT NOT NULL, metadata TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE interactions (id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects(id), prompt TEXT NOT NULL,
  content TEXT NOT NULL, metadata TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE attachments (document_id TEXT PRIMARY KEY REFERENCES documents(id), body BLOB NOT NULL);
CREATE VIRTUAL TABLE memories_search USING fts5(content, content='memories', content_rowid='rowid');
CREATE TRIGGER memories_added AFTER INSERT ON memories BEGIN
  INSERT INTO memories_search(rowid, content) VALUES (new.rowid, new.content);
END;
CREATE TRIGGER memories_changed AFTER UPDATE OF content ON memories BEGIN
  INSERT INTO memories_search(memories_search, rowid, content) VALUES ('delete', old.rowid, old.content);
  INSERT INTO memories_search(rowid, content) VALUES (new.rowid, new.content);
END;
CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE transfers (n INTEGER PRIMARY KEY, source INTEGER NOT NULL, destination INTEGER NOT NULL, amount INTEGER NOT NULL);
`

// Accounts is how many accounts a store has, OpeningBalance what each holds at first, and Total the sum that every
// transaction keeps.
const (
	Accounts       = 100
	OpeningBalance = 1000
	Total          = Accounts * OpeningBalance
)

// importBytes is about what one import (see addImport) adds to the file; it only decides how often to look.
const importBytes = 26 << 10

func generateDatabase(ctx context.Context, path string, a *author, projects []project, o Options) error {
	db, err := open(path, "rwc")
	if err != nil {
		return err
	}
	defer db.Close()
	// No journal and no fsync while it grows: a failure throws the whole store away.
	if err := pragmas(ctx, db, "page_size=4096", "journal_mode=OFF", "synchronous=OFF", "cache_size=-65536"); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	if err := inTx(ctx, db, func(tx *sql.Tx) error { return addBasics(ctx, tx, a, projects) }); err != nil {
		return err
	}
	for {
		var size int64
		if err := db.QueryRowContext(ctx, "SELECT page_count * 4096 FROM pragma_page_count").Scan(&size); err != nil {
			return err
		}
		if size >= o.Size {
			break
		}
		imports := min(max((o.Size-size)/importBytes/2, 1), 200)
		if err := inTx(ctx, db, func(tx *sql.Tx) error { return addImports(ctx, tx, a, projects, int(imports)) }); err != nil {
			return err
		}
	}
	if err := setJournal(ctx, db, o.Journal); err != nil {
		return err
	}
	return db.Close()
}

func addBasics(ctx context.Context, tx *sql.Tx, a *author, projects []project) error {
	for _, p := range projects {
		_, err := tx.ExecContext(ctx, "INSERT INTO projects VALUES (?,?,?,?)", p.ID, p.Name, p.Description, a.stamp())
		if err != nil {
			return err
		}
	}
	for id := range Accounts {
		if _, err := tx.ExecContext(ctx, "INSERT INTO accounts VALUES (?,?)", id+1, OpeningBalance); err != nil {
			return err
		}
	}
	return nil
}

// importer holds the statements that one import runs many times.
type importer struct {
	*author
	document, chunk, memory, interaction, attachment *sql.Stmt
}

func addImports(ctx context.Context, tx *sql.Tx, a *author, projects []project, n int) error {
	im := importer{author: a}
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&im.document, "INSERT INTO documents VALUES (?,?,?,?,?,?)"},
		{&im.chunk, "INSERT INTO chunks VALUES (?,?,?,?,?,?)"},
		{&im.memory, "INSERT INTO memories VALUES (?,?,?,?,?,?)"},
		{&im.interaction, "INSERT INTO interactions VALUES (?,?,?,?,?,?)"},
		{&im.attachment, "INSERT INTO attachments VALUES (?,?)"},
	} {
		stmt, err := tx.PrepareContext(ctx, s.text)
		if err != nil {
			return err
		}
		defer stmt.Close()
		*s.stmt = stmt
	}
	for range n {
		if err := im.add(ctx, projects[a.IntN(len(projects))].ID); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	return nil
}

// rowsPerImport is how many rows add inserts into the tables that Touch changes.
const rowsPerImport = 8 + 6 + 2

// add imports one document with its chunks, and what was remembered and said about it.
func (im importer) add(ctx context.Context, projectID string) error {
	doc := im.uuid()
	_, err := im.document.ExecContext(ctx, doc, projectID, im.text(40), im.digest(), im.metadata(), im.stamp())
	for i := 0; i < 8 && err == nil; i++ {
		_, err = im.chunk.ExecContext(ctx, im.uuid(), doc, i, im.text(im.between(600, 1500)), im.metadata(), im.stamp())
	}
	for i := 0; i < 6 && err == nil; i++ {
		kind := []string{"decision", "fact", "preference", "episode"}[im.IntN(4)]
		_, err = im.memory.ExecContext(ctx, im.uuid(), projectID, kind, im.text(im.between(150, 500)), im.metadata(), im.stamp())
	}
	for i := 0; i < 2 && err == nil; i++ {
		_, err = im.interaction.ExecContext(ctx, im.uuid(), projectID, im.text(im.between(60, 400)),
			im.text(im.between(600, 2500)), im.metadata(), im.stamp())
	}
	if err == nil {
		_, err = im.attachment.ExecContext(ctx, doc, im.blob(im.between(500, 5000)))
	}
	return err
}
