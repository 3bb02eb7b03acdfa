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

// profile is a repository with its own configuration and state, and how snapshots for it are taken.
type profile struct {
	name   string // of the folder and of the configuration
	label  string
	create []string
}

// profiles are measured side by side: peers check nothing, so neither does the first.
var profiles = [...]profile{
	{"plain", "no checks", []string{"create", "--check", "none"}},
	{"checked", "default checks", []string{"create"}},
}

func (p profile) target(work string) string { return filepath.Join(work, p.name) }

// run measures holdfast with args on this profile's repository.
func (p profile) run(ctx context.Context, holdfast, work, name string, args ...string) (result, error) {
	config := filepath.Join(work, p.name+".yaml")
	return measure(ctx, name, p.target(work), holdfast, append([]string{"--config", config, "--quiet"}, args...)...)
}

// measureAll takes a live store through its life and measures each command once.
func measureAll(ctx context.Context, holdfast, work, live string) ([]result, error) {
	for _, p := range profiles {
		_, err := p.run(ctx, holdfast, work, "init", "init", "--set", "bench", "--data", live,
			"--target-path", p.target(work), "--state-dir", filepath.Join(work, "state-"+p.name))
		if err != nil {
			return nil, err
		}
	}
	var results []result
	for _, state := range []string{"first", "1% touched", "unchanged"} {
		if state == "1% touched" {
			if err := spawn(ctx, "touch", live); err != nil {
				return nil, err
			}
		}
		for _, p := range profiles {
			r, err := p.run(ctx, holdfast, work, fmt.Sprintf("create, %s, %s", state, p.label), p.create...)
			if err != nil {
				return nil, err
			}
			results = append(results, r)
		}
	}
	for _, step := range []struct {
		name string
		args []string
	}{
		{"validate --level data", []string{"validate", "latest", "--level", "data"}},
		{"validate --level content", []string{"validate", "latest", "--level", "content"}},
		{"restore --to, default checks", []string{"restore", "latest", "--to", filepath.Join(work, "restored")}},
	} {
		r, err := profiles[0].run(ctx, holdfast, work, step.name, step.args...)
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
