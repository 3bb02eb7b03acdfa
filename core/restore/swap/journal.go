package swap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/atocore/holdfast/core/manifest"
)

const (
	journalName = "restore.json"
	journalTemp = journalName + ".tmp"
	version     = 1
)

// Phase is how far a swap has come.
type Phase string

// Phases. None is no journal.
const (
	None      Phase = ""
	Staging   Phase = "staging"   // nothing live is touched yet
	Swapping  Phase = "swapping"  // everything staged is verified and durable; going forward
	Returning Phase = "returning" // going back
	Done      Phase = "done"      // can be undone, unless it has no items
)

// Journal is what Options.Dir tells of the last swap: one JSON file, replaced as a whole.
type Journal struct {
	Version int       `json:"version"`
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Phase   Phase     `json:"phase"`
	Undo    bool      `json:"undo"` // this swap takes away what Label names, and puts back what that had replaced
	Started time.Time `json:"started"`
	Items   []Planned `json:"items"`

	// Slots are in the order in which names are given up; they are taken in the opposite order.
	Slots []Slot `json:"slots,omitempty"`
	// Previous is the swap whose replaced generation is kept until this one is done.
	Previous *Journal `json:"previous,omitempty"`
	// Reverse: what is put in place is the generation that Previous kept.
	Reverse bool     `json:"reverse"`
	Discard []string `json:"discard,omitempty"` // directories to remove, once done
	Stray   []string `json:"stray,omitempty"`   // directories with what was put aside
}

// Planned is an item and how it is replaced.
type Planned struct {
	Item
	Method Method `json:"method"`
	From   string `json:"from"` // what replaces the item, in the directory that is named for it in Staging
	To     string `json:"to"`   // where what is replaced goes, in or as the directory that is named for it in Kept
	// Directories with one for each item in them.
	Staging string `json:"staging"`
	Kept    string `json:"kept"`
	// The same for sidecars, which must stay on the mount that they are on; "" when there can be none.
	SideStaging string   `json:"side_staging,omitempty"`
	SideKept    string   `json:"side_kept,omitempty"`
	Made        []string `json:"made,omitempty"` // parents of Live that were not there, outermost first
}

// Slot is one name that is exchanged.
type Slot struct {
	Name   string `json:"name"` // of the item, with what follows of the path
	Live   string `json:"live"`
	Staged string `json:"staged"`
	Kept   string `json:"kept"`
	Rank   rank   `json:"rank"`
	// Overwrite: the file stays, its content is exchanged.
	Overwrite bool `json:"overwrite"`
	// Loose: a -shm, of which only the inode counts.
	Loose bool  `json:"loose"`
	Old   *Node `json:"old"` // null: nothing was live
	New   *Node `json:"new"` // null: nothing is to be
}

// Unfinished says that the swap must be recovered before anything else.
func (j *Journal) Unfinished() bool { return j.Phase != None && j.Phase != Done }

// Undoable says that Undo has something to put back.
func (j *Journal) Undoable() bool { return j.Phase == Done && len(j.Items) > 0 }

