package swap

import (
	"context"
	"errors"
)

// Swap is a prepared swap.
type Swap struct{ j *Journal }

// Prepare works out how each item can be replaced and makes the staging directories, which are new and
// private. After an error nothing is left. An unfinished swap is ErrUnfinished.
func Prepare(ctx context.Context, o Options) (*Swap, error) { return nil, errors.ErrUnsupported }

// Staging returns the directory in which an item is staged, under the item's name.
func (s *Swap) Staging(name string) string { return s.planned(name).Staging }

// Staged returns the path at which an item is staged: a regular file, or for Chroma a directory.
func (s *Swap) Staged(name string) string { return "" }

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
func (s *Swap) Abandon() error { return errors.ErrUnsupported }

// Run replaces every item by what is staged. With an error the outcome is nil when nothing was touched
// (call Abandon), or says Old when everything was put back; an error that Is ErrUnfinished means that
// putting it back failed too and Recover is needed. A context that ends stops it only before the first
// live file is moved.
func (s *Swap) Run(ctx context.Context) (*Outcome, error) { return nil, errors.ErrUnsupported }

// Recover ends what was killed: everything is new, or everything is old. Running it again is
// ErrNothingToRecover.
func Recover(ctx context.Context, o RecoverOptions) (*Outcome, error) {
	return nil, errors.ErrUnsupported
}

// Undo puts back what the last swap that is done replaced, by a swap of its own: what is live now is kept, so
// that a second Undo is a redo.
func Undo(ctx context.Context, o UndoOptions) (*Outcome, error) { return nil, errors.ErrUnsupported }

// Drop removes the generation that the last swap replaced, and returns its directories.
func Drop(ctx context.Context, o DropOptions) ([]string, error) { return nil, errors.ErrUnsupported }

// Look reads the journal of dir and changes nothing. Without one it returns a Journal of phase None.
// ErrForeign: there is one that is not understood.
func Look(dir string) (*Journal, error) { return nil, errors.ErrUnsupported }
