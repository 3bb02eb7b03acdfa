// Package memtarget is a target in memory, for tests.
//
// [New] makes one. It keeps every promise of core/target, retention locks
// included. [Options.Hook] breaks them on purpose: it sees each operation before
// it happens and answers with a [Fault], so that a test can refuse a put, apply
// it and lose the answer, let it land late ([Target.Land]), or cut a read short.
// [Target.Set] and [Target.Remove] change objects behind everybody's back.
package memtarget

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/atocore/holdfast/core/target"
)

// Options of a memory target. The zero value is useful.
type Options struct {
	Hook Hook             // nil: nothing fails
	Now  func() time.Time // the target's clock; nil: time.Now
}

// Target implements target.Target and target.Retainer.
type Target struct {
	opt Options

	mu      sync.Mutex
	objects map[string]object
	late    []func() // effects that wait for Land
}

type object struct {
	data   []byte
	mod    time.Time
	retain time.Time
}

var _ target.Retainer = (*Target)(nil)

// New makes an empty target.
func New(o Options) *Target {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Target{opt: o, objects: map[string]object{}}
}

// Info implements target.Target.
func (t *Target) Info(ctx context.Context) (target.Info, error) {
	info := target.Info{Name: "memory", IfAbsent: true, ConsistentList: true, Retain: true}
	return info, t.do(ctx, Info, "", nil)
}

// Put implements target.Target. Over a taken key it refuses other bytes.
func (t *Target) Put(ctx context.Context, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	if err := checkKey(Put, key); err != nil {
		return target.Object{}, err
	}
	if o.Size < 0 {
		return target.Object{}, fail(Put, key, target.KindInvalid, fmt.Errorf("size %d", o.Size))
	}
	if o.StorageClass != "" {
		return target.Object{}, fail(Put, key, target.KindInvalid, fmt.Errorf("unknown storage class %q", o.StorageClass))
	}
	data, err := readBody(ctx, key, r, o)
	if err != nil {
		return target.Object{}, err
	}
	var put target.Object
	err = t.do(ctx, Put, key, func() error {
		old, taken := t.objects[key]
		if taken && (o.IfAbsent || !bytes.Equal(old.data, data)) {
			return fail(Put, key, target.KindExists, nil)
		}
		if !taken {
			t.objects[key] = object{data: data, mod: t.opt.Now(), retain: o.RetainUntil}
		}
		put = t.describe(key)
		return nil
	})
	return put, err
}

