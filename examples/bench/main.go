// Bench measures holdfast on a generated store and prints one table: what each command takes, and beside it what the
// machine needs at least. Seconds compare only within one run on one machine.
//
//	go run -tags sqlite_fts5 ./examples/bench -holdfast bin/holdfast [-size 1GiB] [-chroma-size 100MB]
//
// The store is generated once and kept in the user's cache folder. Everything else happens in a folder beside it
// that is removed at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/atocore/holdfast/examples/quickstart/store"
)

// seed is the only one: figures of two runs are about the same bytes.
const seed = 1

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == childArg {
		err = child(ctx, os.Args[2:])
	} else {
		err = run(ctx, os.Args[1:])
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	holdfast         string // the binary to measure
	size, chromaSize int64
	cache            string // where stores are kept
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.holdfast, "holdfast", "bin/holdfast", "the `binary` to measure")
	size := flags.String("size", "1GiB", "`bytes` of the database")
	chroma := flags.String("chroma-size", "100MB", "`bytes` of the Chroma directory")
	flags.StringVar(&o.cache, "cache", "", "`folder` for generated stores and for work (default: in the user's cache folder)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for text, to := range map[*string]*int64{size: &o.size, chroma: &o.chromaSize} {
		n, err := humanize.ParseBytes(*text)
		if err != nil || n > 1<<50 {
			return o, fmt.Errorf("size %q: want something like 1GiB", *text)
		}
		*to = int64(n)
	}
	if o.cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("no cache folder, say -cache: %w", err)
		}
		o.cache = filepath.Join(base, "holdfast-bench")
	}
	o.holdfast, err = exec.LookPath(o.holdfast)
	if err != nil {
		return o, fmt.Errorf("%w; run make build first", err)
	}
	o.holdfast, err = filepath.Abs(o.holdfast)
	return o, err
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.cache, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(o.cache, "work-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	live := filepath.Join(work, "live")
	if err := prepare(ctx, o, live); err != nil {
		return err
	}
	results, err := measureAll(ctx, o.holdfast, work, live)
	if err != nil {
		return err
	}
	report(os.Stdout, o, results)
	fmt.Println("\nWhat this machine needs at least for the first step, on the same bytes:")
	return spawn(ctx, "limits", live, work)
}

// prepare makes the live store of this run: a copy of a cached one, which is generated when it is not there yet.
func prepare(ctx context.Context, o options, live string) error {
	cached := filepath.Join(o.cache, fmt.Sprintf("store-v%d-%d-%d-%d", store.Version, o.size, o.chromaSize, seed))
	if _, err := os.Stat(cached); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "generating a store of %s + %s in %s\n",
			humanize.IBytes(uint64(o.size)), humanize.IBytes(uint64(o.chromaSize)), cached)
		err := spawn(ctx, "generate", cached, strconv.FormatInt(o.size, 10), strconv.FormatInt(o.chromaSize, 10))
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return os.CopyFS(live, os.DirFS(cached))
}
