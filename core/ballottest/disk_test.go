package ballottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/atocore/holdfast/core/target"
)

// mishap is what goes wrong with an operation.
type mishap uint8

const (
	none    mishap = iota
	refused        // no effect, and the target says so
	failed         // no effect, and no answer
	applied        // it takes effect, and the answer is lost
	late           // it takes effect later or never, and there is no answer
	garbled        // a Get delivers other bytes
)

func (m mishap) String() string {
	return [...]string{"", "refused", "failed", "done, but no answer", "late", "garbled"}[m]
}

// fate is what becomes of an operation.
type fate struct {
	dead bool // whoever asked is dead
	how  mishap
	kind target.Kind // of the error
	page int         // the most keys; 0: no bound
}

// fate draws what becomes of an operation. What fails once often fails again, for a Store tries twice.
func (s *schedule) fate(w *stop) fate {
	f := fate{}
	what := w.op + " " + w.key
	if s.page > 0 {
		f.page = 1 + s.dice.IntN(s.page)
	}
	p := w.a.flaky
	if w.op != "put" { // there are many more of those
		p /= 10
	}
	if s.faults != nil {
		p = 0
		for _, at := range s.faults {
			if at.at(w) {
				p = at.chance
			}
		}
	}
	if w.a.broken[what] {
		p = s.again
	}
	if s.calm || w.op == "start" || w.op == "rest" || !s.chance(p) {
		delete(w.a.broken, what)
		return f
	}
	w.a.broken[what] = true
	can := []mishap{refused, failed, failed}
	switch w.op {
	case "put", "delete":
		can = append(can, applied, applied, late, late)
	case "get":
		can = append(can, garbled)
	}
	f.how = can[s.dice.IntN(len(can))]
	f.kind = target.KindUnavailable // a Store tries again
	switch {
	case f.how == refused:
		f.kind = target.KindDenied
	case s.chance(0.3):
		f.kind = target.KindUnknown
	}
	return f
}

// awake is target.Options.Sleep: the next attempt is an operation for which the actor waits anyway.
func awake(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// disk is the target as one actor sees it.
type disk struct{ *actor }

// do waits, and lets effect take place as the schedule has it. name is the key, or more.
func do[T any](d *disk, op, name string, effect func(fate) (T, error)) (v T, err error) {
	f := d.wait(op, name)
	switch {
	case f.dead:
		return v, d.fail(op, name, fate{kind: target.KindDenied})
	case f.how == none, f.how == garbled:
		v, err = effect(f)
		d.log(d.actor, "%s %s%s", op, name, outcome(err))
		return v, err
	case f.how == applied:
		_, err = effect(f) // its answer is what gets lost
		d.log(d.actor, "%s %s: %s%s", op, name, f.how, outcome(err))
	case f.how == late:
		d.late = append(d.late, func() {
			_, err := effect(f)
			d.log(d.actor, "late %s %s%s", op, name, outcome(err))
		})
		d.log(d.actor, "%s %s: %s", op, name, f.how)
	default:
		d.log(d.actor, "%s %s: %s", op, name, f.how)
	}
	return v, d.fail(op, name, f)
}

func outcome(err error) string {
	if err == nil {
		return ""
	}
	return ": " + target.KindOf(err).String()
}

func (d *disk) fail(op, key string, f fate) error {
	return &target.Error{Op: op, Key: key, Kind: f.kind, Err: errors.New("by the schedule")}
}

// Info implements target.Target.
func (d *disk) Info(ctx context.Context) (target.Info, error) {
	info, err := d.mem.Info(ctx)
	info.Retain = false
	return info, err
}

// Put implements target.Target.
func (d *disk) Put(_ context.Context, key string, r io.ReaderAt, o target.PutOptions) (target.Object, error) {
	body, err := io.ReadAll(io.NewSectionReader(r, 0, o.Size))
	if err != nil {
		return target.Object{}, err
	}
	return do(d, "put", key, func(fate) (target.Object, error) {
		_, taken := d.mem.Bytes(key)
		obj, err := d.mem.Put(context.Background(), key, bytes.NewReader(body), o)
		if err == nil && !taken {
			d.ledger.put(d.actor, key, body)
		}
		return obj, err
	})
}

// Get implements target.Target.
func (d *disk) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return do(d, "get", key, func(f fate) (io.ReadCloser, error) {
		body, err := d.mem.Get(context.Background(), key, offset, length)
		if f.how != garbled || err != nil {
			return body, err
		}
		b, err := io.ReadAll(body)
		if len(b) > 0 {
			b[d.dice.IntN(len(b))] ^= 1
		}
		return io.NopCloser(bytes.NewReader(b)), err
	})
}

// Stat implements target.Target.
func (d *disk) Stat(_ context.Context, key string) (target.Object, error) {
	return do(d, "stat", key, func(fate) (target.Object, error) { return d.mem.Stat(context.Background(), key) })
}

// Delete implements target.Target.
func (d *disk) Delete(_ context.Context, key string) error {
	gives := d.gives // it may be late, and the next run have another plan
	_, err := do(d, "delete", key, func(fate) (struct{}, error) {
		if _, there := d.mem.Bytes(key); there {
			d.ledger.delete(d.actor, gives, key)
		}
		return struct{}{}, d.mem.Delete(context.Background(), key)
	})
	return err
}

// List implements target.Target, in pages: each is what there is at its moment.
func (d *disk) List(_ context.Context, prefix, after string) iter.Seq2[target.Object, error] {
	return func(yield func(target.Object, error) bool) {
		for more := true; more; {
			page, err := do(d, "list", fmt.Sprintf("%s after %q", prefix, after), func(f fate) (page []target.Object, err error) {
				more = false
				for o, err := range d.mem.List(context.Background(), prefix, after) {
					if err != nil {
						return nil, err
					}
					if f.page > 0 && len(page) == f.page {
						more = true
						break
					}
					page = append(page, o)
				}
				return page, nil
			})
			if err != nil {
				yield(target.Object{}, err)
				return
			}
			for _, o := range page {
				if after = o.Key; !yield(o, nil) {
					return
				}
			}
		}
	}
}
