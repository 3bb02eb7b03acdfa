package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exactly wants one argument for each name; a name in brackets may be left out.
func exactly(names ...string) cobra.PositionalArgs {
	required := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			required++
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < required:
			return usage(fmt.Errorf("%s: %s is missing", cmd.Name(), names[len(args)]))
		case len(args) > len(names):
			return usage(fmt.Errorf("%s: unexpected argument %q", cmd.Name(), args[len(names)]))
		}
		return nil
	}
}
