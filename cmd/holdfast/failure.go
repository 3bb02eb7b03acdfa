package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/atocore/holdfast/core/archive"
	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/restore/swap"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/state"
	"github.com/atocore/holdfast/core/target"
)

// failure is an error with its exit code, its stable identifier and the next
// step. Commands return one where they know better than classify.
type failure struct {
	code exitCode
	id   string // stable, for scripts
	hint string // what to do next; may be empty
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage is the failure of a command line that makes no sense.
func usage(err error) error {
	return &failure{code: exitUsage, id: "usage", err: err, hint: "see holdfast --help"}
}

// classify finds the exit code and the identifier of an error: the one place
// where the packages' errors meet the command line's contract.
func classify(ctx context.Context, err error) *failure {
	var (
		known   *failure
		signal  signalled
		fault   *source.Fault
		gone    *state.ReplacedError
		lost    *repository.LostError
		decode  *manifest.DecodeError
		refusal *cleanup.Refusal
	)
	switch {
	case errors.As(context.Cause(ctx), &signal) && errors.Is(err, context.Canceled), errors.As(err, &signal):
		return &failure{code: signal.code(), id: "interrupted", err: signal, hint: "nothing half-done counts; run it again"}
	case errors.As(err, &known):
		return known
	case errors.As(err, new(config.Errors)):
		return &failure{code: exitConfig, id: "config_invalid", err: err}
	case inPlaceFailure(err) != nil:
		return inPlaceFailure(err)
	case errors.As(err, &refusal):
		return &failure{code: exitRefused, id: refusal.ID, err: err, hint: refusal.Next}
	case errors.Is(err, repository.ErrMarked):
		return &failure{code: exitRefused, id: "snapshot_marked", err: err, hint: "see holdfast undelete"}
	case errors.Is(err, repository.ErrSwept):
		return &failure{code: exitRefused, id: "snapshot_swept", err: err}
	case errors.Is(err, state.ErrLocked):
		return &failure{code: exitLocked, id: "locked", err: err}
	case errors.As(err, new(*source.SpaceError)), errors.As(err, new(*source.ScratchError)), errors.As(err, new(*restore.SpaceError)):
		return &failure{code: exitFailed, id: "no_space", err: err}
	case errors.Is(err, restore.ErrNotEmpty):
		return &failure{code: exitRefused, id: "directory_not_empty", err: err, hint: "--to wants a new or empty directory"}
	case errors.As(err, &gone):
		return &failure{code: exitRefused, id: "target_replaced", err: err, hint: "is the right disk mounted? if it is meant, run holdfast init --force"}
	case errors.As(err, &lost):
		return &failure{code: exitDamage, id: "marker_lost", err: err, hint: lost.Next()}
	case errors.Is(err, repository.ErrNotInitialised):
		return &failure{code: exitUninitialised, id: "target_not_initialised", err: err}
	case errors.Is(err, repository.ErrNoSnapshot):
		return &failure{code: exitNoMatch, id: "no_snapshot", err: err}
	case errors.Is(err, repository.ErrSealed):
		return &failure{code: exitAuth, id: "snapshot_encrypted", err: err}
	case errors.Is(err, repository.ErrRevoked):
		return &failure{code: exitFailed, id: "create_revoked", err: err}
	case errors.Is(err, repository.ErrNewer), errors.As(err, &decode) && decode.ID == manifest.UnsupportedFormat:
		return &failure{code: exitFormat, id: "format_unsupported", err: err}
	case errors.Is(err, repository.ErrDamaged), errors.As(err, new(*archive.DamageError)):
		return &failure{code: exitDamage, id: "repository_damaged", err: err, hint: "see holdfast validate"}
	case errors.As(err, &decode):
		return &failure{code: exitDamage, id: "manifest_" + decode.ID, err: err}
	case errors.As(err, new(*target.Error)):
		return targetFailure(err)
	case errors.As(err, &fault):
		return &failure{code: exitFailed, id: fault.ID, err: err}
	}
	return &failure{code: exitFailed, id: "failed", err: err}
}

// inPlaceFailure is what an error of a restore in place, an undo or a recovery
// means; nil when it is none. What they wrap, such as a target's error, comes second.
func inPlaceFailure(err error) *failure {
	switch {
	case errors.As(err, new(*restore.BusyError)):
		return &failure{code: exitRefused, id: "service_running", err: err, hint: "stop the service, and try again"}
	case errors.Is(err, swap.ErrServiceRan):
		return &failure{code: exitRefused, id: "service_ran", err: err}
	case errors.Is(err, restore.ErrNoSafety):
		return &failure{code: exitRefused, id: "safety_snapshot_failed", err: err, hint: "mend a target; or --no-pre-snapshot, and only what is kept beside the stores can bring them back"}
	case errors.Is(err, restore.ErrSuspect):
		return &failure{code: exitRefused, id: "snapshot_suspect", err: err, hint: "choose another snapshot; or --allow-suspect"}
	case errors.Is(err, restore.ErrContent):
		return &failure{code: exitDamage, id: "content_check_failed", err: err, hint: "nothing was replaced: choose another snapshot; or --allow-suspect"}
	case errors.Is(err, restore.ErrOtherKind):
		return &failure{code: exitRefused, id: "other_kind", err: err, hint: "restore it with --to DIR"}
	case errors.Is(err, swap.ErrUnsuitable):
		return &failure{code: exitRefused, id: "cannot_be_replaced", err: err}
	case errors.Is(err, swap.ErrNotMounted):
		return &failure{code: exitRefused, id: "not_mounted", err: err}
	case errors.Is(err, swap.ErrForeign):
		return &failure{code: exitRefused, id: "journal_foreign", err: err}
	case errors.Is(err, swap.ErrNotWhole):
		return &failure{code: exitDamage, id: "generation_damaged", err: err}
	case errors.Is(err, swap.ErrNothingToUndo):
		return &failure{code: exitNoMatch, id: "nothing_to_undo", err: err}
	case errors.Is(err, swap.ErrUnfinished):
		return &failure{code: exitFailed, id: "restore_unfinished", err: err, hint: "run holdfast recover"}
	}
	return nil
}

const seeDoctor = "see holdfast doctor"

// targetFailure is what a target's own error means for the exit code.
func targetFailure(err error) *failure {
	f := &failure{code: exitTarget, id: "target_failed", err: err, hint: seeDoctor}
	switch target.KindOf(err) {
	case target.KindDenied:
		f.id = "target_denied"
	case target.KindFull:
		f.id, f.hint = "target_full", "make room there"
	case target.KindUnavailable, target.KindThrottled:
		f.id = "target_unreachable"
	case target.KindLocked:
		f.id = "target_locked"
	case target.KindNotFound:
		f.code, f.id, f.hint = exitDamage, "object_missing", "see holdfast validate"
	case target.KindCorrupt:
		f.code, f.id, f.hint = exitDamage, "object_corrupt", "see holdfast validate"
	}
	return f
}

// configFailure explains why a configuration could not be loaded.
func configFailure(err error) error {
	switch {
	case errors.As(err, new(config.Errors)):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return &failure{code: exitConfig, id: "config_missing", err: err, hint: "holdfast init writes one; --config or $HOLDFAST_CONFIG names another"}
	}
	return &failure{code: exitConfig, id: "config_unreadable", err: err}
}
