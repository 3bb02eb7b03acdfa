package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/atocore/holdfast/core/target"
)

const (
	// probePrefix begins the keys of probes. No set can have that name.
	probePrefix = "_probe/"
	// probeAge is when a probe that still lies there was left by a run that was killed: no living
	// one takes that long.
	probeAge = time.Hour
)

// ignoresIfAbsent is what a person is told of a target that replaced an object although it was asked not to.
const ignoresIfAbsent = "the target does not keep put-if-absent: two hosts that write at once are not told of each other, and nothing may be deleted there while another holdfast runs"

// probe puts an object, puts another at the same key, and deletes it: the target can be written, says whether
// it keeps put-if-absent, and forgets. What killed probes left there is deleted too.
func probe(ctx context.Context, s *target.Store, now time.Time) (keeps bool, err error) {
	key := make([]byte, 8)
	if _, err := rand.Read(key); err != nil {
		return false, err
	}
	err = s.ProbeIfAbsent(ctx, probePrefix+hex.EncodeToString(key))
	if err != nil && !errors.Is(err, target.ErrInvalid) {
		return false, err
	}
	keeps = err == nil
	left, err := s.ListAll(ctx, probePrefix)
	if err != nil {
		return keeps, err
	}
	for _, o := range left {
		if now.Sub(o.ModTime) < probeAge {
			continue // another run's, which may be at work
		}
		if err := s.Delete(ctx, o.Key); err != nil {
			return keeps, fmt.Errorf("delete what a probe left: %w", err)
		}
	}
	return keeps, nil
}
