package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/source"
)

func (d *doctor) targets(ctx context.Context) {
	places, _, err := d.places(placeFlags{})
	if err != nil {
		d.app.warn(err)
		return
	}
	for i, p := range places {
		subject := "target " + p.name
		if err := d.target(ctx, subject, p, d.config.Targets[i]); err != nil {
			d.fail(subject, classify(ctx, err))
		}
	}
}

// target looks at one target; the error is what keeps it from being used.
func (d *doctor) target(ctx context.Context, subject string, p place, t config.Target) error {
	o, err := d.connect(ctx, p)
	if err != nil {
		return err
	}
	defer o.close()
	keeps, err := probe(ctx, o.Store, d.now())
	if err != nil {
		return err
	}
	if !keeps {
		d.warn(subject, "if_absent_ignored", "keep the repository where put-if-absent holds", "%s", ignoresIfAbsent)
	}
	claimed, err := o.Claimed(ctx)
	if err != nil {
		return err
	}
	if claimed != "" && claimed != o.ID {
		return &failure{
			code: exitDamage, id: "marker_wrong", err: fmt.Errorf("the marker says repository %s, and the snapshots say %s: none of them can be read", o.ID, claimed),
			hint: repository.PutBack(claimed),
		}
	}
	if err := p.seen.Check(p.set, p.name, o.ID); err != nil {
		return err
	}
	view, err := o.View(ctx, o.set)
	if err != nil {
		return err
	}
	last := "no snapshot yet"
	for id := range view.Newest {
		_, err := o.Load(ctx, o.set, id)
		if errors.Is(err, repository.ErrRevoked) {
			continue
		}
		if err != nil {
			return err
		}
		last = "the newest snapshot is of " + local(id.Time())
		if ahead := id.Time().Sub(d.now()); ahead > 5*time.Minute {
			d.warn(subject, "clock", "correct the clock of this machine, or of the one that made it", "snapshot %s lies %s in the future", id, ahead.Round(time.Second))
		}
		break
	}
	if n := len(view.Damaged); n > 0 {
		d.warn(subject, "objects_damaged", "holdfast validate --all tells which snapshots need them; the next create stores what it still has again", "%s marked as damaged", count(n, "object"))
	}
	if n := len(view.Foreign); n > 0 {
		d.warn(subject, "objects_foreign", "holdfast leaves them alone; move them away", "%s that holdfast did not put there, such as %s", count(n, "object"), view.Foreign[0])
	}
	if path, ok := t.Config["path"].(string); ok {
		free, err := source.FreeSpace(path)
		if err != nil {
			return err
		}
		if free < d.need {
			d.warn(subject, "target_space", "make room there", "%s free, less than the %s of one uncompressed snapshot", size(free), size(d.need))
		}
	}
	d.ok(subject, "repository %s, written and read, %s", o.ID, last)
	return nil
}