// Get implements target.Target.
func (t *Target) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(Get, key); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fail(Get, key, target.KindInvalid, fmt.Errorf("offset %d", offset))
	}
	fault := t.fault(ctx, Get, key)
	var data []byte
	err := t.apply(ctx, fault, func() error {
		o, ok := t.objects[key]
		if !ok {
			return fail(Get, key, target.KindNotFound, nil)
		}
		data = o.data[min(offset, int64(len(o.data))):]
		if length >= 0 {
			data = data[:min(length, int64(len(data)))]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if fault.Body != nil {
		data = fault.Body(bytes.Clone(data))
	}
	return &body{ctx: ctx, data: data, end: fault.BodyErr}, nil
}

// Stat implements target.Target.
func (t *Target) Stat(ctx context.Context, key string) (target.Object, error) {
	if err := checkKey(Stat, key); err != nil {
		return target.Object{}, err
	}
	var obj target.Object
	err := t.do(ctx, Stat, key, func() error {
		if _, ok := t.objects[key]; !ok {
			return fail(Stat, key, target.KindNotFound, nil)
		}
		obj = t.describe(key)
		return nil
	})
	return obj, err
}

// List implements target.Target: a snapshot of the moment when it is ranged
// over.
func (t *Target) List(ctx context.Context, prefix, after string) iter.Seq2[target.Object, error] {
	return func(yield func(target.Object, error) bool) {
		if err := target.CheckPrefix(prefix); err != nil {
			yield(target.Object{}, fail(List, prefix, target.KindInvalid, err))
			return
		}
		var all []target.Object
		err := t.do(ctx, List, prefix, func() error {
			for key := range t.objects {
				if key > after && strings.HasPrefix(key, prefix) {
					all = append(all, t.describe(key))
				}
			}
			slices.SortFunc(all, func(a, b target.Object) int { return strings.Compare(a.Key, b.Key) })
			return nil
		})
		if err != nil {
			yield(target.Object{}, err)
			return
		}
		for _, obj := range all {
			if err := ctx.Err(); err != nil {
				yield(target.Object{}, fail(List, prefix, target.KindUnknown, err))
				return
			}
			if !yield(obj, nil) {
				return
			}
		}
	}
}

// Delete implements target.Target.
func (t *Target) Delete(ctx context.Context, key string) error {
	if err := checkKey(Delete, key); err != nil {
		return err
	}
	return t.do(ctx, Delete, key, func() error {
		if until := t.objects[key].retain; until.After(t.opt.Now()) {
			return fail(Delete, key, target.KindLocked, fmt.Errorf("until %s", until.UTC().Format(time.RFC3339)))
		}
		delete(t.objects, key)
		return nil
	})
}

// Retain implements target.Retainer.
func (t *Target) Retain(ctx context.Context, key string, until time.Time) error {
	if err := checkKey(Retain, key); err != nil {
		return err
	}
	return t.do(ctx, Retain, key, func() error {
		o, ok := t.objects[key]
		if !ok {
			return fail(Retain, key, target.KindNotFound, nil)
		}
		if until.After(o.retain) {
			o.retain = until
			t.objects[key] = o
		}
		return nil
	})
}

// Set stores data under key, whatever was there, past hook and locks.
func (t *Target) Set(key string, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.objects[key] = object{data: bytes.Clone(data), mod: t.opt.Now()}
}

// Remove takes key away, past hook and locks.
func (t *Target) Remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.objects, key)
}

// Bytes is a copy of the object under key, and whether there is one.
func (t *Target) Bytes(key string) ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.objects[key]
	return bytes.Clone(o.data), ok
}

// Keys lists all keys in byte order.
func (t *Target) Keys() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.objects))
}

func (t *Target) describe(key string) target.Object {
	o := t.objects[key]
	return target.Object{Key: key, Size: int64(len(o.data)), ModTime: o.mod}
}

// readBody reads and checks the bytes of a put.
func readBody(ctx context.Context, key string, r io.ReaderAt, o target.PutOptions) ([]byte, error) {
	var buf bytes.Buffer
	section := io.NewSectionReader(r, 0, o.Size)
	for {
		if err := ctx.Err(); err != nil {
			return nil, fail(Put, key, target.KindUnknown, err)
		}
		_, err := io.CopyN(&buf, section, 1<<20)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fail(Put, key, target.KindUnknown, fmt.Errorf("read the bytes to put: %w", err))
		}
	}
	if int64(buf.Len()) != o.Size || sha256.Sum256(buf.Bytes()) != o.SHA256 {
		return nil, fail(Put, key, target.KindCorrupt, fmt.Errorf("%d bytes were given that are not the %d declared ones", buf.Len(), o.Size))
	}
	return buf.Bytes(), ctx.Err()
}

// body is the answer to a Get.
type body struct {
	ctx  context.Context
	data []byte
	end  error // nil: io.EOF
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if len(b.data) == 0 {
		if b.end != nil {
			return 0, b.end
		}
		return 0, io.EOF
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *body) Close() error { return nil }

func checkKey(op Op, key string) error {
	if err := target.CheckKey(key); err != nil {
		return fail(op, key, target.KindInvalid, err)
	}
	return nil
}

func fail(op Op, key string, kind target.Kind, err error) error {
	return &target.Error{Op: string(op), Key: key, Kind: kind, Err: err}
}
