package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/retention"
)

const full = `set: atocore
state_dir: state
staging_dir: /var/tmp/holdfast   # elsewhere
components:
  - {name: db,       kind: sqlite, path: "${DATA}/db/atocore.db"}
  - {name: registry, kind: file,   path: config/project-registry.json, format: json, optional: true}
  - name: chroma
    kind: chroma
    path: ${DATA}/chroma$$1
    mode: cold
targets:
  - {name: nas, plugin: local, config: {path: ../backup/}}
  - name: usb
    plugin: local
    config:
      path: '/media/a ''b'''
    retention: {monthly: 24, yearly: unlimited, within_daily: 1m10d, tags: [release, [a, "b=c, d"]]}
freeze_timeout: 90s
retention: {last: 3, daily: 7}
guard: {max_row_drop: 30%, except: [jobs, "a b"]}
`

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestParse(t *testing.T) {
	got, err := config.Parse("/etc/holdfast/holdfast.yaml", []byte(full), env("DATA", "/srv/$x"))
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		File:          "/etc/holdfast/holdfast.yaml",
		Set:           "atocore",
		StateDir:      "/etc/holdfast/state",
		StagingDir:    "/var/tmp/holdfast",
		FreezeTimeout: 90 * time.Second,
		Retention:     retention.Policy{Last: 3, Daily: 7},
		Guard:         config.Guard{MaxRowDrop: 30, MaxVectorDrop: 90, Except: []string{"jobs", "a b"}},
		Components: []config.Component{
			{Name: "db", Kind: config.SQLite, Path: "/srv/$x/db/atocore.db", Line: 5},
			{Name: "registry", Kind: config.File, Path: "/etc/holdfast/config/project-registry.json", Format: config.FormatJSON, Optional: true, Line: 6},
			{Name: "chroma", Kind: config.Chroma, Path: "/srv/$x/chroma$1", Mode: config.ModeCold, Line: 7},
		},
		Targets: []config.Target{
			{Name: "nas", Plugin: "local", Config: map[string]any{"path": "/etc/backup"}, Line: 12, Retention: retention.Policy{Last: 3, Daily: 7}},
			{
				Name: "usb", Plugin: "local", Config: map[string]any{"path": "/media/a 'b'"}, Line: 13,
				Retention: retention.Policy{
					Monthly: 24, Yearly: retention.Unlimited, WithinDaily: retention.Duration{Months: 1, Days: 10},
					Tags: [][]string{{"release"}, {"a", "b=c, d"}},
				},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	if comp, ok := got.Component("chroma"); !ok || comp.Kind != config.Chroma {
		t.Errorf("Component(chroma) = %+v, %v", comp, ok)
	}
	if _, ok := got.Component("nas"); ok {
		t.Error("Component finds a target")
	}
	if target, ok := got.Target("usb"); !ok || target.Line != 13 {
		t.Errorf("Target(usb) = %+v, %v", target, ok)
	}
	if _, ok := got.Target("db"); ok {
		t.Error("Target finds a component")
	}
}

func TestDefaults(t *testing.T) {
	c, err := config.Parse("/a/b.yaml", []byte("set: s\ncomponents: [{name: c, kind: chroma, path: /c}]\ntargets: [{name: t, plugin: local, config: {path: /t}}]\n"), env())
	if err != nil {
		t.Fatal(err)
	}
	if c.StateDir != "/a/.holdfast" || c.StagingDir != "/a/.holdfast/staging" || c.Components[0].Mode != config.ModeCold {
		t.Errorf("defaults: %+v", c)
	}
	if !c.Retention.Classic || !c.Targets[0].Retention.Classic || c.Guard.MaxRowDrop != 90 || c.Guard.MaxVectorDrop != 90 {
		t.Errorf("default policy and guard: %+v", c)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "holdfast.yaml")
	if _, err := config.Load(path, env()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := config.Load(dir, env()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if err := os.WriteFile(path, []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	c, err := config.Load("holdfast.yaml", env("DATA", "/srv"))
	if err != nil {
		t.Fatal(err)
	}
	if c.File != path || c.StateDir != filepath.Join(dir, "state") {
		t.Errorf("File %s, StateDir %s", c.File, c.StateDir)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("# 345678\n", 1<<20/9+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var ce *config.Error
	if _, err := config.Load(path, env()); !errors.As(err, &ce) || !strings.Contains(ce.Message, "larger than 1 MiB") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestWithin(t *testing.T) {
	c, err := config.Parse("/etc/holdfast.yaml", []byte(full), env("DATA", "/srv"))
	if err != nil {
		t.Fatal(err)
	}
	link := func(p string) string { return strings.Replace(p, "/link", "/srv", 1) }
	tests := []struct {
		path    string
		resolve func(string) string
		want    string
	}{
		{"/srv/chroma$1/new", nil, "component chroma"},
		{"/srv/db/atocore.db-wal", nil, "component db"},
		{"/srv/db", nil, ""},
		{"/etc/state/x", nil, "state_dir"},
		{"/var/tmp/holdfast", nil, "staging_dir"},
		{"/backup/atocore", nil, "target nas"},
		{"/backups", nil, ""},
		{"/link/chroma$1/new", nil, ""},
		{"/link/chroma$1/new", link, "component chroma"},
	}
	for _, tt := range tests {
		if got := c.Within(tt.path, tt.resolve); got != tt.want {
			t.Errorf("Within(%s) = %q, want %q", tt.path, got, tt.want)
		}
	}
	if got := c.Apart(link); len(got) != 0 {
		t.Errorf("Apart: %v", got)
	}
	same := func(string) string { return "/same" }
	if got := c.Apart(same); len(got) == 0 || !strings.Contains(got[0].Error(), "is the same as") {
		t.Errorf("Apart does not use resolve: %v", got)
	}
}

// What Render writes loads as the same configuration, also from elsewhere.
func TestRender(t *testing.T) {
	want, err := config.Parse("/etc/holdfast.yaml", []byte(full), env("DATA", "/srv/$x: #'\""))
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Parse("/elsewhere/x.yaml", config.Render(want), env())
	if err != nil {
		t.Fatalf("%v\n%s", err, config.Render(want))
	}
	if diff := cmp.Diff(want, got, withoutPlaces); diff != "" {
		t.Errorf("Parse(Render(c)) (-want +got):\n%s", diff)
	}
}

// withoutPlaces ignores where a configuration stood.
var withoutPlaces = cmp.FilterPath(func(p cmp.Path) bool {
	name := p.Last().String()
	return name == ".File" || name == ".Line"
}, cmp.Ignore())
