package main

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// versionReport is the summary of `holdfast version`.
type versionReport struct {
	head
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	SQLite  string `json:"sqlite"`
	FTS5    bool   `json:"fts5"`
	Format  int    `json:"format"` // of repositories
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of holdfast, Go and SQLite",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			return a.finish(versionReport{
				head: summary("version", exitOK), Version: toolVersion(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
				SQLite: sqlite.Version(), FTS5: sqlite.HasFTS5(), Format: manifest.Format,
			})
		},
	}
}

func (r versionReport) text(_ *app, w io.Writer) error {
	fts5 := "with FTS5"
	if !r.FTS5 {
		fts5 = "without FTS5: full-text indexes are not checked; build with -tags sqlite_fts5"
	}
	_, err := say(w, "holdfast %s (%s, %s/%s)\nSQLite %s, %s\nrepository format %d\n",
		r.Version, r.Go, r.OS, r.Arch, r.SQLite, fts5, r.Format)
	return err
}

// toolVersion is the version that was linked in, else the module's, else "dev".
func toolVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
