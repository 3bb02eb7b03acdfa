package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
)

// upload puts volumes into the targets of a group while the next ones are packed. One volume waits
// while one is sent: a slow target holds the others back by no more.
type upload struct {
	r         *run
	component string
	targets   []*targetRun
	queue     chan *archive.Volume
	done      chan struct{}
	ctx       context.Context
	volumes   map[archive.VolumeID]freshVolume // what was emitted
	dead      chan struct{}                    // closed when no target is left
	err       error
}

// freshVolume is a new volume's entry in a manifest, but for its key, which is each target's own.
type freshVolume struct {
	manifest.Volume
	n int
}

// errNoTarget ends the packing for a group of which every target has failed.
var errNoTarget = errors.New("no target is left")

func (r *run) newUpload(ctx context.Context, component string, targets []*targetRun) *upload {
	u := &upload{
		r: r, component: component, targets: targets, ctx: ctx,
		queue: make(chan *archive.Volume, 1), done: make(chan struct{}), dead: make(chan struct{}),
		volumes: map[archive.VolumeID]freshVolume{},
	}
	go u.run()
	return u
}

// emit implements archive.PackOptions.Emit.
func (u *upload) emit(ctx context.Context, v *archive.Volume) error {
	select {
	case u.queue <- v:
		return nil
	case <-u.dead:
		return errors.Join(errNoTarget, v.Close())
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), v.Close())
	}
}

// wait returns when everything that was emitted was dealt with.
func (u *upload) wait() error {
	close(u.queue)
	<-u.done
	return u.err
}

func (u *upload) run() {
	defer close(u.done)
	for v := range u.queue {
		u.volumes[v.ID] = freshVolume{
			manifest.Volume{ID: v.ID.String(), Size: v.Size, SHA256: hex.EncodeToString(v.SHA256[:]), Raw: v.Raw}, v.N,
		}
		left := u.send(v)
		u.err = errors.Join(u.err, v.Close())
		if left == 0 {
			close(u.dead)
			for v := range u.queue {
				u.err = errors.Join(u.err, v.Close())
			}
		}
	}
}

// send puts a volume into every target that is left, and returns how many then still are.
func (u *upload) send(v *archive.Volume) (left int) {
	var g sync.WaitGroup
	for _, t := range u.targets {
		if t.Err != nil {
			continue
		}
		g.Go(func() {
			key := manifest.VolumeKey(u.r.Set, t.session.ID, u.component, v.N, false)
			if t.Err = t.session.Put(u.ctx, key, v, v.Size, v.SHA256); t.Err == nil {
				u.r.Progress.Add("upload "+t.Name, v.Size, 0)
			}
		})
	}
	g.Wait()
	for _, t := range u.targets {
		if t.Err == nil {
			left++
		}
	}
	return left
}
