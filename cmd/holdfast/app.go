package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/restore/swap"
)

// app is what the commands share: the streams, the global flags, and the exit
// code of a run that did its work and has something to report.
type app struct {
	stdin  io.Reader
	stdout *sink
	stderr io.Writer
	lookup func(string) (string, bool)
	now    func() time.Time
	code   exitCode

	hooks swap.Hooks // of tests

	noDoctor bool // the hint to see doctor leads nowhere

	configPath string
	json       bool
	quiet      bool
	logLevel   string
	logFormat  string
	noColor    bool

	log   *slog.Logger
	color bool // stderr and stdout are terminals that may show colour
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) *app {
	return &app{
		stdin: stdin, stdout: &sink{w: stdout}, stderr: stderr, lookup: lookup, now: time.Now,
		log: slog.New(slog.DiscardHandler),
	}
}

// flags defines the global flags.
func (a *app) flags(f *pflag.FlagSet) {
	f.StringVarP(&a.configPath, "config", "c", "", "configuration `file` (default: ./holdfast.yaml, then $HOLDFAST_CONFIG)")
	f.BoolVar(&a.json, "json", false, "write JSON lines to stdout: status lines, then one summary or exit_error\n(not dump, whose stdout is the data, and completion)")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress, and no report of what went well")
	f.StringVar(&a.logLevel, "log-level", "warn", "least `level` that is logged to stderr: debug, info, warn or error")
	f.StringVar(&a.logFormat, "log-format", "text", "`form` of the log: text or json")
	f.BoolVar(&a.noColor, "no-color", false, "no colour, as with $NO_COLOR")
}

// start checks the global flags, before any command runs.
func (a *app) start() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usage(fmt.Errorf("--log-level %q: want debug, info, warn or error", a.logLevel))
	}
	options := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		a.log = slog.New(slog.NewTextHandler(a.stderr, options))
	case "json":
		a.log = slog.New(slog.NewJSONHandler(a.stderr, options))
	default:
		return usage(fmt.Errorf("--log-format %q: want text or json", a.logFormat))
	}
	noColor, _ := a.lookup("NO_COLOR") // https://no-color.org: set and not empty
	dumb, _ := a.lookup("TERM")
	a.color = !a.noColor && !a.json && noColor == "" && dumb != "dumb" && isTerminal(a.stderr) && isTerminal(a.stdout.w)
	return nil
}

// file returns the path of the configuration, whether or not there is one.
func (a *app) file() (string, error) {
	if a.configPath != "" {
		return a.configPath, nil
	}
	const local = "holdfast.yaml"
	_, err := os.Lstat(local)
	switch path, _ := a.lookup("HOLDFAST_CONFIG"); {
	case err == nil || path == "":
		return local, nil
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	default:
		return "", configFailure(err)
	}
}

// config loads the configuration.
func (a *app) config() (*config.Config, error) {
	path, err := a.file()
	if err != nil {
		return nil, err
	}
	c, err := config.Load(path, a.lookup)
	if err != nil {
		return nil, configFailure(err)
	}
	a.log.Debug("configuration loaded", "file", c.File, "set", c.Set, "components", len(c.Components), "targets", len(c.Targets))
	return c, nil
}

// sink is stdout. It remembers that a write failed: a command whose result did
// not arrive must not end with 0.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
