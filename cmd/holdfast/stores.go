package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/targets/builtin"
)

// unopened is a target that could not be opened.
type unopened struct {
	name string
	err  error
}

// openStores opens the targets of those names, all for none, to write to. One that cannot be opened does not
// keep the others; when none can, the error says why for each. The caller calls done.
func openStores(ctx context.Context, c *config.Config, names []string) (stores []*target.Store, failed []unopened, done func(), err error) {
	targets, err := chosen(c, names)
	if err != nil {
		return nil, nil, nil, err
	}
	var errs []error
	for _, t := range targets {
		raw, err := builtin.Open(ctx, t.Plugin, t.Config)
		if err != nil {
			err = fmt.Errorf("target %s: %w", t.Name, err)
			failed, errs = append(failed, unopened{t.Name, err}), append(errs, err)
			continue
		}
		stores = append(stores, target.Open(t.Name, raw, target.Options{}))
	}
	if len(stores) == 0 {
		return nil, nil, nil, errors.Join(errs...)
	}
	return stores, failed, func() {
		for _, s := range stores {
			_ = s.Close() // every put was acknowledged by itself
		}
	}, nil
}
