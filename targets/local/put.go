package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/atocore/holdfast/core/target"
)

const (
	dirMode  = 0o700
	fileMode = 0o600

	// tempPrefix is outside of the key grammar, so that a temporary file can
	// never be taken for an object.
	tempPrefix = "~put-"

	bufferSize = 1 << 20

	// pruneRaces bounds how often a put begins anew because a deletion in
	// another process removed the directory it had just made.
	pruneRaces = 100
)

// step names a moment of a put or a listing at which a test may strike.
type step string

const (
	stepMkdir   step = "mkdir"
	stepCreate  step = "create"
	stepWrite   step = "write"
	stepFsync   step = "fsync"
	stepClose   step = "close"
	stepLink    step = "link"
	stepRename  step = "rename"
	stepUnlink  step = "unlink"
	stepSyncDir step = "fsync of the directory"
	stepReadDir step = "read the directory"
	stepRead    step = "read"
)

func (t *Target) at(s step, name string) error {
	if t.failAt == nil {
		return nil
	}
	return t.failAt(s, name)
}

// errFsync marks a failed fsync. The kernel may have dropped the dirty pages and
// marked them clean, so a second fsync of the same file proves nothing: the file
// is removed and the bytes are written anew, once.
var errFsync = errors.New("fsync failed")

// errRace marks a name that went away under a put: another process removed the
// directory because it was empty, or took the temporary file for a stale one.
var errRace = errors.New("removed meanwhile")

func race(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errRace, err)
	}
	return err
}

// Put implements target.Target.
func (t *Target) Put(ctx context.Context, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	const op = "put"
	if err := t.readyFor(ctx, op, key); err != nil {
		return target.Object{}, err
	}
	if err := checkOptions(o); err != nil {
		return target.Object{}, &target.Error{Op: op, Key: key, Kind: target.KindInvalid, Err: err}
	}
	rewritten := false
	for races := 0; ; {
		obj, err := t.putOnce(ctx, key, r, o)
		switch {
		case errors.Is(err, errFsync) && !rewritten && kindOf(err) != target.KindFull:
			rewritten = true
			continue
		case errors.Is(err, errRace) && races < pruneRaces:
			if gone := t.ready(ctx, op, key); gone != nil {
				return target.Object{}, gone
			}
			races++
			continue
		case err != nil:
			t.prune(key)
			return target.Object{}, fail(op, key, err)
		}
		return obj, nil
	}
}

func checkOptions(o target.PutOptions) error {
	switch {
	case o.Size < 0:
		return fmt.Errorf("size %d", o.Size)
	case !o.RetainUntil.IsZero():
		return errors.New("a local target has no retention locks")
	case o.StorageClass != "":
		return fmt.Errorf("a local target has no storage class %q", o.StorageClass)
	}
	return nil
}

// putOnce writes the object through one temporary file.
func (t *Target) putOnce(ctx context.Context, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	var obj target.Object
	dir, name := split(key)
	chain, err := t.openChain(dir)
	if err != nil {
		return obj, race(err)
	}
	defer chain.close()
	d := chain.last()

	if info, err := d.Lstat(name); err == nil { // spares writing in vain
		return t.taken(ctx, chain, key, info, o)
	}
	temp, f, err := t.createTemp(d)
	if err != nil {
		return obj, race(err)
	}
	placed := false
	defer func() {
		if !placed {
			_ = d.Remove(temp) // what cannot be removed is stale, and says so by its name
		}
		_ = f.Close() // closed already unless something failed before
	}()

	if err := t.fill(ctx, f, temp, r, o); err != nil {
		return obj, err
	}
	info, err := f.Stat()
	if err != nil {
		return obj, err
	}
	if info.Size() != o.Size {
		return obj, fmt.Errorf("%d bytes were written, the file has %d: %w", o.Size, info.Size(), io.ErrShortWrite)
	}
	if err := t.finish(f, temp); err != nil {
		return obj, err
	}
	err = t.publish(d, temp, name)
	if errors.Is(err, fs.ErrExist) {
		if info, err = d.Lstat(name); err != nil {
			return obj, race(err)
		}
		return t.taken(ctx, chain, key, info, o)
	}
	if err != nil {
		return obj, race(err)
	}
	placed = true
	if err := t.settle(chain); err != nil {
		return obj, unsettled(err, d.Remove(name))
	}
	return describe(key, info), nil
}

