package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/source"
)

func newDump(a *app) *cobra.Command {
	var p placeFlags
	cmd := &cobra.Command{
		Use:   "dump ID|latest COMPONENT [MEMBER]",
		Short: "Write one component, or one file of a Chroma component, to stdout",
		Long: `Write the stream of one component to stdout: the database, the file, or for Chroma a tar
archive, of which MEMBER picks one file. What is written was verified first. What its target
has lost is looked for in other snapshots and in the other targets; if it is not found,
nothing is written.

  holdfast dump latest chroma | tar -tv`,
		Args: exactly("ID", "COMPONENT", "[MEMBER]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json {
				return usage(errors.New("dump writes data to stdout and has no --json"))
			}
			if isTerminal(a.stdout.w) {
				return usage(errors.New("dump: stdout is a terminal; redirect it to a file or a program"))
			}
			member := ""
			if len(args) == 3 {
				member = args[2]
			}
			return a.dump(cmd.Context(), p, args[0], args[1], member)
		},
	}
	p.bind(cmd.Flags())
	return cmd
}

func (a *app) dump(ctx context.Context, p placeFlags, ref, component, member string) (err error) {
	places, c, err := a.places(p)
	if err != nil {
		return err
	}
	f, err := a.find(ctx, places, ref, p.ask([]string{component}, c))
	if err != nil {
		return err
	}
	defer f.close()
	dir, remove, err := scratchFor(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	o := restore.DumpOptions{Repository: f.Repository, Manifest: f.manifest, Component: component, Member: member, Scratch: dir}
	var closeOthers, stop func()
	o.Fallback, closeOthers = a.fallback(f.beside, f.name)
	defer closeOthers()
	var lost *restore.Rescue
	o.Rescued = func(r *restore.Rescue) { lost = r }
	o.Progress, stop = a.progress()
	_, err = restore.Dump(ctx, o, a.stdout)
	stop()
	if err == nil {
		a.tellRescued(f.name, lost)
	}
	if c := f.manifest.Component(component); c != nil && a.stdout.err == nil { // else it is stdout that could take no more
		err = source.Scratch(err, dir, c.Size)
	}
	return err
}
