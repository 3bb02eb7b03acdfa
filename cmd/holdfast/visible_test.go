package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/target"
	localtarget "github.com/atocore/holdfast/targets/local"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"naïve 日本 a\\b 😀":              "naïve 日本 a\\b 😀",
		"\x1b]0;owned\x07":             `\x1b]0;owned\x07`,
		"a\tb\rc\x00\x7f":              `a\x09b\x0dc\x00\x7f`,
		"\u009b2J \u202egnp.exe\u2028": `\u009b2J \u202egnp.exe\u2028`,
		"\xff\xc3(":                    `\xff\xc3(`,
		"a\nb":                         `a\nb`,
		"\U000e0001":                   `\U000e0001`,
	} {
		if got := visible(in, `\n`); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

// Every kind of argument is made visible, but for our own colours.
func TestSay(t *testing.T) {
	a := &app{color: true}
	var b bytes.Buffer
	if _, err := say(&b, "%s %s %s %v %d %s\n", "\x1b[2J", manifest.ID("\x07"), a.paint(red, "r\x1b"), errors.New("one\ntwo\x1b"), 7, time.Second); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "\\x1b[2J \\x07 \x1b[31mr\\x1b\x1b[0m one\n    two\\x1b 7 1s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a hostile repository says reaches no terminal as a command.
func TestHostileTerminal(t *testing.T) {
	const evil = "evil\x1b[2J\x1b]0;owned\x07\u202e"
	dir := t.TempDir() + "/nas"
	raw, err := localtarget.Create(t.Context(), localtarget.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	store := target.Open("nas", raw, target.Options{})
	defer store.Close()
	r, _, err := repository.Init(t.Context(), store, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	id, err := manifest.NewID(now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("0", 64)
	m := &manifest.Manifest{
		Format: manifest.Format, Repository: r.ID, Set: "s", ID: id, CapturedAt: now, Host: "host", Tool: "tool",
		Sequence: 1, Nonce: zeros[:16], Grade: manifest.Good,
		Components: []manifest.Component{{
			Name: "db", Kind: manifest.SQLite, ChunkSize: 4096, SHA256: zeros,
			Index: []manifest.Object{{Key: manifest.IndexKey("s", id, "db", false), Size: 1, SHA256: zeros}},
			Facts: &manifest.Facts{SQLite: &manifest.SQLiteFacts{PageSize: 4096, Journal: "wal", Rows: map[string]int64{evil: 1}}},
		}},
	}
	b, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutBytes(t.Context(), manifest.ManifestKey("s", id), b, target.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	none := func(string) (string, bool) { return "", false }
	for _, args := range [][]string{{"show", "latest"}, {"list"}, {"validate"}, {"show", evil}, {evil}} {
		if len(args) > 1 || args[0] != evil {
			args = append(args, "--from", "file://"+dir, "--set", "s")
		}
		var out, errs bytes.Buffer
		run(t.Context(), args, strings.NewReader(""), &out, &errs, none)
		if all := out.String() + errs.String(); all == "" || strings.ContainsAny(all, "\x1b\x07\u202e") {
			t.Errorf("%q wrote %q", args, all)
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"show", "latest", "--from", "file://" + dir, "--set", "s"}, strings.NewReader(""), &out, &errs, none); code != exitOK || !strings.Contains(out.String(), `evil\x1b[2J\x1b]0;owned\x07\u202e 1`) {
		t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
	}
}
