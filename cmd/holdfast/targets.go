package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/targets/builtin"
)

// mark makes a target a repository, unless it is one.
func (a *app) mark(ctx context.Context, t config.Target) (initTarget, error) {
	raw, err := builtin.Create(ctx, t.Plugin, t.Config)
	if err != nil {
		return initTarget{}, err
	}
	store := target.Open(t.Name, raw, target.Options{})
	defer store.Close()
	const limit = 64 << 10
	b, err := store.GetBytes(ctx, manifest.MarkerKey, limit)
	if errors.Is(err, target.ErrNotFound) {
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return initTarget{}, fmt.Errorf("draw a repository id: %w", err)
		}
		m := manifest.NewMarker(hex.EncodeToString(id))
		if _, err := store.PutBytes(ctx, manifest.MarkerKey, m.Encode(), target.PutOptions{}); err != nil {
			return initTarget{}, err
		}
		return initTarget{t.Name, m.Repository, true}, nil
	}
	if err != nil {
		return initTarget{}, err
	}
	m, err := manifest.DecodeMarker(b)
	return initTarget{t.Name, m.Repository, false}, err
}
