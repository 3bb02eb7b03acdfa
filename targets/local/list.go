package local

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/target"
)

// List implements target.Target. It holds one directory's names at a time.
func (t *Target) List(ctx context.Context, prefix, after string) iter.Seq2[target.Object, error] {
	return func(yield func(target.Object, error) bool) {
		err := target.CheckPrefix(prefix)
		if err != nil {
			err = &target.Error{Op: "list", Key: prefix, Kind: target.KindInvalid, Err: err}
		} else {
			err = t.ready(ctx, "list", prefix)
		}
		if err == nil {
			w := walk{t: t, ctx: ctx, prefix: prefix, after: after, yield: yield}
			err = w.dir(t.root, "")
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(target.Object{}, fail("list", prefix, err))
		}
	}
}

// errStop says that the caller of a listing has seen enough.
var errStop = errors.New("stop")

// walk is one listing under way.
type walk struct {
	t             *Target
	ctx           context.Context // of this one call of List
	prefix, after string
	yield         func(target.Object, error) bool
}

// entry is a name in a directory as it sorts among the keys: a folder's name
// ends in a slash, because every key in it goes on so. ("a-b" < "a/b" < "ab",
// where the plain names sort "a" < "a-b" < "ab".)
type entry struct {
	sort string
	mode fs.FileMode
}

// dir lists what lies in d, whose keys begin with at ("" or "a/b/").
func (w *walk) dir(d *os.Root, at string) error {
	entries, err := w.read(d, at)
	if err != nil {
		return err
	}
	for _, e := range entries {
		key := at + e.sort
		if err := w.ctx.Err(); err != nil {
			return err
		}
		switch {
		case e.mode.IsDir():
			err = w.folder(d, e, key)
		case key <= w.after || !strings.HasPrefix(key, w.prefix):
			continue
		case !e.mode.IsRegular():
			err = &fs.PathError{Op: "list", Path: key, Err: errNotRegular}
		default:
			err = w.file(d, e, key)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted in the meantime
			return err
		}
	}
	return nil
}

// folder descends into a directory unless none of its keys is asked for.
func (w *walk) folder(d *os.Root, e entry, key string) error {
	if !strings.HasPrefix(key, w.prefix) && !strings.HasPrefix(w.prefix, key) {
		return nil
	}
	if key < w.after && !strings.HasPrefix(w.after, key) {
		return nil
	}
	sub, err := d.OpenRoot(strings.TrimSuffix(e.sort, "/"))
	if err != nil {
		return err
	}
	return errors.Join(w.dir(sub, key), sub.Close())
}

func (w *walk) file(d *os.Root, e entry, key string) error {
	info, err := d.Lstat(e.sort)
	if err != nil {
		return err
	}
	if !w.yield(describe(key, info), nil) {
		return errStop
	}
	return nil
}

// read gives the names in d that fit the key grammar, in the order of keys.
func (w *walk) read(d *os.Root, at string) ([]entry, error) {
	if err := w.t.at(stepReadDir, at); err != nil {
		return nil, err
	}
	f, err := d.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := f.ReadDir(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(names))
	for _, n := range names {
		if target.CheckKey(at+n.Name()) != nil {
			continue
		}
		e := entry{sort: n.Name(), mode: n.Type()}
		if n.IsDir() {
			e.sort += "/"
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.sort, b.sort) })
	return entries, nil
}
