package main

import (
	"context"
	"errors"

	"github.com/atocore/holdfast/core/repository"
)

// firstPlace calls do with the snapshot in one place after the other, until one does it. What is wrong
// with one target is no reason to give up while there is another; anything else is.
func (a *app) firstPlace(ctx context.Context, places []place, ref string, ask repository.Ask, do func(*found) (*restoreReport, error)) (*restoreReport, error) {
	beside := func(f *found) (*restoreReport, error) {
		f.beside = places
		return do(f)
	}
	var fault, missing error
	var lack []place
	for _, p := range a.rank(ctx, places, ref, ask) {
		r, err := a.with(ctx, p, ref, ask, beside)
		switch {
		case err == nil:
			if fault != nil {
				a.warn(fault)
			}
			return r, nil
		case ctx.Err() != nil, errors.Is(err, repository.ErrAmbiguous), inPlaceFailure(err) != nil, !tryNext(classify(ctx, err).code):
			return nil, err
		case errors.Is(err, repository.ErrNoSnapshot):
			missing = errors.Join(missing, err)
			lack = append(lack, p)
		default:
			fault = errors.Join(fault, err)
		}
	}
	if stamp := standsIn(ref, fault, missing); stamp != "" {
		r, err := a.firstPlace(ctx, lack, stamp, ask, beside)
		switch {
		case err == nil:
			a.warn(fault)
			a.tellStandIn(r.Target, r.ID, ref)
			return r, nil
		case !tryNext(classify(ctx, err).code):
			a.warn(fault)
			return nil, err
		}
	}
	if fault != nil {
		return nil, fault
	}
	return nil, missing
}

// with calls do with the snapshot in one place.
func (a *app) with(ctx context.Context, p place, ref string, ask repository.Ask, do func(*found) (*restoreReport, error)) (*restoreReport, error) {
	f, err := a.findIn(ctx, p, ref, ask)
	if err != nil {
		return nil, err
	}
	defer f.close()
	a.tellPassed(f)
	return do(f)
}

// tryNext says whether another target may do what one could not.
func tryNext(code exitCode) bool {
	switch code {
	case exitNoMatch, exitDamage, exitUninitialised, exitAuth, exitTarget, exitPlugin, exitFormat:
		return true
	}
	return false
}
