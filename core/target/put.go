package target

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Outcome is what is known about a key after a put.
type Outcome uint8

const (
	// Unknown: the key may hold these bytes, other bytes, or nothing, and a
	// put whose answer was lost may even take effect later.
	Unknown Outcome = iota
	// Created: the target acknowledged the put, and Stat shows the size.
	Created
	// ExistsSame: the key holds exactly these bytes: an attempt of ours whose
	// answer was lost, or somebody who put the same.
	ExistsSame
	// ExistsOther: the key holds other bytes. They were not touched.
	ExistsOther
)

// String is the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Created:
		return "created"
	case ExistsSame:
		return "exists with these bytes"
	case ExistsOther:
		return "exists with other bytes"
	default:
		return "unknown"
	}
}

// Put stores the first o.Size bytes of r under key, if the key is absent: a key
// of a repository is written once, so o.IfAbsent is set whatever the caller
// says. o.SHA256 is required.
//
// The error is nil when, and only when, the key holds exactly these bytes:
// Created or ExistsSame. ExistsOther comes with ErrExists, or with ErrCorrupt
// when the target acknowledged the put and shows another size. Unknown comes
// with the error that prevented an answer, and says nothing about the key.
//
// Nobody needs to repeat a put. ErrUnavailable and ErrThrottled are retried;
// whenever the answer may have been lost, or the key is reported as taken
// (which a retry inside the driver turns its own success into), the object is
// read back and compared.
func (s *Store) Put(ctx context.Context, key string, r io.ReaderAt, o PutOptions) (Outcome, error) {
	if err := checkPut(key, o); err != nil {
		return Unknown, s.fail("put", key, err)
	}
	o.IfAbsent = true
	_, err := call(ctx, s, "put", key, func() (Object, error) { return s.t.Put(ctx, key, r, o) })
	switch {
	case err == nil:
		return s.confirm(ctx, key, o)
	case errors.Is(err, ErrExists):
		return s.compare(ctx, key, o)
	case ctx.Err() == nil && (retriable(err) || KindOf(err) == KindUnknown):
		// The answer may have been lost. What is found there settles it;
		// finding nothing does not, for the put may still arrive.
		if found, cerr := s.compare(ctx, key, o); found != Unknown {
			return found, cerr
		}
	}
	return Unknown, err
}

// PutBytes is Put of b; it computes size and hash.
func (s *Store) PutBytes(ctx context.Context, key string, b []byte, o PutOptions) (Outcome, error) {
	o.Size, o.SHA256 = int64(len(b)), sha256.Sum256(b)
	return s.Put(ctx, key, bytes.NewReader(b), o)
}

// ProbeIfAbsent finds out whether the target keeps PutOptions.IfAbsent: it puts
// a few bytes under key, then other bytes, which must be refused, and deletes
// the key. The key must be absent and of use to nobody. A target that takes the
// second put fails with ErrInvalid; any other error means that the question
// stayed open.
func (s *Store) ProbeIfAbsent(ctx context.Context, key string) error {
	if _, err := s.PutBytes(ctx, key, []byte("if-absent probe: first\n"), PutOptions{}); err != nil {
		return err
	}
	second, err := s.PutBytes(ctx, key, []byte("if-absent probe: second\n"), PutOptions{})
	switch {
	case err == nil:
		err = s.fail("put", key, &Error{Op: "put", Key: key, Kind: KindInvalid, Err: errors.New("the target replaced an object although it was asked to put only if absent")})
	case second == ExistsOther && errors.Is(err, ErrExists):
		err = nil
	}
	return errors.Join(err, s.Delete(ctx, key))
}

func checkPut(key string, o PutOptions) error {
	err := CheckKey(key)
	switch {
	case err != nil:
	case o.Size < 0:
		err = fmt.Errorf("size %d", o.Size)
	case o.SHA256 == [32]byte{}:
		err = errors.New("no SHA-256 was given")
	default:
		return nil
	}
	return &Error{Op: "put", Key: key, Kind: KindInvalid, Err: err}
}

// confirm checks an acknowledged put against what the target now shows.
func (s *Store) confirm(ctx context.Context, key string, o PutOptions) (Outcome, error) {
	obj, err := s.Stat(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return Unknown, s.fail("put", key, &Error{Op: "put", Key: key, Kind: KindCorrupt, Err: errors.New("acknowledged, but the object is not there")})
	case err != nil:
		return Unknown, err
	case obj.Size != o.Size:
		return ExistsOther, s.fail("put", key, &Error{Op: "put", Key: key, Kind: KindCorrupt, Err: fmt.Errorf("acknowledged %d bytes, but the object has %d", o.Size, obj.Size)})
	}
	return Created, nil
}

// compare reads back a key that is taken, or may be.
func (s *Store) compare(ctx context.Context, key string, o PutOptions) (Outcome, error) {
	obj, err := s.Stat(ctx, key)
	if err != nil {
		return Unknown, err
	}
	other := s.fail("put", key, &Error{Op: "put", Key: key, Kind: KindExists, Err: errors.New("with other bytes")})
	if obj.Size != o.Size {
		return ExistsOther, other
	}
	h := sha256.New()
	body := s.Open(ctx, key, 0, obj.Size)
	_, err = io.Copy(h, body)
	err = errors.Join(err, body.Close())
	switch {
	case err != nil:
		return Unknown, s.fail("get", key, err)
	case [32]byte(h.Sum(nil)) != o.SHA256:
		return ExistsOther, other
	}
	return ExistsSame, nil
}