// taken answers a put over an existing object. Its name may come from a writer
// that died before it was durable, so it is made durable before anybody relies
// on it.
func (t *Target) taken(ctx context.Context, chain chain, key string, info os.FileInfo, o target.PutOptions) (target.Object, error) {
	switch {
	case info.IsDir():
		return target.Object{}, errFolder
	case !info.Mode().IsRegular():
		return target.Object{}, errNotRegular
	}
	if err := t.settle(chain); err != nil {
		return target.Object{}, unsettled(err, errors.New("an earlier put left it"))
	}
	exists := &target.Error{Op: "put", Key: key, Kind: target.KindExists}
	if o.IfAbsent {
		return target.Object{}, exists
	}
	exists.Err = errors.New("with other bytes, and objects are never replaced")
	if info.Size() != o.Size {
		return target.Object{}, exists
	}
	body, err := t.Get(ctx, key, 0, -1)
	if err != nil {
		return target.Object{}, err
	}
	h := sha256.New()
	_, err = io.Copy(h, body)
	if err := errors.Join(err, body.Close()); err != nil {
		return target.Object{}, err
	}
	if [32]byte(h.Sum(nil)) != o.SHA256 {
		return target.Object{}, exists
	}
	return describe(key, info), nil
}

// createTemp makes a new locked file in d. os.Root opens with O_NOFOLLOW. The
// lock tells RemoveStale that the writer lives.
func (t *Target) createTemp(d *os.Root) (string, *os.File, error) {
	// The name has to be new, not reproducible: hence no injected randomness.
	temp := tempPrefix + rand.Text()
	if err := t.at(stepCreate, temp); err != nil {
		return "", nil, err
	}
	f, err := d.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return "", nil, err
	}
	err = f.Chmod(fileMode)
	if err == nil {
		err = lock(f)
	}
	if err != nil {
		return "", nil, errors.Join(err, f.Close(), d.Remove(temp))
	}
	return temp, f, nil
}

// fill copies exactly o.Size bytes into f and checks their hash.
func (t *Target) fill(ctx context.Context, f *os.File, temp string, r io.ReaderAt, o target.PutOptions) error {
	h := sha256.New()
	buf := make([]byte, min(bufferSize, o.Size))
	for off := int64(0); off < o.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := buf[:min(int64(len(buf)), o.Size-off)]
		n, err := r.ReadAt(p, off)
		if n < len(p) {
			if errors.Is(err, io.EOF) {
				return &target.Error{Op: "put", Kind: target.KindCorrupt, Err: fmt.Errorf("the bytes to put end at %d of %d", off+int64(n), o.Size)}
			}
			// Not the target's failure, whatever its cause: hence no kind.
			return &target.Error{Op: "put", Err: fmt.Errorf("read the bytes to put: %w", err)}
		}
		h.Write(p)
		if err := t.at(stepWrite, temp); err != nil {
			return err
		}
		if _, err := f.Write(p); err != nil {
			return err
		}
		off += int64(n)
	}
	if got := [32]byte(h.Sum(nil)); got != o.SHA256 {
		return &target.Error{Op: "put", Kind: target.KindCorrupt, Err: fmt.Errorf("the bytes to put have SHA-256 %x instead of %x", got, o.SHA256)}
	}
	return ctx.Err()
}

// finish forces the file to the disk and closes it.
func (t *Target) finish(f *os.File, temp string) error {
	err := t.at(stepFsync, temp)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errFsync, err)
	}
	if err := t.at(stepClose, temp); err != nil {
		return err
	}
	return f.Close()
}

// unsettled is the error of a put whose directory could not be made durable.
// The object was taken back, so that nothing relies on it; where it stayed, for
// the given reason, the error is of a kind that nobody answers by looking
// whether the object is there.
func unsettled(err, removal error) error {
	if removal == nil {
		return err
	}
	return &target.Error{Op: "put", Kind: target.KindCorrupt, Err: fmt.Errorf("the object may be lost at the next power failure: check the disk (%w)", errors.Join(err, removal))}
}
