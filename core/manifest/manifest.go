package manifest

import "time"

// Format is the repository format that this package reads and writes.
const Format = 1

// Kind is what a component is made from; it decides the shape of its stream.
type Kind string

// The kinds of format 1.
const (
	SQLite Kind = "sqlite" // the database image as SQLite's backup API gives it
	File   Kind = "file"   // the file
	Chroma Kind = "chroma" // a deterministic tar of a Chroma persistence directory
)

// Grade says how far a snapshot may be trusted.
type Grade string

// Good means that every configured component was captured and every check that was due ran and
// passed. Degraded means that a component is missing or a due check did not run. Suspect means that
// a check failed on what was captured, or that a guard tripped.
const (
	Good     Grade = "good"
	Degraded Grade = "degraded"
	Suspect  Grade = "suspect"
)

// PreRestore is the tag of a safety snapshot taken before a restore in place.
const PreRestore = "pre-restore"

// Manifest is the document whose existence makes a snapshot exist. Field order is the order of the
// encoding.
type Manifest struct {
	Format     int         `json:"format"`
	Repository string      `json:"repository"` // id of the repository it was committed to: 32 hex digits
	Set        string      `json:"set"`
	ID         ID          `json:"id"`
	CapturedAt time.Time   `json:"captured_at"` // UTC: the instant at which all sources were frozen
	Host       string      `json:"host"`
	Tool       string      `json:"tool"`             // name and version of the writer
	Parent     ID          `json:"parent,omitempty"` // the snapshot whose chunks were reused; informative
	Origin     *Origin     `json:"origin,omitempty"`
	Sequence   int64       `json:"sequence"` // one more than the greatest its writer saw; gaps and doubles are normal
	Nonce      string      `json:"nonce"`    // 16 hex digits: no two commit attempts write the same bytes
	Tags       []string    `json:"tags,omitempty"`
	Grade      Grade       `json:"grade"`
	Reasons    []Reason    `json:"reasons,omitempty"` // why the grade is not good; and notes
	Encryption *Encryption `json:"encryption,omitempty"`
	Components []Component `json:"components"`
}

// Origin names the snapshot that a copied or imported one was made from.
type Origin struct {
	Repository     string `json:"repository"`
	ID             string `json:"id"` // a snapshot id, or the plain stamp of an imported folder
	ManifestSHA256 string `json:"manifest_sha256"`
}

// Reason is one cause of a grade, or a note beside a good one.
type Reason struct {
	Component string `json:"component,omitempty"`
	ID        string `json:"id"` // stable identifier, such as registry_invalid_json
	Message   string `json:"message"`
}

// Encryption is present when volumes and indexes are sealed.
type Encryption struct {
	Scheme     string   `json:"scheme"` // "age"
	Recipients []string `json:"recipients"`
}

// Component is one source's share of the snapshot.
type Component struct {
	Name      string   `json:"name"`
	Kind      Kind     `json:"kind"`
	ChunkSize int      `json:"chunk_size"`       // bytes: a power of two from 4096 to 65536
	Size      int64    `json:"size"`             // bytes of the stream
	SHA256    string   `json:"sha256,omitempty"` // of the stream; absent when sealed: then it stands in the index
	FrozenMS  int64    `json:"frozen_ms"`        // how long the source was held frozen, in milliseconds
	Index     []Object `json:"index"`            // the patch and its base, which only may be under a BaseKey; or one full index
	Volumes   []Volume `json:"volumes"`          // every volume that holds a chunk of the stream
	Facts     *Facts   `json:"facts,omitempty"`
	Checks    []Check  `json:"checks"`
}

// Object is a stored object other than a volume.
type Object struct {
	Key         string `json:"key"`
	Size        int64  `json:"size"`   // bytes as stored
	SHA256      string `json:"sha256"` // of the stored bytes
	PlainSHA256 string `json:"plain_sha256,omitempty"`
}

// Volume is a piece of an archive.
type Volume struct {
	ID     string `json:"id"` // 16 hex digits; indexes name volumes by it
	Key    string `json:"key"`
	Size   int64  `json:"size"`   // bytes as stored
	SHA256 string `json:"sha256"` // of the stored bytes
	Raw    int64  `json:"raw"`    // bytes of all its chunks
	Live   int64  `json:"live"`   // bytes of its chunks that this snapshot uses, each stored chunk counted once
}

// Facts describe a captured component; exactly one field, that of its kind, is set.
type Facts struct {
	SQLite *SQLiteFacts `json:"sqlite,omitempty"`
	File   *FileFacts   `json:"file,omitempty"`
	Chroma *ChromaFacts `json:"chroma,omitempty"`
}

// SQLiteFacts describe a database image.
type SQLiteFacts struct {
	PageSize      int              `json:"page_size"`
	UserVersion   int64            `json:"user_version"`
	ApplicationID int64            `json:"application_id"`
	Journal       string           `json:"journal"` // "wal" or "rollback"
	Rows          map[string]int64 `json:"rows"`    // rows per table, virtual tables' shadows left out
}

// FileFacts describe a plain file.
type FileFacts struct {
	Format  string `json:"format,omitempty"`  // "json" when it was parsed as such
	Entries int64  `json:"entries,omitempty"` // members of the top-level object or array, when JSON
}

// ChromaFacts describe a Chroma persistence directory.
type ChromaFacts struct {
	Members     int64            `json:"members"`    // files in the tar
	Migrations  map[string]int64 `json:"migrations"` // highest version per migration directory
	Collections []Collection     `json:"collections"`
}

// Collection is one Chroma collection.
type Collection struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Dimension int64  `json:"dimension"` // 0 while it has none
	Metric    string `json:"metric,omitempty"`
	Count     int64  `json:"count"` // embeddings, the queue included
}

// Result is the outcome of a check.
type Result string

// A check that could not run is Inconclusive; one that was not asked for or not due is Skipped.
const (
	OK           Result = "ok"
	Failed       Result = "failed"
	Inconclusive Result = "inconclusive"
	Skipped      Result = "skipped"
)

// Check is one check of a component's content and its result.
type Check struct {
	Name   string `json:"name"` // such as integrity_check
	Result Result `json:"result"`
	ID     string `json:"id,omitempty"`     // stable identifier of the failure, such as db_integrity_check_failed
	Detail string `json:"detail,omitempty"` // for people, at most 500 bytes
}

// Component returns the component of that name, or nil.
func (m *Manifest) Component(name string) *Component {
	for i := range m.Components {
		if m.Components[i].Name == name {
			return &m.Components[i]
		}
	}
	return nil
}

// HasTag reports whether the snapshot carries the tag.
func (m *Manifest) HasTag(tag string) bool {
	for _, t := range m.Tags {
		if t == tag {
			return true
		}
	}
	return false
}
