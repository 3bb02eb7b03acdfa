package validate

import (
	"context"
	"errors"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/source"
)

// maxSought bounds for how many components something is looked for elsewhere: a volume that is lost may be one of
// every snapshot there is, and each needs other chunks of it.
const maxSought = 32

// seek looks elsewhere for what the component's lost objects held. The error is for a run that cannot go on.
func (c *component) seek(ctx context.Context) error {
	if c.v.Fallback == nil {
		return nil
	}
	lost := map[string]string{} // key -> why
	for _, f := range c.out.Findings {
		if f.Component == c.c.Name && f.Key != "" && f.ID != IDMarked {
			lost[f.Key] = f.Message
		}
	}
	if len(lost) == 0 {
		return nil
	}
	if c.v.sought++; c.v.sought > maxSought {
		c.v.report.Unsought++
		return nil
	}
	volumes := map[archive.VolumeID]error{}
	for _, v := range c.c.Volumes {
		if why, ok := lost[v.Key]; ok {
			id, err := archive.ParseVolumeID(v.ID)
			if err != nil {
				return err
			}
			volumes[id] = errors.New(why)
		}
	}
	rescue, err := c.v.Fallback.Seek(ctx, c.v.Repository, c.m, c.c.Name, c.v.Scratch, volumes)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		c.unsure("", IDInconclusive, "whether what is lost is left elsewhere could not be found out: %v", source.Scratch(err, c.v.Scratch, c.c.Size))
	case rescue != nil: // else an index that was lost can be read by now
		c.out.Lost = append(c.out.Lost, rescue)
	}
	return nil
}
