// Quickstart makes and changes a store to try holdfast on; package store beside it tells what is in it.
//
//	quickstart [generate] --dir DIR [--size 20MiB] [--chroma-size 0] [--seed 1] [--journal wal|delete]
//	quickstart touch      --dir DIR [--fraction 0.01] [--seed 1]
//	quickstart write      --dir DIR [--for 30s] [--rate 0] [--journal wal|delete] [--seed 1]
//	quickstart check      --db FILE
//
// write plays the application: it commits until the time is over or its standard input ends, and prints a line for
// each commit. check says whether a database file, live or restored, is one consistent moment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		stop()
		os.Exit(1)
	}
}

// run does what args say. Only write reads stdin, and only to see its end.
func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	mode := "generate"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		mode, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet(mode, flag.ContinueOnError)
	var (
		dir, db, journal string
		seed             uint64
		fraction         float64
		length           time.Duration
		rate             int
		size             = bytesFlag(store.DefaultSize)
		chromaSize       bytesFlag
	)
	if mode == "check" {
		flags.StringVar(&db, "db", "", "database `file` to check")
	} else {
		flags.StringVar(&dir, "dir", "", "`directory` of the store")
		flags.Uint64Var(&seed, "seed", 1, "what the generated contents depend on")
	}
	switch mode {
	case "generate":
		flags.Var(&size, "size", "`bytes` of the database, as 20MiB or 1GiB")
		flags.Var(&chromaSize, "chroma-size", "`bytes` of the Chroma directory; 0 is the recorded one of 2.3 MB")
		flags.StringVar(&journal, "journal", string(store.WAL), "journal `mode`: wal or delete")
	case "touch":
		flags.Float64Var(&fraction, "fraction", 0.01, "`share` of the rows to update and to add, 0 to 1")
	case "write":
		flags.DurationVar(&length, "for", 30*time.Second, "how `long` to write")
		flags.IntVar(&rate, "rate", 0, "`commits` a second; 0 is as fast as possible")
		flags.StringVar(&journal, "journal", "", "journal `mode` to change to: wal or delete; empty keeps it")
	case "check":
	default:
		return fmt.Errorf("unknown mode %q: want generate, touch, write or check", mode)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q", mode, flags.Arg(0))
	}
	if dir == "" && db == "" {
		return fmt.Errorf("%s: say where: --dir, or --db for check", mode)
	}

	switch mode {
	case "generate":
		o := store.Options{Seed: seed, Size: int64(size), ChromaSize: int64(chromaSize), Journal: store.Journal(journal)}
		return store.Generate(ctx, dir, o)
	case "touch":
		t, err := store.Touch(ctx, dir, fraction, seed)
		if err == nil {
			fmt.Fprintf(stdout, "updated %d rows, added %d\n", t.Updated, t.Added)
		}
		return err
	case "write":
		ctx, cancel := context.WithTimeout(ctx, length)
		defer cancel()
		go func() {
			_, _ = io.Copy(io.Discard, stdin) // its end, or a broken pipe, both mean: stop
			cancel()
		}()
		return store.Write(ctx, dir, store.WriteOptions{Seed: seed, Journal: store.Journal(journal), Rate: rate}, stdout)
	default:
		f, err := store.Check(ctx, db)
		if err == nil {
			fmt.Fprintf(stdout, "ok: %d memories, %d chunks, %d transfers, balances sum to %d\n",
				f.Memories, f.Chunks, f.Transfers, f.Total)
		}
		return err
	}
}

// bytesFlag is a size on the command line, such as 20MiB.
type bytesFlag int64

func (b *bytesFlag) String() string { return humanize.IBytes(uint64(*b)) }

func (b *bytesFlag) Set(s string) error {
	n, err := humanize.ParseBytes(s)
	if err != nil {
		return err
	}
	if n > 1<<50 {
		return fmt.Errorf("%s is more than 1 PiB", s)
	}
	*b = bytesFlag(n)
	return nil
}
