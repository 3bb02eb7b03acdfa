package targettest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"

	"github.com/atocore/holdfast/core/target"
)

// pattern is n bytes that differ for every seed and do not compress.
func pattern(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	_, _ = rand.NewChaCha8(key).Read(b) // documented never to fail
	return b
}

func optionsFor(b []byte) target.PutOptions {
	return target.PutOptions{Size: int64(len(b)), SHA256: sha256.Sum256(b)}
}

// put stores b if the key is absent, as Store does.
func (e *env) put(key string, b []byte) error {
	o := optionsFor(b)
	o.IfAbsent = e.info.IfAbsent
	obj, err := e.t.Put(e.ctx, key, bytes.NewReader(b), o)
	if err == nil && (obj.Key != key || obj.Size != int64(len(b))) {
		e.Errorf("Put of %d bytes under %s describes %+v", len(b), key, obj)
	}
	return err
}

func (e *env) mustPut(key string, b []byte) {
	e.Helper()
	if err := e.put(key, b); err != nil {
		e.Fatalf("Put %s: %v", key, err)
	}
}

func (e *env) get(key string, offset, length int64) ([]byte, error) {
	r, err := e.t.Get(e.ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// wantBytes checks that key holds exactly b.
func (e *env) wantBytes(key string, b []byte) {
	e.Helper()
	got, err := e.get(key, 0, -1)
	if err != nil {
		e.Errorf("Get %s: %v", key, err)
		return
	}
	if !bytes.Equal(got, b) {
		e.Errorf("Get %s gives %d bytes that are not the %d put ones", key, len(got), len(b))
	}
	obj, err := e.t.Stat(e.ctx, key)
	if err != nil || obj.Key != key || obj.Size != int64(len(b)) || obj.ModTime.IsZero() {
		e.Errorf("Stat %s = %+v, %v; want %d bytes and a time", key, obj, err, len(b))
	}
}

// wantNothing checks that no operation shows key.
func (e *env) wantNothing(key string) {
	e.Helper()
	if _, err := e.t.Stat(e.ctx, key); !errors.Is(err, target.ErrNotFound) {
		e.Errorf("Stat %s: %v, want ErrNotFound", key, err)
	}
	if b, err := e.get(key, 0, -1); !errors.Is(err, target.ErrNotFound) {
		e.Errorf("Get %s: %d bytes, %v, want ErrNotFound", key, len(b), err)
	}
	for _, k := range e.list("", "") {
		if k == key {
			e.Errorf("List shows %s", key)
		}
	}
}

// list gives the keys of a whole listing.
func (e *env) list(prefix, after string) []string {
	e.Helper()
	var keys []string
	for obj, err := range e.t.List(e.ctx, prefix, after) {
		if err != nil {
			e.Fatalf("List %q after %q: %v", prefix, after, err)
		}
		keys = append(keys, obj.Key)
	}
	return keys
}

// wantKind checks that err is of the kind of a sentinel, and tells the operation.
func (e *env) wantKind(what string, err, sentinel error) {
	e.Helper()
	if !errors.Is(err, sentinel) {
		e.Errorf("%s: %v, want %v", what, err, sentinel)
		return
	}
	var te *target.Error
	if !errors.As(err, &te) || te.Op == "" {
		e.Errorf("%s: %v is no *target.Error with an operation", what, err)
	}
}

// readerFunc is an io.ReaderAt made of a function.
type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }
