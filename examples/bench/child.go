package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

// childArg makes this program do one piece of work and end. On Linux a process begins with the peak memory of the
// one that started it, so the one that starts holdfast must stay small and leave heavy work to others.
const childArg = "child"

func spawn(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{childArg}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}

func child(ctx context.Context, args []string) error {
	switch {
	case len(args) == 4 && args[0] == "generate":
		size, err := strconv.ParseInt(args[2], 10, 64)
		if err != nil {
			return err
		}
		chroma, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			return err
		}
		return store.Generate(ctx, args[1], store.Options{Seed: seed, Size: size, ChromaSize: chroma})
	case len(args) == 2 && args[0] == "touch":
		_, err := store.Touch(ctx, args[1], 0.01, seed)
		return err
	case len(args) == 3 && args[0] == "limits":
		return limits(ctx, args[1], args[2])
	default:
		return fmt.Errorf("unknown work %q", args)
	}
}
