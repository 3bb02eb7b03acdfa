// Package config reads holdfast.yaml: what is backed up, and where to.
//
// Start with [Load], or with [Parse] when the bytes are at hand. Both return
// plain structs in which every path is absolute, every default is filled in and
// every ${VARIABLE} is replaced. The package opens nothing but the one file:
// whether a database is there, or a target can be reached, is for others to
// find out. [Render] is the way back: it writes a commented file from a Config.
//
// The reader is strict, because a backup that silently ignores a line of its
// configuration is noticed on the day of the restore. An unknown, repeated or
// misplaced key, a value of the wrong type, an undefined variable and YAML that
// invites surprises (anchors, aliases, tags, merge keys, several documents) are
// errors. Each [Error] says file, line and column, and [Errors] holds all that
// were found.
//
//	set: atocore                           # required: a-z 0-9 -, at most 40 characters
//	state_dir: /var/lib/holdfast           # default: .holdfast beside the file
//	staging_dir: /var/lib/holdfast/staging # default: staging in state_dir
//	freeze_timeout: 60s                    # default; how long to try to freeze all components at once
//	components:
//	  - {name: db,       kind: sqlite, path: /srv/atocore/db/atocore.db}
//	  - {name: registry, kind: file,   path: config/project-registry.json, format: json, optional: true}
//	  - {name: chroma,   kind: chroma, path: /srv/atocore/chroma, mode: cold}
//	targets:
//	  - {name: nas, plugin: local, config: {path: /backup/atocore}}
//	  - {name: usb, plugin: local, config: {path: /media/usb}, retention: {monthly: 24}} # instead of the file's
//	retention: classic                     # default; else rules, see below
//	guard: {max_row_drop: 90%, max_vector_drop: 90%} # default; see Guard
//
// retention says what `holdfast cleanup` keeps. The word classic is the policy of
// the original tool: the newest snapshot of each of the last 7 days, 4 Sundays
// and 6 firsts of a month. A mapping is rules as package retention describes
// them, joined by "or", where weekly is the newest of an ISO week and monthly the
// newest of a month; what it does not say is not kept:
//
//	retention:
//	  last: 3                  # so too hourly, daily, weekly, monthly, yearly: a number, or unlimited
//	  within: 1y2m3d4h         # so too within_hourly to within_yearly: the newest of each hour and so on
//	  tags: [release, [a, b]]  # those with the tag release, and those with both a and b
//
// A relative path is relative to the folder of the file. In every string
// ${NAME} stands for an environment variable, which must be set and not empty,
// and $$ for a dollar sign.
package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/atocore/holdfast/core/retention"
)

// Config is one configuration file, checked and complete.
type Config struct {
	File       string      // absolute path of the file itself
	Set        string      // name of the set in every target's repository
	StateDir   string      // absolute: the journal of a restore, locks, what cleanups remember, cached manifests
	StagingDir string      // absolute: frozen copies while they are being stored
	Components []Component // at least one, in the order of the file
	Targets    []Target    // at least one, in the order of the file

	// FreezeTimeout is how long a create tries to freeze all components at once,
	// 1 s to 1 h; 0 when the file does not say.
	FreezeTimeout time.Duration

	Retention retention.Policy // valid; what each target keeps unless it says otherwise
	Guard     Guard
}

// Kind says what reads a component.
type Kind string

// The kinds of component that this version knows.
const (
	SQLite Kind = "sqlite" // one SQLite database
	File   Kind = "file"   // one ordinary file
	Chroma Kind = "chroma" // one Chroma persistence directory
)

// Values of Component.Format and Component.Mode.
const (
	FormatJSON = "json" // the file must be one JSON document
	ModeCold   = "cold" // nothing writes to the directory while it is copied
)

// Component is one live store to back up.
type Component struct {
	Name     string // unique, [a-z][a-z0-9_]{0,31}
	Kind     Kind
	Path     string // absolute
	Format   string // kind file: "" or FormatJSON; else ""
	Mode     string // kind chroma: ModeCold; else ""
	Optional bool   // absent now and before is a note, not a degraded snapshot
	Line     int    // where it stands in the file, for messages; 0 when not from a file
}

// Target is one place that stores snapshots.
type Target struct {
	Name   string         // unique, [a-z][a-z0-9_]{0,31}
	Plugin string         // "local" is the only one in this version
	Config map[string]any // what the plugin is opened with; local: {"path": absolute path}
	Line   int            // where it stands in the file, for messages; 0 when not from a file

	Retention retention.Policy // valid; its own, or the file's
}

// maxFile is the largest configuration that is read: a real one has 2 KiB, and
// whatever is larger was named by mistake.
const maxFile = 1 << 20

// Component returns the component of that name.
func (c *Config) Component(name string) (Component, bool) {
	for _, comp := range c.Components {
		if comp.Name == name {
			return comp, true
		}
	}
	return Component{}, false
}

// Target returns the target of that name.
func (c *Config) Target(name string) (Target, bool) {
	for _, t := range c.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return Target{}, false
}

// Load reads and parses one configuration file. lookup is the environment, as
// [os.LookupEnv]. A file that cannot be read fails with the error of package os
// (so a missing one is an [io/fs.ErrNotExist]), and one that is not a good
// configuration with [Errors].
func Load(path string, lookup func(name string) (string, bool)) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	data, err := read(abs)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return Parse(abs, data, lookup)
}

// read returns at most one byte more than maxFile, so that Parse can tell a
// file that is too long without holding all of it.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a FIFO would block for ever, a folder says nothing useful
		return nil, &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("not a regular file (%s)", info.Mode().Type())}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Parse decodes and checks data. file is the absolute path that messages name
// and that relative paths start from; it is not opened. lookup is the
// environment, as [os.LookupEnv]. An error is always of type [Errors].
func Parse(file string, data []byte, lookup func(name string) (string, bool)) (*Config, error) {
	d := &decoder{file: file, data: data, lookup: lookup}
	root := d.parse()
	if len(d.errs) > 0 {
		return nil, d.sorted()
	}
	c := d.config(root)
	if len(d.errs) == 0 {
		d.apart(c)
	}
	if len(d.errs) > 0 {
		return nil, d.sorted()
	}
	return c, nil
}
