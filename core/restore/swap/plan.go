package swap

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/manifest"
)

// rank orders slots: names of a lower rank are given up first and taken last.
type rank int

const (
	mainDatabase   rank = iota // the application's
	chromaDatabase             // Chroma's, or the directory that it is in
	sidecar                    // -wal, -shm and -journal of a database
	ordinary
)

// chromaFile is the database in a Chroma directory.
const chromaFile = "chroma.sqlite3"

// sidecars of an SQLite database. See https://www.sqlite.org/tempfiles.html.
var sidecars = [...]string{"-wal", "-shm", "-journal"}

// slots lists what is exchanged, in the order of ranks, without identities.
func slots(items []Planned) ([]Slot, error) {
	var all []Slot
	for _, p := range items {
		main := Slot{Name: p.Name, Live: p.Live, Staged: p.From, Kept: p.To, Overwrite: p.Method == Overwrite}
		switch {
		case p.Kind == manifest.SQLite:
			main.Rank = mainDatabase
			beside := main
			beside.Staged = filepath.Join(p.SideStaging, p.Name, filepath.Base(p.From))
			beside.Kept = filepath.Join(p.SideKept, p.Name, filepath.Base(p.To))
			all = append(append(all, main), beside.sidecars()...)
		case p.Kind == manifest.Chroma && p.Method == Rename:
			main.Rank = chromaDatabase
			all = append(all, main)
		case p.Kind == manifest.Chroma:
			names, err := entries(p.Live, p.From)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				all = append(all, main.entry(name, ordinary))
			}
			db := main.entry(chromaFile, chromaDatabase)
			all = append(append(all, db), db.sidecars()...)
		default:
			main.Rank = ordinary
			all = append(all, main)
		}
	}
	for _, s := range all {
		if err := errors.Join(portable(s.Live), portable(s.Staged), portable(s.Kept)); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b Slot) int { return cmp.Compare(a.Rank, b.Rank) })
	return all, nil
}

// entry is the slot of a name in the directory that s is.
func (s Slot) entry(name string, r rank) Slot {
	return Slot{
		Name: s.Name + "/" + name, Rank: r,
		Live: filepath.Join(s.Live, name), Staged: filepath.Join(s.Staged, name), Kept: filepath.Join(s.Kept, name),
	}
}

// sidecars are the slots of the files that SQLite keeps beside the database that s is. They are slots
// even when there are none, for none may be there afterwards.
func (s Slot) sidecars() []Slot {
	var all []Slot
	for _, suffix := range sidecars {
		all = append(all, Slot{
			Name: s.Name + suffix, Rank: sidecar, Loose: suffix == "-shm",
			Live: s.Live + suffix, Staged: s.Staged + suffix, Kept: s.Kept + suffix,
		})
	}
	return all
}

// database is the live path of the database that s is a sidecar of.
func (s Slot) database() string { return s.Live[:strings.LastIndexByte(s.Live, '-')] }

// entries lists the names in either directory that are moved one by one, without Chroma's database and
// its sidecars. A directory that is not there has none.
func entries(dirs ...string) ([]string, error) {
	var names []string
	for _, dir := range dirs {
		list, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range list {
			switch name := e.Name(); {
			case name == "lost+found", ours(name), name == chromaFile:
			case slices.ContainsFunc(sidecars[:], func(s string) bool { return name == chromaFile+s }):
			default:
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// named refuses items whose names are no components, or not their own.
func named(items []Item) error {
	if len(items) == 0 {
		return errors.New("nothing is to be replaced")
	}
	for i, it := range items {
		if !manifest.ValidComponent(it.Name) || slices.ContainsFunc(items[:i], func(b Item) bool { return b.Name == it.Name }) {
			return fmt.Errorf("item %q: no component, or twice", it.Name)
		}
	}
	return nil
}

// disjoint refuses items that share a path or lie in each other, and a dir that lies in one.
func disjoint(dir string, items []Item) error {
	type claim struct{ name, path string }
	var all []claim
	for _, it := range items {
		all = append(all, claim{it.Name, it.Live})
		if it.Kind == manifest.SQLite {
			for _, suffix := range sidecars {
				all = append(all, claim{it.Name, it.Live + suffix})
			}
		}
	}
	for i, a := range all {
		if within(dir, a.path) {
			return fmt.Errorf("%s %w: the directory of the restore journal, %s, lies in it", a.path, ErrUnsuitable, dir)
		}
		for _, b := range all[i+1:] {
			if within(a.path, b.path) || within(b.path, a.path) {
				return fmt.Errorf("%s of %s and %s of %s %w: one lies in the other", a.path, a.name, b.path, b.name, ErrUnsuitable)
			}
		}
	}
	return nil
}

// within says that path is dir or lies below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
