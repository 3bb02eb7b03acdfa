package swap

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/atocore/holdfast/core/manifest"
)

// Swap is a prepared swap.
type Swap struct {
	j     journaled
	check func(context.Context) error
}

// Prepare works out how each item can be replaced and makes the staging directories, which are new and
// private. After an error nothing is left. An unfinished swap is ErrUnfinished.
func Prepare(ctx context.Context, o Options) (*Swap, error) {
	s, err := begin(o.Dir, o.Now, o.Rand, o.Hooks)
	if err != nil {
		return nil, err
	}
	s.check, s.j.Label = o.Check, strings.ToValidUTF8(o.Label, "\uFFFD")
	if err := errors.Join(disjoint(s.j.dir, o.Items), named(o.Items)); err != nil {
		return nil, err
	}
	for _, it := range o.Items {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := s.j.planItem(it)
		if err != nil {
			return nil, fmt.Errorf("prepare to replace %s: %w", it.Name, err)
		}
		s.j.Items = append(s.j.Items, p)
	}
	return s, s.start()
}

// begin opens the directory and sees that no swap is unfinished in it.
func begin(dir string, now func() time.Time, random io.Reader, h Hooks) (*Swap, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of the restore journal: %w", err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, fmt.Errorf("directory of the restore journal: %w", err)
	}
	if err := portable(real); err != nil {
		return nil, err
	}
	previous, err := Look(real)
	if err != nil {
		return nil, err
	}
	if previous.Unfinished() {
		return nil, fmt.Errorf("%w (%s, begun %s)", ErrUnfinished, cmp.Or(previous.Label, previous.ID), previous.Started.Format(time.RFC3339))
	}
	if now == nil {
		now = time.Now
	}
	if random == nil {
		random = rand.Reader
	}
	at := now().UTC().Truncate(time.Second)
	id, err := manifest.NewID(at, random)
	if err != nil {
		return nil, err
	}
	s := &Swap{j: journaled{&Journal{Version: version, ID: string(id), Started: at}, real, h}}
	if previous.Phase == Done {
		if err := (&journaled{previous, real, h}).settle(); err != nil {
			return nil, err
		}
	}
	if previous.Undoable() {
		s.j.Previous = previous
		previous.Discard = nil // settled
	}
	return s, nil
}

// planItem decides how an item is replaced.
func (j *journaled) planItem(it Item) (Planned, error) {
	p := Planned{Item: it, Method: Rename}
	if !filepath.IsAbs(it.Live) || filepath.Clean(it.Live) != it.Live || it.Live == "/" {
		return p, fmt.Errorf("%q %w: not an absolute, clean path", it.Live, ErrUnsuitable)
	}
	if err := portable(it.Live); err != nil {
		return p, err
	}
	live, err := glance(it.Live)
	if err != nil {
		return p, err
	}
	want := file
	if it.Kind == manifest.Chroma {
		want = directory
	}
	parent := filepath.Dir(it.Live)
	if live != nil {
		if live.Type != want {
			return p, fmt.Errorf("%s %w: it is a %s, and should be a %s", it.Live, ErrUnsuitable, live.Type, want)
		}
		mounted, err := j.h.isMountPoint(it.Live)
		switch {
		case err != nil:
			return p, err
		case mounted && want == file:
			p.Method = Overwrite
		case mounted:
			p.Method, parent = Entries, it.Live
		}
		if want == directory {
			if err := j.h.oneMount(it.Live); err != nil {
				return p, err
			}
		}
	} else if p.Made, err = missing(parent); err != nil {
		return p, err
	}
	beside := parent
	for len(p.Made) > 0 && beside != filepath.Dir(p.Made[0]) {
		beside = filepath.Dir(beside)
	}
	if real, err := filepath.EvalSymlinks(beside); err != nil || real != beside {
		return p, errors.Join(fmt.Errorf("%s %w: its directory is reached through a link, in truth %s", it.Live, ErrUnsuitable, real), err)
	}
	p.Staging = filepath.Join(j.top(p, parent), stagingPrefix+j.ID)
	p.From = filepath.Join(p.Staging, it.Name, it.Name)
	if it.Kind == manifest.SQLite {
		p.SideStaging = filepath.Join(parent, stagingPrefix+j.ID)
	}
	j.keep(&p)
	return p, nil
}

// top is the directory beside whose entries an item is staged and kept: that of the journal, when the
// item itself never moves.
func (j *journaled) top(p Planned, parent string) string {
	if p.Method == Overwrite {
		return j.dir
	}
	return parent
}

// keep names the directories for what an item replaces, beside those with what replaces it.
func (j *journaled) keep(p *Planned) {
	p.Kept = filepath.Join(filepath.Dir(p.Staging), keptPrefix+j.ID)
	p.To = filepath.Join(p.Kept, p.Name)
	if p.Method != Entries {
		p.To = filepath.Join(p.To, filepath.Base(p.Live))
	}
	if p.SideStaging != "" {
		p.SideKept = filepath.Join(filepath.Dir(p.SideStaging), keptPrefix+j.ID)
	}
}

// missing returns the directories of path that are not there, outermost first.
func missing(path string) ([]string, error) {
	var all []string
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir():
			return nil, fmt.Errorf("%s %w: it is no directory", path, ErrUnsuitable)
		case err == nil:
			slices.Reverse(all)
			return all, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		all = append(all, path)
	}
}

// start makes the staging directories, and the missing ones above, once the journal tells of them.
func (s *Swap) start() (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Abandon())
		}
	}()
	if err := s.j.write(Staging); err != nil {
		return err
	}
	for _, p := range s.j.Items {
		for _, dir := range p.Made {
			if err := s.j.h.mkdir("parent "+p.Name, dir); err != nil {
				return err
			}
		}
		for _, top := range tops([]Planned{p}, func(p Planned) []string { return []string{p.Staging, p.SideStaging} }) {
			if err := s.j.h.mkdir("staging "+p.Name, top); err != nil {
				return err
			}
			if err := s.j.h.mkdir("staging of "+p.Name, filepath.Join(top, p.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Staging returns the directory in which an item is staged, under the item's name. It is empty, private
// and for that item alone; what else is left in it goes with it.
func (s *Swap) Staging(name string) string { return filepath.Dir(s.Staged(name)) }

// Staged returns the path at which an item is staged: a regular file, or for Chroma a directory.
func (s *Swap) Staged(name string) string { return s.planned(name).From }

// Method returns how an item is replaced.
func (s *Swap) Method(name string) Method { return s.planned(name).Method }

func (s *Swap) planned(name string) Planned {
	for _, p := range s.j.Items {
		if p.Name == name {
			return p
		}
	}
	return Planned{}
}

// Abandon removes what Prepare made, the staged files too. Once Run has begun to swap it does nothing.
func (s *Swap) Abandon() error {
	if s.j.Phase != Staging {
		return nil
	}
	if err := s.j.abandon(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	s.j.Phase = None
	return nil
}
