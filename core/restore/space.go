package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// SpaceError means that the restored files would not fit.
type SpaceError struct {
	Dir        string
	Need, Free int64 // bytes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%s: %s are needed and %s are free: free %s, or restore to another file system",
		e.Dir, iec(e.Need), iec(e.Free), iec(e.Need-e.Free))
}

func iec(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// stagingNeed is how many bytes it takes to stage a component: its files and index, which stay together
// until all are staged, and for Chroma a tar on the way.
func stagingNeed(c *manifest.Component) int64 {
	need := c.Size + c.Size/32 + 1<<20
	if c.Kind == manifest.Chroma {
		need += c.Size
	}
	return need
}

// space checks that every file system can take what is staged on it, and the safety snapshot's copies.
func (o InPlaceOptions) space(ctx context.Context, stores []Live) error {
	needs := map[uint64]*SpaceError{}
	add := func(dir string, n int64) error {
		dir = existing(dir)
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			return fmt.Errorf("room in %s: %w", dir, err)
		}
		if needs[st.Dev] == nil {
			free, err := source.FreeSpace(dir)
			if err != nil {
				return err
			}
			needs[st.Dev] = &SpaceError{Dir: dir, Free: free}
		}
		needs[st.Dev].Need += n
		return nil
	}
	for _, live := range stores {
		if err := add(live.staging(), stagingNeed(o.Manifest.Component(live.Name))); err != nil {
			return err
		}
	}
	if o.Safety != nil {
		need, err := o.Safety.need()
		if err == nil {
			err = add(o.Safety.Backup.Staging, need)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range needs {
		if e.Free < e.Need {
			return e
		}
	}
	return ctx.Err()
}

// need is how many bytes of staging the copies of the live state take.
func (s *Safety) need() (n int64, err error) {
	for _, live := range s.Stores {
		if live.Kind == manifest.Chroma {
			continue
		}
		live, err := live.resolved()
		if err != nil {
			return 0, err
		}
		size, err := live.size()
		if err != nil {
			return 0, fmt.Errorf("component %s: %w", live.Name, err)
		}
		n += size
	}
	return n, nil
}

// existing is the nearest directory that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
