// Holdfast backs up the state of an AI-memory service, proves that the backup is
// good, and restores it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker; see the Makefile.
var version = ""

func main() { os.Exit(mainCode(newApp(os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))) }

// mainCode runs the command line of this process. The first SIGINT or SIGTERM
// cancels the work, a second one kills the process. SIGPIPE is ignored: a reader
// of stdout that goes away must not kill a create halfway.
func mainCode(a *app) int {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	// Never stopped at the end: a signal after the work is done must not make it look undone.
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(signalled{s})
		case <-ctx.Done():
		}
	}()
	return int(a.run(ctx, os.Args[1:]))
}
