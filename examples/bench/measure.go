package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// result is one measured run of holdfast.
type result struct {
	name string
	wall time.Duration
	cpu  time.Duration // user and system
	peak int64         // largest resident set in bytes
	sent int64         // bytes that the target grew by
}

// measureAll takes a live store through its life and measures each command once.
func measureAll(ctx context.Context, holdfast, work, live string) ([]result, error) {
	target := filepath.Join(work, "target")
	config := filepath.Join(work, "holdfast.yaml")
	if _, err := measure(ctx, "init", target, holdfast,
		"init", "--config", config, "--set", "bench", "--data", live, "--target-path", target); err != nil {
		return nil, err
	}
	var results []result
	for _, step := range []struct {
		name  string
		touch bool // the store first
		args  []string
	}{
		{"create, first", false, []string{"create"}},
		{"create, 1% touched", true, []string{"create"}},
		{"create, unchanged", false, []string{"create"}},
		{"validate --level data", false, []string{"validate", "latest", "--level", "data"}},
		{"restore --to", false, []string{"restore", "latest", "--to", filepath.Join(work, "restored")}},
	} {
		if step.touch {
			if err := spawn(ctx, "touch", live); err != nil {
				return nil, err
			}
		}
		r, err := measure(ctx, step.name, target, holdfast, append([]string{"--config", config, "--quiet"}, step.args...)...)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// measure runs holdfast with args. A run that does not exit with 0 is an error with what it printed.
func measure(ctx context.Context, name, target, holdfast string, args ...string) (result, error) {
	before, err := treeSize(target)
	if err != nil {
		return result{}, err
	}
	fmt.Fprintln(os.Stderr, "running", name)
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, holdfast, args...)
	cmd.Stdout, cmd.Stderr = &output, &output
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("%s: holdfast %q: %w\n%s", name, args, err, output.Bytes())
	}
	wall := time.Since(begin)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return result{}, fmt.Errorf("%s: this system does not tell what a process used", name)
	}
	after, err := treeSize(target)
	return result{
		name: name, wall: wall,
		cpu:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		peak: usage.Maxrss << 10, // Linux counts in KiB
		sent: after - before,
	}, err
}

// treeSize sums the sizes of the files below dir, which need not exist.
func treeSize(dir string) (total int64, err error) {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return 0, nil
	}
	err = eachFile(dir, func(path string) error {
		info, err := os.Lstat(path)
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

func report(w io.Writer, o options, results []result) {
	fmt.Fprintf(w, "\nA database of %s, a Chroma directory of %s, a local target, everything in the page cache:\n",
		humanize.IBytes(uint64(o.size)), humanize.IBytes(uint64(o.chromaSize)))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "command\twall s\tCPU s\tpeak MiB\tbytes sent\t")
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.0f\t%s\t\n",
			r.name, r.wall.Seconds(), r.cpu.Seconds(), float64(r.peak)/(1<<20), humanize.Comma(r.sent))
	}
	table.Flush()
}
