package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// block is the unit of the physical steps: what holdfast compresses at a time.
const block = 1 << 20

// limits prints what reading, hashing, compressing and writing the files below dir costs by itself, each with one
// worker for each core. work is a folder on the disk that holdfast's target is on.
func limits(ctx context.Context, dir, work string) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "step\twall s\tMiB/s\tbytes out\t")
	for _, s := range []struct {
		name string
		do   func(context.Context, string) (in, out int64, err error)
	}{
		{"read", func(ctx context.Context, dir string) (int64, int64, error) {
			return eachBlock(ctx, dir, func([]byte) int { return 0 })
		}},
		{"read, SHA-256", func(ctx context.Context, dir string) (int64, int64, error) {
			return eachBlock(ctx, dir, func(b []byte) int { sha256.Sum256(b); return 0 })
		}},
		{"read, zstd fastest", func(ctx context.Context, dir string) (int64, int64, error) {
			return compress(ctx, dir, zstd.SpeedFastest)
		}},
		{"read, zstd default", func(ctx context.Context, dir string) (int64, int64, error) {
			return compress(ctx, dir, zstd.SpeedDefault)
		}},
		{"read, write, fsync", func(_ context.Context, dir string) (int64, int64, error) { return rewrite(dir, work) }},
	} {
		begin := time.Now()
		in, out, err := s.do(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		wall := time.Since(begin).Seconds()
		fmt.Fprintf(table, "%s\t%.2f\t%.0f\t%s\t\n", s.name, wall, float64(in)/wall/(1<<20), humanize.Comma(out))
	}
	return table.Flush()
}

// eachBlock reads every file below dir and calls work on its blocks, on all cores. It returns how many bytes it read
// and the sum of what work returned.
func eachBlock(ctx context.Context, dir string, work func([]byte) int) (in, out int64, err error) {
	workers := runtime.GOMAXPROCS(0)
	free := make(chan []byte, 2*workers) // also bounds the memory
	for range cap(free) {
		free <- make([]byte, block)
	}
	full := make(chan []byte, cap(free))
	outs := make([]int64, workers)
	g, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		g.Go(func() error {
			for b := range full {
				outs[i] += int64(work(b))
				free <- b[:block]
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(full)
		return eachFile(dir, func(path string) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			for {
				if err := ctx.Err(); err != nil {
					return err
				}
				b := <-free
				n, err := io.ReadFull(f, b)
				in += int64(n)
				full <- b[:n]
				if err == io.EOF || err == io.ErrUnexpectedEOF {
					return nil
				}
				if err != nil {
					return err
				}
			}
		})
	})
	err = g.Wait()
	for _, n := range outs {
		out += n
	}
	return in, out, err
}

func compress(ctx context.Context, dir string, level zstd.EncoderLevel) (in, out int64, err error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return 0, 0, err
	}
	defer e.Close()
	return eachBlock(ctx, dir, func(b []byte) int { return len(e.EncodeAll(b, nil)) })
}

// rewrite copies all files below dir into one new file in work, makes it durable, and removes it.
func rewrite(dir, work string) (in, out int64, err error) {
	f, err := os.CreateTemp(work, "limit-")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	w := bufio.NewWriterSize(f, block)
	err = eachFile(dir, func(path string) error {
		r, err := os.Open(path)
		if err != nil {
			return err
		}
		defer r.Close()
		n, err := io.Copy(w, r)
		in += n
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return in, in, err
}

func eachFile(dir string, do func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return do(path)
	})
}
