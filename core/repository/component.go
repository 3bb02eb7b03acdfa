package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
)

// Component is the way to the bytes of one component of one snapshot.
type Component struct {
	*manifest.Component
	Recipe *archive.Recipe

	repo    *Repository
	volumes map[archive.VolumeID]*manifest.Volume
}

// OpenComponent reads a component's index into scratch space. An object that is missing or not what
// the manifest says is an *ObjectError that Is ErrDamaged. The caller closes the component.
func (r *Repository) OpenComponent(ctx context.Context, m *manifest.Manifest, name, scratch string) (*Component, error) {
	mc := m.Component(name)
	if mc == nil {
		return nil, fmt.Errorf("%w: snapshot %s has no component %s", ErrNoSnapshot, m.ID, name)
	}
	if m.Encryption != nil {
		return nil, fmt.Errorf("snapshot %s: %w, and this version cannot decrypt", m.ID, ErrSealed)
	}
	c, err := r.Unindexed(mc)
	if err != nil {
		return nil, err
	}
	limits := archive.Limits{ChunkSize: mc.ChunkSize, Size: mc.Size}
	if len(mc.Index) == 1 {
		if c.Recipe, err = r.readIndex(ctx, scratch, mc.Index[0], nil, nil, limits); err != nil {
			return nil, err
		}
	} else {
		baseLimits := archive.Limits{ChunkSize: mc.ChunkSize, Size: archive.BaseLimit(mc.Size)}
		base, err := r.readIndex(ctx, scratch, mc.Index[1], nil, nil, baseLimits)
		if err != nil {
			return nil, err
		}
		defer base.Close()
		sum := digest(mc.Index[1].SHA256)
		if c.Recipe, err = r.readIndex(ctx, scratch, mc.Index[0], base, &sum, limits); err != nil {
			return nil, err
		}
	}
	if err := c.bind(); err != nil {
		c.Close()
		return nil, &ObjectError{Key: mc.Index[0].Key, Err: err}
	}
	return c, nil
}

// Unindexed is a component without its index: the way to its volumes for whoever knows from elsewhere what lies
// in them. Its Recipe is nil.
func (r *Repository) Unindexed(mc *manifest.Component) (*Component, error) {
	c := &Component{Component: mc, repo: r, volumes: map[archive.VolumeID]*manifest.Volume{}}
	for i := range mc.Volumes {
		id, err := archive.ParseVolumeID(mc.Volumes[i].ID)
		if err != nil {
			return nil, err
		}
		c.volumes[id] = &mc.Volumes[i]
	}
	return c, nil
}

// bind checks that recipe and manifest speak of the same stream and the same volumes.
func (c *Component) bind() error {
	if c.Recipe.Size != c.Size || hex.EncodeToString(c.Recipe.SHA256[:]) != c.SHA256 {
		return fmt.Errorf("the index describes a stream of %d bytes with SHA-256 %x; the manifest says %d and %s",
			c.Recipe.Size, c.Recipe.SHA256, c.Size, c.SHA256)
	}
	for _, id := range c.Recipe.Volumes {
		if c.volumes[id] == nil {
			return fmt.Errorf("the index needs volume %s, which the manifest does not name", id)
		}
	}
	for _, f := range c.Recipe.Frames {
		if v := c.volumes[c.Recipe.Volumes[f.Volume]]; f.Offset+int64(f.Stored) > v.Size {
			return fmt.Errorf("the index has a frame at %d in %s, which ends at %d", f.Offset, v.Key, v.Size)
		}
	}
	return nil
}

// Close gives scratch space back.
func (c *Component) Close() error { return c.Recipe.Close() }

// Volume is what the manifest says of a volume; nil when it does not name it.
func (c *Component) Volume(id archive.VolumeID) *manifest.Volume { return c.volumes[id] }

// Open implements archive.Opener.
func (c *Component) Open(ctx context.Context, id archive.VolumeID, offset, length int64) (io.ReadCloser, error) {
	v := c.volumes[id]
	if v == nil {
		return nil, fmt.Errorf("volume %s: %w: the manifest does not name it", id, ErrDamaged)
	}
	return &volumeReader{c.repo.Store.Open(ctx, v.Key, offset, length)}, nil
}

// Whole gives a volume's size and hash, for archive.ReadOptions.
func (c *Component) Whole(id archive.VolumeID) (int64, [sha256.Size]byte) {
	v := c.volumes[id]
	return v.Size, digest(v.SHA256)
}

// volumeReader tells archive apart what is wrong with the object and what is wrong with the target.
type volumeReader struct{ io.ReadCloser }

func (v *volumeReader) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	if lost(err) {
		err = fmt.Errorf("%w: %w", archive.ErrDamaged, err)
	}
	return n, err
}

// lost reports whether an error speaks of the object, not of the way to it.
func lost(err error) bool {
	return errors.Is(err, target.ErrNotFound) || errors.Is(err, target.ErrCorrupt)
}

// ObjectError says that a stored object is missing or not what it should be. It Is ErrDamaged.
type ObjectError struct {
	Key string
	Err error
}

func (e *ObjectError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.Key, e.Err) }

func (e *ObjectError) Unwrap() error { return e.Err }

// Is matches ErrDamaged.
func (e *ObjectError) Is(target error) bool { return target == ErrDamaged }

func (r *Repository) readIndex(ctx context.Context, scratch string, o manifest.Object, base *archive.Recipe, sum *[sha256.Size]byte, limits archive.Limits) (*archive.Recipe, error) {
	body := r.Store.OpenVerified(ctx, o.Key, o.Size, digest(o.SHA256))
	recipe, err := archive.ReadIndex(scratch, body, base, sum, limits)
	err = errors.Join(err, body.Close())
	if err == nil {
		return recipe, nil
	}
	recipe.Close()
	// Scratch space that is full says nothing of the index.
	if lost(err) || errors.As(err, new(*archive.FormatError)) {
		return nil, &ObjectError{Key: o.Key, Err: err}
	}
	return nil, err
}

// digest reads a hash that the manifest's decoder has checked.
func digest(s string) (sum [sha256.Size]byte) {
	hex.Decode(sum[:], []byte(s))
	return sum
}

// Explain names the object when err speaks of a damaged volume or of an index that contradicts itself;
// other errors are returned as they are.
func (c *Component) Explain(err error) error {
	var bad *archive.DamageError
	if errors.As(err, &bad) && c.volumes[bad.Volume] != nil {
		return &ObjectError{Key: c.volumes[bad.Volume].Key, Err: bad.Err}
	}
	if bad == nil && errors.As(err, new(*archive.FormatError)) {
		return &ObjectError{Key: c.Index[0].Key, Err: err}
	}
	return err
}
