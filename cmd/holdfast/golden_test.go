package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/diff"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/replicate"
	"github.com/atocore/holdfast/core/restore"
	"github.com/atocore/holdfast/core/validate"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// golden holds one line of each kind with every field set. The files are what
// scripts of users may rely on: a change of one is a change of the contract.
func golden() map[string]any {
	at := time.Date(2026, 4, 11, 9, 46, 46, 123000000, time.UTC)
	const (
		id   = manifest.ID("20260411T094646Z-7f3a9c01")
		old  = manifest.ID("20260410T094646Z-00000001")
		repo = "00112233445566778899aabbccddeeff"
		key  = "atocore/archives/20260411T094646Z-7f3a9c01/db-00000.zst"
	)
	failed := &targetError{exitTarget, "target_unreachable", "target usb: open: unavailable"}
	checks := []manifest.Check{
		{Name: "integrity_check", Result: manifest.OK},
		{Name: "json", Result: manifest.Failed, ID: "registry_invalid_json", Detail: "unexpected end of JSON input"},
	}
	stores := []exchangeStore{{"db", manifest.SQLite, "/srv/db/atocore.db", "/srv/db/.holdfast-old-20260411T094646Z-7f3a9c01"}}
	lost := &rescued{
		Component: "db", Damaged: []string{key}, Lost: restore.Chunks{Chunks: 3, Bytes: 12288}, Left: restore.Chunks{Chunks: 1, Bytes: 4096},
		Found: []rescuedFrom{{"usb", old, true, restore.Chunks{Chunks: 2, Bytes: 8192}}}, Whole: false, NotAsked: []string{"target far: unavailable"},
	}
	finding := []validateFinding{{"db", key, validate.IDDamaged, "SHA-256 differs"}}
	return withHolds(map[string]any{
		"status":     status{"status", "upload nas", 33554432, 67108864},
		"exit_error": exitError{"exit_error", exitRefused, "directory_not_empty", "/srv/x is not a new or empty directory", "--to wants a new or empty directory"},
		"summary.version": versionReport{
			head: summary("version", exitOK), Version: "v0.1.0", Go: "go1.26.0", OS: "linux", Arch: "amd64", SQLite: "3.51.3", FTS5: true, Format: 1,
		},
		"summary.init": initReport{
			head: summary("init", exitOK), Config: "/etc/holdfast/holdfast.yaml", Written: true, Set: "atocore",
			Components: []initComponent{{"registry", config.File, "/srv/config/project-registry.json", true}},
			Targets:    []initTarget{{"nas", repo, true, ""}},
		},
		"summary.create": createReport{
			head: summary("create", exitIncomplete), Set: "atocore", CapturedAt: at, Grade: manifest.Degraded,
			Reasons: []manifest.Reason{{Component: "chroma", ID: "chroma_moved", Message: "it changed during the copy"}},
			Components: []createComponent{
				{Name: "db", Kind: manifest.SQLite, Size: 1 << 30, HeldMS: 12, Checks: checks},
				{Name: "chroma", Kind: manifest.Chroma, Checks: []manifest.Check{}, Error: "it changed during the copy"},
			},
			Targets: []createTarget{
				{Target: "nas", ID: id, Parent: old, Sent: 1 << 20, Stored: map[string]int64{"db": 1 << 21}, Notes: []string{"the clock is behind"}},
				{Target: "usb", Stored: map[string]int64{}, Notes: []string{}, Error: failed},
			},
		},
		"summary.list": listReport{
			head: summary("list", exitDamage),
			Targets: []listTarget{
				{Target: "nas", Repository: repo, Sets: []listSet{{
					Set: "atocore", Foreign: []string{"atocore/manifests/notes.txt"},
					Snapshots: []listSnapshot{
						{ID: old, CapturedAt: at, Size: 0, Components: []string{}, Tags: []string{}, standing: standing{Standing: "usable", Pins: []pinReport{}}, Damaged: "trailing_data"},
						{ID: id, CapturedAt: at, Grade: manifest.Good, Size: 1 << 30, Added: 1 << 20, Components: []string{"db"}, Tags: []string{"nightly"}, standing: goldenStanding(at)},
					},
				}}},
				{Target: "usb", Sets: []listSet{}, Error: failed},
			},
		},
		"summary.show": showReport{
			head: summary("show", exitOK), Target: "nas", Added: 1 << 20, standing: goldenStanding(at),
			Needs: showNeeds{Objects: 2, Bytes: 1 << 20, Snapshots: []manifest.ID{id, old}, Missing: []string{key}, Staging: 1 << 30},
			Manifest: &manifest.Manifest{
				Format: 1, Repository: repo, Set: "atocore", ID: id, CapturedAt: at, Host: "h", Tool: "holdfast v0.1.0", Sequence: 2,
				Nonce: "0011223344556677", Grade: manifest.Good, Components: []manifest.Component{},
			},
		},
		"summary.diff": diffReport{
			head: summary("diff", exitDamage),
			A:    diffSide{"nas", old, at, manifest.Good, []manifest.Reason{}},
			B:    diffSide{"usb", id, at, manifest.Suspect, []manifest.Reason{{Component: "db", ID: "rows_dropped", Message: "items 4000 -> 12"}}},
			Components: []diffComponent{
				{
					Name: "chroma", Kind: manifest.Chroma, Change: diff.Changed, SizeA: 1 << 20, SizeB: 1 << 20, Tables: []diffCount{},
					Collections: []diffCount{{"memories", "00112233-4455-6677-8899-aabbccddeeff", diff.Added, 0, 12}}, Error: failed,
				},
				{Name: "db", Kind: manifest.SQLite, Change: diff.Changed, SizeA: 1 << 20, SizeB: 1 << 20, OnlyA: 4096, OnlyB: 8192, Tables: []diffCount{{"items", "", diff.Changed, 4000, 12}}, Collections: []diffCount{}},
				{
					Name: "registry", Kind: manifest.File, Change: diff.Changed, SizeA: 100, SizeB: 200, OnlyA: 100, OnlyB: 200, Tables: []diffCount{}, Collections: []diffCount{},
					Entries: &diffEntries{[]string{"projects/beta"}, []string{}, []string{"owner"}},
				},
			},
		},
		"summary.validate": validateReport{
			head: summary("validate", exitDamage), Level: validate.Data, Subset: "1/7",
			Targets: []validateTarget{
				{
					Target: "nas", Marked: []string{key},
					Snapshots: []validateSnapshot{{ID: id, Grade: manifest.Good, Findings: finding, Inconclusive: finding, Checks: map[string][]manifest.Check{"db": checks}, Lost: []*rescued{lost}}}, Unsought: 3,
				},
				{Target: "usb", Marked: []string{}, Snapshots: []validateSnapshot{}, Error: failed},
			},
		},
		"summary.restore": restoreReport{
			head: summary("restore", exitDamage), Target: "nas", Set: "atocore", ID: id, CapturedAt: at, Grade: manifest.Good,
			Components:  []restoreComponent{{"db", manifest.SQLite, "/srv/db/atocore.db", 1 << 30, checks, true, lost}},
			IntegrityOK: false, IntegrityError: "db: json: unexpected end of JSON input",
			InPlace: &inPlaceReport{
				SafetySnapshot: true, PreRestoreSnapshot: id, PreRestoreTarget: "nas", Raw: []string{"db"},
				Replaced: []inPlaceComponent{{"db", 1 << 30, "/srv/db/.holdfast-old-20260411T094646Z-7f3a9c01", "/srv/db", verifies(manifest.SQLite)}},
				Left:     []inPlaceLeft{{"chroma", "--no-chroma"}},
				Dropped:  []string{"/srv/db/.holdfast-old-20260410T094646Z-00000001"},
				Reads:    1 << 20, Blind: "/proc does not show the processes of others",
			},
		},
		"summary.undo": exchangeReport{
			head: summary("undo", exitOK), Set: "atocore", Result: "undone", ID: string(id), Stores: stores, Stray: []string{},
			Blind: "/proc does not show the processes of others", Told: "undone",
		},
		"summary.recover": exchangeReport{
			head: summary("recover", exitOK), Set: "atocore", Result: "taken_back", ID: string(id), Undo: true, Stores: stores,
			Stray: []string{"/srv/db/.holdfast-stray-20260411T094646Z-7f3a9c01"}, Blind: "2 processes", Told: "taken back",
		},
		"summary.import": importReport{
			head: summary("import", exitIncomplete), Set: "atocore", Dir: "/backup/snapshots", Unparseable: []string{"before-the-move"},
			Snapshots: []importSnapshot{
				{
					Stamp: "20260410T094646Z", Result: skipped, Components: []string{}, Reasons: []manifest.Reason{}, Targets: []importedInto{},
					Errors: []importError{{"metadata_missing", "20260410T094646Z/backup-metadata.json is missing"}},
				},
				{
					Stamp: "20260411T094646Z", Result: imported, CapturedAt: &at, Components: []string{"db"}, Grade: manifest.Suspect,
					Reasons: []manifest.Reason{{Component: "chroma", ID: "chroma_header_invalid", Message: "headers failed"}}, Errors: []importError{},
					Targets: []importedInto{
						{Target: "nas", Result: imported, ID: id, Notes: []string{"left over"}},
						{Target: "usb", Result: notImported, Notes: []string{}, Error: failed},
					},
				},
			},
			Targets: []importTarget{{Target: "nas", Imported: 1, Already: 2, Sent: 1 << 20}, {Target: "usb", Error: failed}},
		},
		"summary.copy": copyReport{
			head: summary("copy", exitDamage), From: "nas", To: "usb", Set: "atocore",
			Snapshots: []copySnapshot{
				{ID: old, Result: replicate.Copied, As: id, Grade: manifest.Good, Sent: 1 << 20, Shared: 1 << 30, Resumed: true, Note: "the intent is left"},
				{ID: id, Result: replicate.Damaged, Error: &targetError{exitDamage, "repository_damaged", key + " is damaged"}},
			},
			Sent: 1 << 20, Notes: []string{"what killed puts left behind could not be removed"}, Error: failed,
		},
		"summary.doctor": doctorReport{
			head: summary("doctor", exitTarget),
			Checks: []doctorCheck{
				{Subject: "SQLite", Result: doctorOK, Detail: "version 3.51.3 with FTS5"},
				{Subject: "target usb", Result: doctorFailed, ID: "target_unreachable", Detail: "unavailable", Hint: "is the disk mounted?"},
			},
		},
	})
}

