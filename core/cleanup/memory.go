package cleanup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Notebook keeps what a run must remember for the next of one set in one target: a few hundred KiB at most. Losing it
// loses no snapshot.
type Notebook interface {
	Read() ([]byte, error) // nil: nothing was written
	Write(b []byte) error  // all or nothing
}

// memory is what a Notebook holds.
type memory struct {
	Format     int                       `json:"format"` // 1
	Repository string                    `json:"repository"`
	Set        string                    `json:"set"`
	Sweep      *sweep                    `json:"sweep,omitempty"`     // waits for a create
	Forgotten  []manifest.ID             `json:"forgotten,omitempty"` // given up by name
	Gone       map[manifest.ID]time.Time `json:"gone,omitempty"`      // the store's time when a snapshot was first seen to be swept
	Deleted    []deletion                `json:"deleted,omitempty"`   // of late
}

// deletion is what one run deleted.
type deletion struct {
	At    time.Time `json:"at"` // by the store's own clock
	Bytes int64     `json:"bytes"`
}

const memoryFormat = 1

func decodeMemory(b []byte) (*memory, error) {
	m := &memory{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the document")
	}
	if m.Format != memoryFormat {
		return nil, fmt.Errorf("format %d; this version reads format %d", m.Format, memoryFormat)
	}
	return m, nil
}

// load reads the notebook. What cannot be read, or speaks of another repository, counts as nothing; why is then told.
func load(n Notebook, repository, set string) (*memory, error) {
	fresh := &memory{Format: memoryFormat, Repository: repository, Set: set}
	if n == nil {
		return fresh, nil
	}
	b, err := n.Read()
	if err != nil || b == nil {
		return fresh, err
	}
	m, err := decodeMemory(b)
	if err != nil {
		return fresh, fmt.Errorf("what the last cleanup remembered cannot be read, and is forgotten: %w", err)
	}
	if m.Repository != repository || m.Set != set {
		return fresh, nil
	}
	return m, nil
}

func (m *memory) store(n Notebook) error {
	if n == nil {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return n.Write(append(b, '\n'))
}

// deleted takes a deletion down, and drops those that no guard asks for any more.
func (m *memory) deleted(now time.Time, n int64) {
	if now.IsZero() || n == 0 {
		return
	}
	m.Deleted = slices.DeleteFunc(m.Deleted, func(d deletion) bool { return now.Sub(d.At) >= window })
	m.Deleted = append(m.Deleted, deletion{now.UTC(), n})
}

// remember reads what earlier runs left.
func (r *run) remember() {
	var err error
	if r.memory, err = load(r.Notebook, r.repo.ID, r.Set); err != nil {
		r.report.note("%v", err)
	}
}

// save writes what the next run needs. That it cannot be written costs the next run time, and no snapshot.
func (r *run) save() {
	if err := r.memory.store(r.Notebook); err != nil {
		r.report.note("what the next cleanup should know could not be written down: %v", err)
	}
}
