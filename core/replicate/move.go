package replicate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source"
)

// movers is how many objects are on their way at once; each takes its size of scratch space.
const movers = 4

// move copies the objects of a plan.
func (r *run) move(ctx context.Context, session *repository.Session, p *plan, task string, resumed bool) error {
	total := p.size()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(movers)
	for _, o := range p.objects {
		g.Go(func() error {
			if err := ctx.Err(); err != nil { // of another object
				return err
			}
			if err := r.moveOne(ctx, session, o, resumed); err != nil {
				return err
			}
			r.Progress.Add(task, o.size, total)
			return nil
		})
	}
	return g.Wait()
}

// moveOne copies one object, unless a killed run did.
func (r *run) moveOne(ctx context.Context, session *repository.Session, o object, resumed bool) error {
	if resumed {
		if there, err := session.Holds(ctx, o.to, o.size, o.sum); err != nil || there {
			return err
		}
	}
	if r.DryRun {
		return session.Put(ctx, o.to, nil, o.size, o.sum)
	}
	f, err := r.spool(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(session.Put(ctx, o.to, f, o.size, o.sum), f.Close())
}

// spool reads an object of the source into a nameless scratch file. What is missing, or fails its hash twice,
// is a *repository.ObjectError.
func (r *run) spool(ctx context.Context, o object) (_ *os.File, err error) {
	f, err := os.CreateTemp(r.Scratch, "copy-")
	if err != nil {
		return nil, fmt.Errorf("scratch space: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("scratch space: %w", err)
	}
	for range 2 {
		if _, err = f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("scratch space: %w", err)
		}
		body := r.From.Store.OpenVerified(ctx, o.from, o.size, o.sum)
		_, err = io.Copy(f, body)
		err = errors.Join(err, body.Close())
		if !lost(err) {
			break
		}
	}
	if lost(err) {
		return nil, &repository.ObjectError{Key: o.from, Err: err}
	}
	if err != nil {
		return nil, source.Scratch(err, r.Scratch, o.size)
	}
	return f, nil
}
