package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source/chroma"
	"github.com/atocore/holdfast/core/source/file"
	"github.com/atocore/holdfast/core/source/kinds"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// The identifiers of problems. The original's come first; they, and no others, are what its validation would
// have said of the folder.
const (
	IDNoFolder        = "snapshot_directory_missing" // the stamp names no folder
	IDNoMetadata      = "metadata_missing"
	IDInvalidMetadata = "metadata_invalid_json"
	IDNoDatabase      = sqlite.IDMissing
	IDDatabase        = sqlite.IDIntegrity
	IDOpenDatabase    = sqlite.IDOpen
	IDNoRegistry      = file.IDMissing
	IDRegistry        = file.IDInvalidJSON
	IDNoChroma        = chroma.IDMissing

	IDJournal      = "journal_present"          // a -wal or journal that holds something, beside a database
	IDUnreadable   = "snapshot_unreadable"      // the operating system refuses to read a file, or it is none
	IDChanged      = "snapshot_changed"         // a file changed while it was copied
	IDUnconfigured = "component_not_configured" // there is no one component that this part belongs to
	IDOther        = "stamp_taken"              // a target holds the same stamp of another tree
)

// metadataName is the document that the original writes last.
const metadataName = "backup-metadata.json"

// maxMetadata bounds it in bytes; a real one has less than one KiB.
const maxMetadata = 1 << 20

// metadata is what is needed of the document. A part that was not copied has an empty path, and the paths are
// those of the day of the backup: only their last element still holds when the tree has moved.
type metadata struct {
	CreatedAt string `json:"created_at"`
	DB        string `json:"db_snapshot_path"`
	Registry  string `json:"registry_snapshot_path"`
	Chroma    string `json:"chroma_snapshot_path"`
}

// folder is one of the original's snapshots.
type folder struct {
	tree     *Tree
	stamp    string
	captured time.Time
	sha256   string // of the metadata
	parts    []part
	problems []Problem
}

// part is what becomes one component.
type part struct {
	kinds.Config        // of the component
	from         string // path in the tree, with slashes
}

func (f *folder) problem(id, format string, args ...any) {
	f.problems = append(f.problems, Problem{ID: id, Message: manifest.ClipText(fmt.Sprintf(format, args...))})
}

// open reads what a folder says about itself. What is wrong with it is in its problems.
func (t *Tree) open(stamp string, components []kinds.Config) *folder {
	f := &folder{tree: t, stamp: stamp}
	f.captured, _ = parseStamp(stamp)
	if fi, err := t.root.Lstat(stamp); err != nil || !fi.IsDir() {
		f.problem(IDNoFolder, "%s is no folder", stamp)
		return f
	}
	m, ok := f.metadata()
	if !ok {
		return f
	}
	if at, ok := parseCreated(m.CreatedAt); ok && at.Truncate(time.Second).Equal(f.captured) {
		f.captured = at
	}
	f.add(components, manifest.SQLite, "db", m.DB, IDNoDatabase)
	if m.Registry != "" {
		f.add(components, manifest.File, "config", m.Registry, IDNoRegistry)
	}
	if m.Chroma != "" {
		f.add(components, manifest.Chroma, "chroma", "", IDNoChroma)
	}
	return f
}

func (f *folder) metadata() (m metadata, ok bool) {
	name := path.Join(f.stamp, metadataName)
	file, err := f.openFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		f.problem(IDNoMetadata, "%s is missing", name)
		return m, false
	}
	if err != nil {
		f.problem(IDUnreadable, "%v", err)
		return m, false
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxMetadata+1))
	if err != nil {
		f.problem(IDUnreadable, "%v", err)
		return m, false
	}
	if len(b) > maxMetadata {
		f.problem(IDInvalidMetadata, "%s has more than %d bytes", name, maxMetadata)
		return m, false
	}
	if err := json.Unmarshal(b, &m); err != nil {
		f.problem(IDInvalidMetadata, "%s: %v", name, err)
		return m, false
	}
	sum := sha256.Sum256(b)
	f.sha256 = hex.EncodeToString(sum[:])
	return m, true
}

// parseCreated reads a moment as Python's isoformat writes it; without a zone it is UTC.
func parseCreated(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// add finds a part below the folder of its kind, and the component that it belongs to. recorded is the path
// that the metadata has for it; missing is the problem of a part that is not there.
func (f *folder) add(components []kinds.Config, kind manifest.Kind, dir, recorded, missing string) {
	base := ""
	if recorded != "" {
		base = filepath.Base(recorded)
	}
	c, ok := pick(components, kind, base)
	if !ok {
		f.problem(IDUnconfigured, "the configuration has no component of kind %s that %s belongs to", kind, path.Join(f.stamp, dir, base))
		return
	}
	if base == "" && kind != manifest.Chroma { // metadata of an early version: the name has not changed
		base = filepath.Base(c.Path)
	}
	p := part{Config: c, from: path.Join(f.stamp, dir, base)}
	fi, err := f.tree.root.Stat(p.from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.problem(missing, "%s is missing", p.from)
	case err != nil:
		f.problem(IDUnreadable, "%v", err)
	case fi.IsDir() != (kind == manifest.Chroma):
		f.problem(missing, "%s is not what it should be", p.from)
	default:
		f.parts = append(f.parts, p)
	}
}

// pick returns the component of a kind whose live store has that name, or the only one of the kind.
func pick(components []kinds.Config, kind manifest.Kind, base string) (only kinds.Config, ok bool) {
	n := 0
	for _, c := range components {
		if c.Kind != kind {
			continue
		}
		if filepath.Base(c.Path) == base {
			return c, true
		}
		only, n = c, n+1
	}
	return only, n == 1
}
