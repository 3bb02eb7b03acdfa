package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
)

// holdReport is the summary of `holdfast forget`, `undelete`, `pin` and `unpin`.
type holdReport struct {
	head
	Set     string       `json:"set"`
	Targets []holdTarget `json:"targets"`
}

type holdTarget struct {
	Target    string         `json:"target"`
	Snapshots []holdSnapshot `json:"snapshots"` // none: the target has no such snapshot
	Error     *targetError   `json:"error,omitempty"`
}

type holdSnapshot struct {
	ID     manifest.ID `json:"id"`
	Result string      `json:"result"`
}

// What became of a snapshot.
const (
	holdMarked   = "marked"         // forget: it can be undeleted for seven days
	holdAlready  = "already_marked" // forget: somebody else's mark stands
	holdSwept    = "being_deleted"  // forget: too late for anything else
	holdPinned   = "pinned"
	holdUnpinned = "unpinned"
	holdKept     = "undeleted"  // its mark was taken back, and a pin holds it
	holdNothing  = "unchanged"  // undelete: it was not marked; unpin: it was not pinned
	holdNoMark   = "not_marked" // forget: a pin came between
)

// holdVerb is one of the verbs that change how a snapshot is held. do acts on the snapshots of one target,
// in the order of ids.
type holdVerb struct {
	name string
	do   func(ctx context.Context, o cleanup.Options, ids []manifest.ID) ([]holdSnapshot, error)
}

const idsHelp = `ID is an id, or any beginning of one that no other snapshot in the target has: the same
moment has one stamp, and other digits behind it, in each target, so that the stamp alone
names it in all of them. Targets that do not have it are left as they are.`

func bindTargets(cmd *cobra.Command, targets *[]string) {
	cmd.Flags().StringArrayVar(targets, "target", nil, "only in this `target`; may be given again for more (default: all)")
}

// held is a target in which a verb finds snapshots.
type held struct {
	*opened
	ids []manifest.ID
}

// hold finds the snapshots in every target, and then lets the verb act. Nothing is done anywhere when
// a name means nothing, or is ambiguous in some target.
func (a *app) hold(ctx context.Context, verb holdVerb, targets, refs []string) (err error) {
	for _, ref := range refs {
		if ref == repository.Latest {
			return usage(fmt.Errorf("%s: name a snapshot by its id; holdfast show latest tells it", verb.name))
		}
	}
	places, c, err := a.places(placeFlags{targets: targets})
	if err != nil {
		return err
	}
	o := cleanup.Options{Set: c.Set, Tool: "holdfast " + toolVersion(), Rand: rand.Reader, Now: a.now}
	if o.Host, err = os.Hostname(); err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	unlock, err := lockSet(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	r := holdReport{Set: c.Set, Targets: []holdTarget{}}
	var there []held
	var failed []error
	found := map[string]bool{}
	for _, p := range places {
		h, err := a.holdIn(ctx, p, refs, found)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, repository.ErrAmbiguous):
			return err
		case err != nil:
			failed = append(failed, err)
			r.Targets = append(r.Targets, holdTarget{Target: p.name, Snapshots: []holdSnapshot{}, Error: a.targetError(ctx, err)})
			continue
		}
		defer h.close()
		there = append(there, h)
	}
	for _, ref := range refs {
		if !found[ref] && len(failed) > 0 {
			return failed[0]
		}
		if !found[ref] {
			return fmt.Errorf("%w %q in set %s; holdfast list shows what there is", repository.ErrNoSnapshot, ref, c.Set)
		}
	}
	for _, h := range there {
		t := holdTarget{Target: h.name, Snapshots: []holdSnapshot{}}
		if len(h.ids) > 0 {
			o.Repository, o.Notebook = h.Repository, h.seen.Cleanup(h.set, h.name)
			done, err := verb.do(ctx, o, h.ids)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			t.Snapshots = append(t.Snapshots, done...)
			if err != nil {
				failed = append(failed, err)
				t.Error = a.targetError(ctx, err)
			}
		}
		r.Targets = append(r.Targets, t)
	}
	code := exitOK
	switch {
	case !slices.ContainsFunc(r.Targets, func(t holdTarget) bool { return t.Error == nil && len(t.Snapshots) > 0 }):
		return failed[0]
	case len(failed) > 0:
		code = exitIncomplete
	}
	r.head = summary(verb.name, code)
	return a.finish(r)
}

// holdIn looks for the snapshots in one target, and notes which names mean one there.
func (a *app) holdIn(ctx context.Context, p place, refs []string, found map[string]bool) (h held, err error) {
	if h.opened, err = a.connectKnown(ctx, p); err != nil {
		return h, err
	}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	view, err := h.View(ctx, h.set)
	if err != nil {
		return h, err
	}
	for _, ref := range refs {
		c, err := h.Find(ctx, view, ref, repository.Ask{}, a.now())
		if errors.Is(err, repository.ErrNoSnapshot) && !errors.Is(err, repository.ErrAmbiguous) {
			continue
		}
		if err != nil {
			return h, err
		}
		found[ref] = true
		h.ids = append(h.ids, c.ID)
	}
	return h, nil
}

func changed(yes bool, result string) string {
	if yes {
		return result
	}
	return holdNothing
}

func (r holdReport) text(a *app, w io.Writer) error {
	if a.quiet && r.Code == exitOK {
		return nil
	}
	words := map[string]string{
		holdMarked: "marked; it can be undeleted for seven days", holdAlready: "was marked before", holdSwept: "is being deleted already",
		holdPinned: "pinned", holdUnpinned: "not pinned any more", holdKept: "undeleted, and pinned until holdfast unpin",
		holdNothing: "nothing to do", holdNoMark: "pinned meanwhile, and not marked",
	}
	for _, t := range r.Targets {
		for _, s := range t.Snapshots {
			say(w, "target %s: snapshot %s: %s\n", t.Target, s.ID, words[s.Result])
		}
		if t.Error != nil {
			say(w, "target %s: %s %s\n", t.Target, a.paint(red, "failed:"), t.Error.Message)
		} else if len(t.Snapshots) == 0 {
			say(w, "target %s: has no such snapshot\n", t.Target)
		}
	}
	return nil
}
