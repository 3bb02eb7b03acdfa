package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for a shell: " + strings.Join(shells, ", "),
		Long: `Print a script that teaches a shell to complete holdfast's commands and flags.

  bash        holdfast completion bash > /etc/bash_completion.d/holdfast
  zsh         holdfast completion zsh > "${fpath[1]}/_holdfast"
  fish        holdfast completion fish > ~/.config/fish/completions/holdfast.fish
  powershell  holdfast completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args:      exactly("SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json {
				return usage(errors.New("completion prints a script and has no --json"))
			}
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return usage(fmt.Errorf("unknown shell %q: want %s", args[0], strings.Join(shells, ", ")))
		},
	}
}