func TestGolden(t *testing.T) {
	for name, v := range golden() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := newApp(nil, &out, io.Discard, noEnv).encode(v); err != nil {
				t.Fatal(err)
			}
			if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
				t.Errorf("not one line: %q", out.Bytes())
			}
			if err := checkSchema(name, out.Bytes()); err != nil {
				t.Error(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, out.Bytes(), "", "  "); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "golden", name+".json")
			if *update {
				if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

// A schema knows every field by name: with any one of them called otherwise, or
// missing where it must be there, the golden lines are refused.
func TestSchemasAreStrict(t *testing.T) {
	for name, v := range golden() {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		for field, value := range fields {
			delete(fields, field)
			fields[field+"_"] = value
			renamed, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			if checkSchema(name, renamed) == nil {
				t.Errorf("%s: the schema accepts %s_ instead of %s", name, field, field)
			}
			delete(fields, field+"_")
			fields[field] = value
		}
	}
}

// Every schema has its golden line, but for what they share.
func TestSchemasAreUsed(t *testing.T) {
	files, err := filepath.Glob("schema/*.json")
	if err != nil {
		t.Fatal(err)
	}
	lines := golden()
	for _, path := range files {
		name := filepath.Base(path[:len(path)-len(".json")])
		if _, ok := lines[name]; !ok && name != "defs" {
			t.Errorf("%s has no golden line", path)
		}
	}
}

// Every command says in help what it does, and every flag what it is for.
func TestHelp(t *testing.T) {
	root := newRoot(newApp(nil, io.Discard, io.Discard, noEnv))
	for _, c := range append(root.Commands(), root) {
		if c.Hidden {
			continue
		}
		if c.Short == "" || c.Name() != "version" && c.Long == "" {
			t.Errorf("%s: no help", c.Name())
		}
		if c.Args == nil {
			t.Errorf("%s: any arguments pass", c.Name())
		}
		check := func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s: no help", c.Name(), f.Name)
			}
		}
		c.Flags().VisitAll(check)
		c.PersistentFlags().VisitAll(check)
	}
	// The commands of this version, no more and no less: help is a contract too.
	var got []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			got = append(got, c.Name())
		}
	}
	want := []string{
		"cleanup", "completion", "copy", "create", "diff", "doctor", "dump", "forget", "import", "init", "list", "pin", "recover", "restore", "show", "undelete",
		"unpin", "validate", "version",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
