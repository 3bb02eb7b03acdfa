package target

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Open reads length bytes of an object from offset on. Every byte is delivered
// or the reader fails: a dropped connection is resumed behind the last byte that
// arrived, and an object that ends early is ErrCorrupt. The object is asked for
// at the first Read, so a missing one fails there, with ErrNotFound; for no
// bytes nothing is asked.
//
// The reader belongs to one goroutine; ctx governs it until Close.
func (s *Store) Open(ctx context.Context, key string, offset, length int64) io.ReadCloser {
	return &reader{ctx: ctx, s: s, key: key, off: offset, end: offset + max(length, 0)}
}

// ReadRange fills p from offset on, as Open reads.
func (s *Store) ReadRange(ctx context.Context, key string, offset int64, p []byte) error {
	r := s.Open(ctx, key, offset, int64(len(p)))
	_, err := io.ReadFull(r, p)
	return errors.Join(err, r.Close())
}

// GetBytes reads a whole object of at most limit bytes; a larger one is
// ErrCorrupt and is not read. At most limit bytes are allocated.
func (s *Store) GetBytes(ctx context.Context, key string, limit int64) ([]byte, error) {
	obj, err := s.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if obj.Size > limit {
		return nil, s.fail("get", key, &Error{Op: "get", Key: key, Kind: KindCorrupt, Err: fmt.Errorf("%d bytes, more than the %d that such an object may have", obj.Size, limit)})
	}
	p := make([]byte, obj.Size)
	if err := s.ReadRange(ctx, key, 0, p); err != nil {
		return nil, err
	}
	return p, nil
}

// OpenVerified reads a whole object that must have the given size and SHA-256.
// The reader gives io.EOF only when both agree, and ErrCorrupt otherwise: its
// bytes are to be trusted only after io.EOF.
func (s *Store) OpenVerified(ctx context.Context, key string, size int64, sum [32]byte) io.ReadCloser {
	return &verifier{
		reader: reader{ctx: ctx, s: s, key: key, end: size, whole: true},
		sum:    sum,
		hash:   sha256.New(),
	}
}

// reader is a range of an object that survives dropped connections. It keeps
// ctx because io.Reader has no room for one, as net/http's bodies do.
type reader struct {
	ctx      context.Context
	s        *Store
	key      string
	off, end int64         // what is still owed: [off, end)
	whole    bool          // the object must end at end
	body     io.ReadCloser // nil: to be opened at off
	failures int           // in a row, without a byte in between
	err      error         // final, io.EOF included
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.err == nil {
		if r.off >= r.end && !r.whole {
			r.err = io.EOF
			break
		}
		n, err := r.some(p)
		if r.off += int64(n); n > 0 {
			r.failures = 0
		}
		if err != nil {
			r.drop()
			r.err = r.recoverFrom(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// some reads from the open body, which it opens if there is none. Behind the
// end of a whole object it looks for bytes that should not be there.
func (r *reader) some(p []byte) (int, error) {
	if r.body == nil {
		length := r.end - r.off
		if r.whole {
			length = -1
		}
		body, err := r.s.t.Get(r.ctx, r.key, r.off, length)
		if err != nil {
			return 0, err
		}
		r.body = body
	}
	if r.off < r.end {
		return r.body.Read(p[:min(int64(len(p)), r.end-r.off)])
	}
	var one [1]byte
	n, err := r.body.Read(one[:])
	if n > 0 {
		return 0, &Error{Kind: KindCorrupt, Err: fmt.Errorf("the object has more than its %d bytes", r.end)}
	}
	return 0, err
}

// recoverFrom decides what an interrupted read means: nil to go on behind the
// last byte, or the final error.
func (r *reader) recoverFrom(err error) error {
	if errors.Is(err, io.EOF) {
		if r.off >= r.end {
			return io.EOF
		}
		// A clean end before the range is whole: a cut connection, or an
		// object that is shorter than it should be.
		obj, serr := r.s.Stat(r.ctx, r.key)
		if serr != nil {
			return serr
		}
		if obj.Size < r.end {
			return r.fail(&Error{Kind: KindCorrupt, Err: fmt.Errorf("the object has %d bytes, bytes %d to %d are missing: %w", obj.Size, obj.Size, r.end, io.ErrUnexpectedEOF)})
		}
		err = &Error{Kind: KindUnavailable, Err: fmt.Errorf("the answer ended at byte %d of %d: %w", r.off, r.end, io.ErrUnexpectedEOF)}
	}
	if KindOf(err) != KindUnknown && !retriable(err) { // a broken connection often has no kind
		return r.fail(err)
	}
	r.failures++
	return r.fail(r.s.pause(r.ctx, r.failures, err))
}

func (r *reader) fail(err error) error { return r.s.fail("get", r.key, err) }

func (r *reader) drop() {
	if r.body != nil {
		_ = r.body.Close() // the read failed already; there is nothing to add
		r.body = nil
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	body := r.body
	r.body, r.err = nil, r.fail(errors.New("read after Close"))
	if body == nil {
		return nil
	}
	return r.fail(body.Close())
}
