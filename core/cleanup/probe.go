package cleanup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/atocore/holdfast/core/target"
)

// probePrefix begins the keys of probes. No set can have that name, and anybody may delete them.
const probePrefix = "_probe/"

// settle bounds the removal of a probe when the context has ended.
const settle = 30 * time.Second

// probe asks the store what time it is, and whether it keeps put-if-absent: with an object whose time it shows, and
// a second put of its key, which must be refused. A store that cannot tell has no time: then
// everything is young.
func (r *run) probe(ctx context.Context) error {
	info, err := r.repo.Store.Info(ctx)
	if err != nil {
		return err
	}
	if !info.ConsistentList {
		return refuse(RefusedListing, "the target does not promise that a listing shows all that was put: nothing may be deleted there", "")
	}
	if err := r.ask(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.report.note("the store's own time is not known, so that nothing is old enough to go: %v", err)
	}
	if (!r.keeps || !info.IfAbsent) && !r.Exclusive {
		return refuse(RefusedShared, "the target is not known to keep put-if-absent: nothing may be deleted while another holdfast runs, on any host",
			"when nothing else runs, say --exclusive")
	}
	return nil
}

func (r *run) ask(ctx context.Context) (err error) {
	var name [8]byte
	if _, err := io.ReadFull(r.Rand, name[:]); err != nil {
		return fmt.Errorf("draw the name of a probe: %w", err)
	}
	store, key := r.repo.Store, probePrefix+hex.EncodeToString(name[:])
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
		defer cancel()
		if derr := store.Delete(ctx, key); derr != nil {
			r.report.note("a probe is left behind at %s: %v", key, derr)
		}
	}()
	if _, err := store.PutBytes(ctx, key, []byte("cleanup probe: first\n"), target.PutOptions{}); err != nil {
		return err
	}
	object, err := store.Stat(ctx, key)
	if err != nil {
		return err
	}
	r.now = object.ModTime
	second, err := store.PutBytes(ctx, key, []byte("cleanup probe: second\n"), target.PutOptions{})
	r.keeps = second == target.ExistsOther && errors.Is(err, target.ErrExists)
	if r.keeps || err == nil {
		return nil
	}
	return err
}
