package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/config"
)

// run is holdfast without a process around it: it does what args say, writes
// results to stdout and everything else to stderr, and returns the exit code.
// lookup is the environment, as [os.LookupEnv]. A signal arrives as the
// cancellation of ctx with a cause of type signalled.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) exitCode {
	return newApp(stdin, stdout, stderr, lookup).run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) exitCode {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)

	start := a.now()
	err := root.ExecuteContext(ctx)
	a.log.Debug("done", "elapsed", a.now().Sub(start), "error", err)
	if err == nil && a.stdout.err == nil {
		return a.code
	}
	var f *failure
	if err != nil {
		f = classify(ctx, err)
	} else { // the work is done, but whoever asked will not know what came of it
		f = &failure{code: max(a.code, exitFailed), id: "output_failed", err: fmt.Errorf("write to stdout: %w", a.stdout.err)}
	}
	if a.noDoctor && f.hint == seeDoctor {
		f.hint = ""
	}
	if a.json || errors.As(err, new(flagError)) && slices.ContainsFunc(args, isJSONFlag) {
		_ = a.fail(f) // when stdout is gone, the code is all that is left to say
		return f.code
	}
	a.explain(f)
	return f.code
}

// flagError is an error of the command line's form, which comes before the flags
// are all known.
type flagError struct{ error }

func (e flagError) Unwrap() error { return e.error }

func isJSONFlag(arg string) bool { return arg == "--json" || arg == "--json=true" }

// exitError is the last line of stdout when a command failed under --json.
type exitError struct {
	MessageType string   `json:"message_type"`
	Code        exitCode `json:"code"`
	ID          string   `json:"id"`
	Message     string   `json:"message"`
	Hint        string   `json:"hint,omitempty"`
}

// fail writes the last line of a --json run that failed.
func (a *app) fail(f *failure) error {
	return a.encode(exitError{MessageType: "exit_error", Code: f.code, ID: f.id, Message: f.Error(), Hint: f.hint})
}

// explain tells a person what went wrong and what to do next.
func (a *app) explain(f *failure) {
	var bad config.Errors
	if !errors.As(f.err, &bad) {
		say(a.stderr, "%s %s\n", a.paint(red, "holdfast:"), f)
	}
	for _, e := range bad {
		say(a.stderr, "%s:%d:%d: %s\n", e.File, e.Line, e.Column, e.Message)
		_, _ = io.WriteString(a.stderr, e.Excerpt()) // the user's own file
		if e.Hint != "" {
			say(a.stderr, "     = %s\n", e.Hint)
		}
	}
	if f.hint != "" {
		say(a.stderr, "  next: %s\n", f.hint)
	}
}

// newRoot builds the whole command line. There is one file per command.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "holdfast",
		Short: "Back up the state of an AI-memory service, prove the backup, restore it",
		Long: `holdfast takes snapshots of a store that must agree with itself (an SQLite database,
a registry file, a Chroma directory), keeps them in one or more targets, proves that
they are good, and restores them.

Start with: holdfast init, holdfast create, holdfast list, holdfast validate.

` + exitHelp(),
		SilenceUsage:  true, // a run that failed is no reason to teach the flags
		SilenceErrors: true, // run shows them
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := fmt.Errorf("unknown command %q", args[0])
			if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
				err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(s, " or "))
			}
			return usage(err)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json {
				return usage(errors.New("--json needs a command"))
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.start() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError{usage(err)} })
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"}) // --help says the same
	root.CompletionOptions.DisableDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	a.flags(root.PersistentFlags())
	for _, c := range commands(a) {
		root.AddCommand(c)
	}
	return root
}

// commands lists the verbs in the order of their use.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newInit(a),
		newCreate(a),
		newList(a),
		newShow(a),
		newValidate(a),
		newRestore(a),
		newRecover(a),
		newDump(a),
		newDiff(a),
		newImport(a),
		newCopy(a),
		newCleanup(a),
		newForget(a),
		newUndelete(a),
		newPin(a),
		newUnpin(a),
		newDoctor(a),
		newVersion(a),
		newCompletion(a),
	}
}