// Look reads the journal of dir and changes nothing. Without one it returns a Journal of phase None.
// ErrForeign: there is one that is not understood.
func Look(dir string) (*Journal, error) {
	path := filepath.Join(dir, journalName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Journal{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("restore journal: %w", err)
	}
	j := new(Journal)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err = d.Decode(j)
	if err == nil {
		err = j.validate()
	}
	if err == nil {
		// One document has one encoding, so duplicate names, odd case and trailing data show.
		if again, eerr := j.encode(); eerr != nil || !bytes.Equal(again, b) {
			err = errors.New("not as this version writes it")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w; use the version that wrote it, and remove nothing named .holdfast-old-* until then", path, ErrForeign, err)
	}
	return j, nil
}

func (j *Journal) encode() ([]byte, error) {
	b, err := json.MarshalIndent(j, "", " ")
	return append(b, '\n'), err
}

func (j *Journal) validate() error {
	if j.Version != version {
		return fmt.Errorf("version %d; this is version %d", j.Version, version)
	}
	if _, err := manifest.ParseID(j.ID); err != nil {
		return err
	}
	switch j.Phase {
	case Staging, Swapping, Returning, Done:
	default:
		return fmt.Errorf("phase %q", j.Phase)
	}
	// What is removed with all that is in it has a name that only this package gives.
	for _, path := range slices.Concat(j.staging(), j.kept(), j.Discard, j.Stray) {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || !ours(filepath.Base(path)) {
			return fmt.Errorf("directory %q", path)
		}
	}
	for _, p := range j.Items {
		if !within(p.From, filepath.Join(p.Staging, p.Name)) || !within(p.To, filepath.Join(p.Kept, p.Name)) {
			return fmt.Errorf("paths of item %q", p.Name)
		}
	}
	for _, s := range j.Slots {
		below := func(path string) func(string) bool {
			return func(top string) bool { return within(path, top) }
		}
		if !filepath.IsAbs(s.Live) || filepath.Clean(s.Live) != s.Live ||
			!slices.ContainsFunc(j.staging(), below(s.Staged)) || !slices.ContainsFunc(j.kept(), below(s.Kept)) {
			return fmt.Errorf("paths of %q", s.Name)
		}
	}
	if j.Previous != nil {
		if j.Previous.Phase != Done || j.Previous.Previous != nil {
			return errors.New("an earlier restore that is not done")
		}
		return j.Previous.validate()
	}
	if j.Reverse {
		return errors.New("nothing to put back")
	}
	return nil
}

// staging are the directories in which is what replaces.
func (j *Journal) staging() []string {
	return tops(j.Items, func(p Planned) []string { return []string{p.Staging, p.SideStaging} })
}

// kept are the directories in which is what is replaced.
func (j *Journal) kept() []string {
	return tops(j.Items, func(p Planned) []string { return []string{p.Kept, p.SideKept} })
}

func tops(items []Planned, of func(Planned) []string) []string {
	var all []string
	for _, p := range items {
		for _, top := range of(p) {
			if top != "" && !slices.Contains(all, top) {
				all = append(all, top)
			}
		}
	}
	return all
}

const (
	stagingPrefix = ".holdfast-restore-"
	keptPrefix    = ".holdfast-old-"
	strayPrefix   = ".holdfast-stray-"
)

// ours says that a name is one of those beside live stores that this package gives.
func ours(base string) bool {
	return strings.HasPrefix(base, stagingPrefix) || strings.HasPrefix(base, keptPrefix) || strings.HasPrefix(base, strayPrefix)
}

// journaled is a journal and the directory that it lies in.
type journaled struct {
	*Journal
	dir string
	h   Hooks
}

// write replaces the journal as a whole, durably, in a new phase.
func (j *journaled) write(p Phase) error {
	j.Phase = p
	return j.put(j.Journal)
}

func (j *journaled) put(doc *Journal) error {
	b, err := doc.encode()
	if err != nil {
		return err
	}
	point := "journal " + string(doc.Phase)
	temp, path := filepath.Join(j.dir, journalTemp), filepath.Join(j.dir, journalName)
	err = j.h.step(point+" write", func() error {
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		return errors.Join(err, f.Sync(), f.Close())
	})
	if err == nil {
		err = j.h.step(point+" rename", func() error { return os.Rename(temp, path) })
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return j.h.sync(point, j.dir)
}

// close ends a swap that leaves everything as it was: what the journal told before is told again.
func (j *journaled) close() error {
	if j.Previous != nil {
		if there, err := Look(j.dir); err == nil && there.ID == j.Previous.ID {
			return nil
		}
		return j.put(j.Previous)
	}
	return j.h.remove("journal remove", filepath.Join(j.dir, journalName), false)
}

// portable refuses a path that a journal cannot hold.
func portable(path string) error {
	if !utf8.ValidString(path) {
		return fmt.Errorf("%q %w: its name is not UTF-8; rename it", path, ErrUnsuitable)
	}
	return nil
}
