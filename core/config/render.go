package config

import (
	"fmt"
	"strings"
)

// Render returns a commented configuration file that loads as c, wherever it is
// put: every path in it is absolute. c must be complete and valid, as from
// [Parse]; File and the Line fields are not used.
func Render(c *Config) []byte {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p(`# holdfast.yaml: what is backed up, and where to.
#
# A relative path is relative to the folder of this file. ${NAME} stands for an
# environment variable, $$ for a dollar sign. A key that holdfast does not know is
# an error: "holdfast doctor" checks this file, and all that it names.

# The name of this store's snapshots in every target.
set: %s

# Locks, the journal of a restore, what cleanups remember, cached manifests; not to share. No snapshot
# depends on it; a restore that was killed, or is to be undone, does.
state_dir: %s

# Frozen copies while they are being stored: needs as much room as all components.
staging_dir: %s

`, quote(c.Set), quote(c.StateDir), quote(c.StagingDir))
	if c.FreezeTimeout != 0 {
		p("# How long to try to freeze all components at once.\nfreeze_timeout: %v\n\n", c.FreezeTimeout)
	}
	p(`# What is captured together. kind is one of
#   sqlite   one SQLite database; may be in use
#   file     one file; format: json says that it must be JSON
#   chroma   one Chroma directory; mode: cold wants that nothing writes to it meanwhile
# optional: true says that it may be absent.
components:
`)
	for _, comp := range c.Components {
		p("  - name: %s\n    kind: %s\n    path: %s\n", quote(comp.Name), comp.Kind, quote(comp.Path))
		if comp.Format != "" {
			p("    format: %s\n", comp.Format)
		}
		if comp.Mode != "" {
			p("    mode: %s\n", comp.Mode)
		}
		if comp.Optional {
			p("    optional: true\n")
		}
	}
	p(`
# Where every snapshot goes. Each target is complete without the others.
targets:
`)
	for _, t := range c.Targets {
		path, _ := t.Config["path"].(string)
		p("  - name: %s\n    plugin: %s\n    config: {path: %s}\n", quote(t.Name), t.Plugin, quote(path))
		if own := flow(t.Retention); own != flow(c.Retention) {
			p("    retention: %s\n", own)
		}
	}
	p(`
# What "holdfast cleanup" keeps: classic, which is the newest of each of the last 7
# days, 4 Sundays and 6 firsts of a month; or rules of which one must hold, such as
#   {last: 3, daily: 7, weekly: 4, monthly: 6, within: 1m, tags: [release]}
# A target may have its own.
retention: %s

# A snapshot in which a table or a collection has lost more than this since the newest
# good one is suspect. 100%% allows everything; except: [NAME] leaves some out.
guard: %s
`, flow(c.Retention), c.Guard.orDefault().flow())
	return []byte(b.String())
}

// quote returns a YAML scalar that loads as the text s. It is plain where that
// is beyond doubt, since people will edit the file.
func quote(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("/._-", r)
	})
	if plain && (s[0] == '/' || s[0] >= 'a' && s[0] <= 'z') && !isKeyword(s) {
		return s
	}
	s = strings.ReplaceAll(s, "$", "$$")
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// isKeyword says whether YAML 1.1 or 1.2 reads the plain scalar s as something
// other than text.
func isKeyword(s string) bool {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}
