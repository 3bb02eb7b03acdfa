package ballottest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// lie makes a target that does not tell an actor the truth, or does not do what it says, and so leaves one step of
// the protocol out. nil is for actors to whom it does not lie.
type lie func(*actor, *disk) *liar

// listing does what the actor asked for.
type listing = func() ([]target.Object, error)

// liar is what stands between an actor and the disk. Functions that are nil do nothing else than the disk.
type liar struct {
	*disk
	put  func(key string, body []byte, put func() error) error
	list func(prefix string, list listing) ([]target.Object, error)

	mu       sync.Mutex        // a cleanup has several goroutines
	pretends map[string][]byte // what Stat and Get answer
}

// pretend lets the actor believe that a put was made.
func (l *liar) pretend(key string, body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pretends == nil {
		l.pretends = map[string][]byte{}
	}
	l.pretends[key] = body
	return nil
}

func (l *liar) pretended(key string) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.pretends[key]
	return b, ok
}

// Put implements target.Target.
func (l *liar) Put(ctx context.Context, key string, r io.ReaderAt, o target.PutOptions) (obj target.Object, err error) {
	put := func() error {
		obj, err = l.disk.Put(ctx, key, r, o)
		return err
	}
	if l.put == nil {
		return obj, put()
	}
	body, err := io.ReadAll(io.NewSectionReader(r, 0, o.Size))
	if err != nil {
		return obj, err
	}
	err = l.put(key, body, put)
	return obj, err
}

// Stat implements target.Target.
func (l *liar) Stat(ctx context.Context, key string) (target.Object, error) {
	if b, ok := l.pretended(key); ok {
		return target.Object{Key: key, Size: int64(len(b)), ModTime: l.now}, nil
	}
	return l.disk.Stat(ctx, key)
}

// Get implements target.Target.
func (l *liar) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if b, ok := l.pretended(key); ok {
		return io.NopCloser(bytes.NewReader(b[min(offset, int64(len(b))):])), nil
	}
	return l.disk.Get(ctx, key, offset, length)
}

// Delete implements target.Target.
func (l *liar) Delete(ctx context.Context, key string) error {
	l.mu.Lock()
	delete(l.pretends, key)
	l.mu.Unlock()
	return l.disk.Delete(ctx, key)
}

// List implements target.Target.
func (l *liar) List(ctx context.Context, prefix, after string) iter.Seq2[target.Object, error] {
	if l.list == nil {
		return l.disk.List(ctx, prefix, after)
	}
	return func(yield func(target.Object, error) bool) {
		all, err := l.list(prefix, func() ([]target.Object, error) { return l.all(ctx, prefix, after) })
		for _, o := range all {
			if o.Key > after && !yield(o, nil) {
				return
			}
		}
		if err != nil {
			yield(target.Object{}, err)
		}
	}
}

// all is the disk's listing, as far as it goes.
func (l *liar) all(ctx context.Context, prefix, after string) (all []target.Object, err error) {
	for o, err := range l.disk.List(ctx, prefix, after) {
		if err != nil {
			return all, err
		}
		all = append(all, o)
	}
	return all, nil
}

// read reads an object past the Store.
func (a *actor) read(d *disk, key string) ([]byte, error) {
	body, err := d.Get(context.Background(), key, 0, -1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(body)
	return b, errors.Join(err, body.Close())
}

// in reports whether a key, or the prefix of a listing, is of a folder.
func in(key string, folder manifest.Folder) bool {
	prefix := manifest.Prefix(set, folder)
	return len(key) >= len(prefix) && key[:len(prefix)] == prefix
}

// to lies to actors of one role only.
func to(role string, l func(*actor, *disk) *liar) lie {
	return func(a *actor, d *disk) *liar {
		if a.role != role {
			return nil
		}
		return l(a, d)
	}
}

// empty is a listing of a folder that shows nothing.
func empty(folder manifest.Folder) func(*actor, *disk) *liar {
	return func(*actor, *disk) *liar {
		return &liar{list: func(prefix string, list listing) ([]target.Object, error) {
			if in(prefix, folder) {
				return nil, nil
			}
			return list()
		}}
	}
}

// deaf takes every put of a folder for made whose answer is lost.
func deaf(folder manifest.Folder, body func(manifest.ID, []byte) bool) func(*actor, *disk) *liar {
	return func(*actor, *disk) *liar {
		l := &liar{}
		l.put = func(key string, b []byte, put func() error) error {
			err := put()
			if k, perr := manifest.ParseKey(key); perr == nil && err != nil && !exists(err) && k.Folder == folder && body(k.ID, b) {
				return l.pretend(key, b)
			}
			return err
		}
		return l
	}
}

// swallow makes no put of a folder, and says that it is made.
func swallow(folder manifest.Folder, body func(manifest.ID, []byte) bool) func(*actor, *disk) *liar {
	return func(*actor, *disk) *liar {
		l := &liar{}
		l.put = func(key string, b []byte, put func() error) error {
			if k, err := manifest.ParseKey(key); err == nil && k.Folder == folder && body(k.ID, b) {
				return l.pretend(key, b)
			}
			return put()
		}
		return l
	}
}

// stubborn takes its own verdict for the one that stands.
func stubborn(*actor, *disk) *liar {
	l := &liar{}
	l.put = func(key string, b []byte, put func() error) error {
		err := put()
		if in(key, manifest.Verdicts) && exists(err) {
			return l.pretend(key, b)
		}
		return err
	}
	return l
}

func exists(err error) bool { return target.KindOf(err) == target.KindExists }

func anything(manifest.ID, []byte) bool { return true }

func tombstone(id manifest.ID, b []byte) bool { return manifest.IsTombstone(b, id) }

func document(id manifest.ID, b []byte) bool { return !manifest.IsTombstone(b, id) }
