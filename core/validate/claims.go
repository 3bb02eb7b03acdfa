package validate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
)

// claim is what a manifest says of a stored object. Manifests that share an object say the same of it,
// unless one of them lies: what was found out under one claim holds for no other.
type claim struct {
	key    string
	size   int64
	sha256 string
	stream string // of an index that is no base: SHA-256 of the stream that it describes
}

// claimed returns what a component says of each of its objects, by key.
func claimed(c *manifest.Component) map[string]claim {
	all := make(map[string]claim, len(c.Index)+len(c.Volumes))
	for i, o := range c.Index {
		k := claim{key: o.Key, size: o.Size, sha256: o.SHA256}
		if i == 0 {
			k.stream = c.SHA256
		}
		all[o.Key] = k
	}
	for _, v := range c.Volumes {
		all[v.Key] = claim{key: v.Key, size: v.Size, sha256: v.SHA256}
	}
	return all
}

// honest looks for a manifest that says something else than mine of the same object, and is right: then
// the object is well, and my manifest is at fault. It returns "" when there is none.
func (v *validation) honest(ctx context.Context, mine claim) (manifest.ID, error) {
	if v.manifests == nil {
		all, err := v.Repository.Snapshots(ctx, v.View)
		if err != nil {
			return "", err
		}
		v.manifests = all
	}
	tried := map[claim]bool{mine: true}
	for _, s := range v.manifests {
		if s.Manifest == nil {
			continue
		}
		for i := range s.Manifest.Components {
			c := &s.Manifest.Components[i]
			other, named := claimed(c)[mine.key]
			if !named || tried[other] {
				continue
			}
			tried[other] = true
			if fits, err := v.fits(ctx, s.Manifest, c, other); err != nil || fits {
				return s.ID, err
			}
		}
	}
	return "", nil
}

// fits reports whether an object is what one manifest says. The error is for not having found out.
func (v *validation) fits(ctx context.Context, m *manifest.Manifest, c *manifest.Component, k claim) (bool, error) {
	if v.View.Archives[k.key] != k.size {
		return false, nil
	}
	if k.stream != "" {
		open, err := v.Repository.OpenComponent(ctx, m, c.Name, v.Scratch)
		var bad *repository.ObjectError
		switch {
		case err == nil:
			return true, open.Close()
		case errors.As(err, &bad) && bad.Key == k.key:
			return false, nil
		}
		return false, err
	}
	var sum [32]byte
	if _, err := hex.Decode(sum[:], []byte(k.sha256)); err != nil {
		return false, fmt.Errorf("snapshot %s: SHA-256 of %s: %w", m.ID, k.key, err)
	}
	body := v.Repository.Store.OpenVerified(ctx, k.key, k.size, sum)
	_, err := io.Copy(io.Discard, body)
	err = errors.Join(err, body.Close())
	if errors.Is(err, target.ErrNotFound) || errors.Is(err, target.ErrCorrupt) {
		return false, nil
	}
	return err == nil, err
}
