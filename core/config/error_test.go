package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/config"
)

const (
	good     = "set: s\ncomponents:\n- {name: db, kind: sqlite, path: /d/db}\ntargets:\n- {name: t, plugin: local, config: {path: /t}}\n"
	noComp   = "set: s\ntargets:\n- {name: t, plugin: local, config: {path: /t}}\n"
	noTarget = "set: s\ncomponents:\n- {name: db, kind: sqlite, path: /d/db}\n"
)

// Each file is wrong in one way; want is how its error begins, without the name
// of the file, and where it says so, how it goes on.
func TestErrors(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"nothing", "", "1:1: the file holds no configuration (`holdfast init`"},
		{"only comments", "# set: s\n", "1:1: the file holds no configuration"},
		{"a list", "- a\n", "1:1: the file: expected keys and values, found a list"},
		{"text", "hello\n", "1:1: the file: expected keys and values, found text"},
		{"two documents", good + "---\n" + good, "7:1: a second YAML document (one file is one set)"},
		{"syntax", "set: [s\n", "1:6: not valid YAML: "},
		{"indentation", "set: s\n  components: x\n", "1:6: not valid YAML: "},
		{"tab", "set: s\ncomponents:\n\t- x\n", "3:1: a tab in the indentation (indent with spaces)"},
		{"utf-8", "set: s\n# \xff\n", "2:3: not valid UTF-8: byte 0xff"},
		{"control character", "set: \x00\n", "1:6: a control character (U+0000)"},
		{"byte order mark", "\ufeff" + good, "1:1: a control character (U+FEFF)"},
		{"lone carriage return", "set: s\rcomponents: []\n", "1:7: a control character (U+000D)"},
		{"long line", "# " + strings.Repeat("x", 5000) + "\n", "1:4097: the line is longer than 4096 bytes"},
		{"nesting", strings.Repeat("[\n", 100), "17:1: nested more than 16 deep"},
		{"length", strings.Repeat("a:\n", 10_000), "5001:1: more than 10000 words and signs"},
		{"anchor", "set: &a s\n", "1:6: anchors, aliases and merge keys are not allowed"},
		{"alias", "set: *a\n", "1:6: anchors, aliases and merge keys are not allowed"},
		{"merge key", good + "<<: {set: s}\n", "6:1: anchors, aliases and merge keys are not allowed"},
		{"tag", "set: !!str s\n", "1:6: tags are not allowed"},
		{"directive", "%YAML 1.2\n---\n" + good, "1:1: directives are not allowed"},
		{"complex key", "? set\n: s\n", "1:1: complex keys are not allowed"},
		{"block text", "set: |\n  s\n", "1:6: block text is not allowed"},

		{"unknown key", good + "encryption: {}\n", "6:1: unknown key \"encryption\" (known here: set, state_dir, "},
		{"misspelled key", noComp + "componentes: []\n", "4:1: unknown key \"componentes\" (did you mean components?)"},
		{"swapped letters", "sest: s\n" + good, "1:1: unknown key \"sest\" (did you mean set?)"},
		{"case", "Set: s\n" + good, "1:1: unknown key \"Set\" (did you mean set?)"},
		{"number as key", "1: s\n" + good, "1:1: the file: a key must be a word, found a number"},
		{"duplicate key", good + "set: t\n", "6:1: the file: key \"set\" stands here a second time; the first is on line 1"},
		{"no set", strings.TrimPrefix(good, "set: s\n"), "1:1: the file: the key \"set\" is missing"},
		{"no components", noComp, "1:1: the file: the key \"components\" is missing"},
		{"no targets", noTarget, "1:1: the file: the key \"targets\" is missing"},
		{"empty components", noComp + "components: []\n", "4:1: components: the list is empty"},
		{"empty targets", noTarget + "targets: []\n", "4:1: targets: the list is empty"},
		{"components without a value", noComp + "components:\n", "4:13: components: expected a list, found nothing"},
		{"components as a map", noComp + "components: {db: x}\n", "4:14: components: expected a list, found keys and values"},

		{"set as a number", strings.Replace(good, "set: s", "set: 12", 1), "1:6: set: expected text, found a number (put it in quotes"},
		{"set as a boolean", strings.Replace(good, "set: s", "set: true", 1), "1:6: set: expected text, found a boolean"},
		{"empty set", strings.Replace(good, "set: s", "set: ''", 1), "1:6: set: is empty"},
		{"set in capitals", strings.Replace(good, "set: s", "set: AtoCore", 1), "1:6: set: \"AtoCore\" is not allowed (a set is named with a-z"},
		{"long set", strings.Replace(good, "set: s", "set: "+strings.Repeat("s", 41), 1), "1:6: set: \"sssss"},
		{"set as a path", strings.Replace(good, "set: s", "set: ../s", 1), "1:6: set: \"../s\" is not allowed"},
		{"set with a line break", strings.Replace(good, "set: s", `set: "s\nt"`, 1), "1:6: set: line breaks and control characters"},

		{"component as text", noComp + "components: [db]\n", "4:14: component: expected keys and values, found text"},
		{"component without a name", noComp + "components:\n- kind: sqlite\n  path: /d\n", "5:3: component: the key \"name\" is missing"},
		{"component without a kind", noComp + "components:\n- {name: db, path: /d}\n", "5:4: component: the key \"kind\" is missing"},
		{"component without a path", noComp + "components:\n- {name: db, kind: sqlite}\n", "5:4: component: the key \"path\" is missing"},
		{"component name", strings.Replace(good, "name: db", "name: d-b", 1), "3:10: name: \"d-b\" is not allowed (a component is named"},
		{"two of a name", noComp + "components:\n- {name: a, kind: file, path: /a}\n- {name: a, kind: file, path: /b}\n", "6:10: component a: the one on line 5 has this name"},
		{"kind", strings.Replace(good, "sqlite", "sqlit", 1), "3:20: kind: \"sqlit\" is not known in this version (did you mean sqlite?)"},
		{"format of a database", strings.Replace(good, "path: /d/db", "path: /d/db, format: json", 1), "3:41: component db: format is a key of kind file only"},
		{"unknown format", noComp + "components: [{name: a, kind: file, path: /a, format: yaml}]\n", "4:54: format: \"yaml\" is not known in this version (known: json)"},
		{"mode of a database", strings.Replace(good, "path: /d/db", "path: /d/db, mode: cold", 1), "3:41: component db: mode is a key of kind chroma only"},
		{"mode hot", noComp + "components: [{name: a, kind: chroma, path: /a, mode: hot}]\n", "4:54: mode hot is not available in this version (use mode cold"},
		{"optional as text", noComp + "components: [{name: a, kind: file, path: /a, optional: 'yes'}]\n", "4:56: optional: expected true or false, found text"},
		{"path home", strings.Replace(good, "/d/db", "~/db", 1), "3:34: path: ~ is not replaced here (write ${HOME})"},
		{"unknown key of a component", strings.Replace(good, "path: /d/db", "path: /d/db, pth: x", 1), "3:41: component: unknown key \"pth\" (did you mean path?)"},

		{"retention as a word", good + "retention: clasic\n", "6:12: retention: \"clasic\" is not known in this version (did you mean classic?)"},
		{"retention as a number", good + "retention: 7\n", "6:12: retention: expected keys and values, found a number (write classic, or rules such as {daily: 7"},
		{"retention without a value", good + "retention:\n", "6:12: retention: expected keys and values, found nothing"},
		{"empty retention", good + "retention: {}\n", "6:1: retention: the policy keeps nothing"},
		{"retention of nothing", good + "retention: {daily: 0}\n", "6:1: retention: the policy keeps nothing"},
		{"negative retention", good + "retention: {daily: -7}\n", "6:20: daily: -7 is negative (give the number"},
		{"retention with a fraction", good + "retention: {daily: 7.5}\n", "6:20: daily: expected a number, or the word unlimited"},
		{"retention in hexadecimal", good + "retention: {daily: 0x7}\n", "6:20: daily: 0x7 is not a plain number"},
		{"huge retention", good + "retention: {daily: 99999999999999999999}\n", "6:20: daily: "},
		{"retention in words", good + "retention: {daily: all}\n", "6:20: daily: expected a number, or the word unlimited, found text"},
		{"unknown rule", good + "retention: {dayly: 7}\n", "6:13: retention: unknown key \"dayly\" (did you mean daily?)"},
		{"classic and rules", good + "retention: {classic: true, daily: 7}\n", "6:13: retention: unknown key \"classic\""},
		{"rule twice", good + "retention: {daily: 7, daily: 8}\n", "6:23: retention: key \"daily\" stands here a second time"},
		{"duration", good + "retention: {within: 4 weeks}\n", "6:21: within: \"4 weeks\" is not a duration: write years"},
		{"duration without unit", good + "retention: {within: 30}\n", "6:21: within: 30 has no unit (write 30d for days)"},
		{"no duration", good + "retention: {within: 0d}\n", "6:21: within: the duration \"0d\" is no time"},
		{"tags as a word", good + "retention: {tags: a}\n", "6:19: tags: expected a list, found text"},
		{"no tags", good + "retention: {tags: []}\n", "6:13: tags: the list is empty"},
		{"tags of nothing", good + "retention: {tags: [[]]}\n", "6:20: tags: the list is empty"},
		{"a bad tag", good + "retention: {tags: [A]}\n", "6:20: tags: \"A\" is not allowed (a tag is a word"},
		{"retention of a target", strings.Replace(good, "{path: /t}", "{path: /t}, retention: {daily: -1}", 1), "5:67: daily: -1 is negative"},
		{"guard as a word", good + "guard: off\n", "6:8: guard: expected keys and values, found text"},
		{"guard key", good + "guard: {max_rows: 3%}\n", "6:9: guard: unknown key \"max_rows\""},
		{"guard without a sign", good + "guard: {max_row_drop: 30}\n", "6:23: max_row_drop: 30 has no percent sign (write 30%"},
		{"guard of nothing", good + "guard: {max_row_drop: 0%}\n", "6:23: max_row_drop: \"0%\" is not allowed: want a whole number from 1% to 100%"},
		{"guard beyond", good + "guard: {max_vector_drop: 101%}\n", "6:26: max_vector_drop: \"101%\" is not allowed"},
		{"guard except", good + "guard: {except: jobs}\n", "6:17: except: expected a list, found text"},

		{"variable", strings.Replace(good, "/d/db", `'${NOPE}/db'`, 1), "3:34: path: the environment variable NOPE is not set"},
		{"empty variable", strings.Replace(good, "/d/db", `'${EMPTY}/db'`, 1), "3:34: path: the environment variable EMPTY is empty"},
		{"variable with a line break", strings.Replace(good, "/d/db", `'${BREAK}/db'`, 1), "3:34: path: the environment variable BREAK holds control characters"},
		{"variable without quotes in braces", strings.Replace(good, "/d/db", "${NOPE}/db", 1), "3:35: not valid YAML: ',' or '}' must be specified (between { and } put a value with ${NAME} in quotes)"},
		{"dollar", strings.Replace(good, "/d/db", "/d/$db", 1), "3:34: path: a lone dollar sign (write ${NAME}"},
		{"default value", strings.Replace(good, "/d/db", "'${A:-b}'", 1), "3:34: path: ${ without a variable's name and }"},
		{"open variable", strings.Replace(good, "/d/db", "'${A'", 1), "3:34: path: ${ without a variable's name and }"},

		{"plugin", strings.Replace(good, "plugin: local", "plugin: s3", 1), "5:21: plugin: \"s3\" is not known in this version (known: local)"},
		{"target without a config", strings.Replace(good, ", config: {path: /t}", "", 1), "5:4: target: the key \"config\" is missing"},
		{"local without a path", strings.Replace(good, "{path: /t}", "{}", 1), "5:28: plugin local: the key \"path\" is missing"},
		{"unknown key of local", strings.Replace(good, "{path: /t}", "{path: /t, mode: 7}", 1), "5:47: plugin local: unknown key \"mode\""},
		{"config as text", strings.Replace(good, "{path: /t}", "/t", 1), "5:36: config: expected keys and values, found text"},
		{"two targets of a name", good + "- {name: t, plugin: local, config: {path: /u}}\n", "6:10: target t: the one on line 5 has this name"},

		{"target in a component", strings.Replace(good, "path: /t", "path: /d/db/x", 1), "5:1: target t (/d/db/x) lies inside component db (/d/db) (keep them apart)"},
		{"component in a target", strings.Replace(good, "path: /t", "path: /d", 1), "5:1: component db (/d/db) lies inside target t (/d)"},
		{"target is a component", strings.Replace(good, "path: /t", "path: /x/../d//db/", 1), "5:1: component db (/d/db) is the same as target t"},
		{"two targets in one folder", good + "- {name: u, plugin: local, config: {path: /t}}\n", "6:1: target t (/t) is the same as target u (/t)"},
		{"freeze_timeout too short", good + "freeze_timeout: 10ms\n", `6:17: freeze_timeout: "10ms" is not allowed: want a number and its unit, from 1s to 1h0m0s`},
		{"freeze_timeout too long", good + "freeze_timeout: 2h\n", `6:17: freeze_timeout: "2h" is not allowed`},
		{"freeze_timeout a plain number", good + "freeze_timeout: 10\n", `6:17: freeze_timeout: 10 has no unit (write 10s for seconds)`},
		{"freeze_timeout without a unit", good + "freeze_timeout: '60'\n", `6:17: freeze_timeout: "60" is not allowed`},
		{"staging in a target", good + "staging_dir: /t/s\n", "5:1: staging_dir (/t/s) lies inside target t (/t)"},
		{"state in staging", good + "staging_dir: /s\nstate_dir: /s/t\n", "1:1: state_dir (/s/t) lies inside staging_dir (/s)"},
		{"state is staging", good + "staging_dir: /s\nstate_dir: /s\n", "1:1: state_dir (/s) is the same as staging_dir (/s)"},
		{"a file that is a wal", strings.Replace(good, "targets:", "- {name: w, kind: file, path: /d/db-wal}\ntargets:", 1), "4:1: component db (/d/db-wal) is the same as component w"},
	}
	lookup := env("EMPTY", "", "BREAK", "a\nb")
	if _, err := config.Parse("/f.yaml", []byte(good), lookup); err != nil {
		t.Fatalf("the good file: %v", err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse("/f.yaml", []byte(tt.file), lookup)
			if err == nil {
				t.Fatalf("no error: %+v", c)
			}
			if c != nil {
				t.Error("an error and a configuration")
			}
			var all config.Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("not config.Errors: %T", err)
			}
			if got := all[0].Error(); !strings.HasPrefix(got, "/f.yaml:"+tt.want) {
				t.Errorf("\n got %s\nwant /f.yaml:%s", err, tt.want)
			}
		})
	}
}

func TestManyErrors(t *testing.T) {
	_, err := config.Parse("/f.yaml", []byte("targets: []\nset: S\nfoo: 1\n"), env())
	want := "/f.yaml:1:1: the file: the key \"components\" is missing\n" +
		"/f.yaml:1:1: targets: the list is empty; at least one is needed\n" +
		"/f.yaml:2:6: set: \"S\" is not allowed (a set is named with a-z, 0-9 and -, and has at most 40 characters)\n" +
		"/f.yaml:3:1: unknown key \"foo\" (known here: set, state_dir, staging_dir, freeze_timeout, components, targets, retention, guard)"
	if err == nil || !sameLines(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}

	_, err = config.Parse("/f.yaml", []byte(strings.Repeat("x: 1\n", 100)), env())
	var all config.Errors
	if errors.As(err, &all); len(all) != 20 {
		t.Errorf("a hopeless file has %d errors, want 20", len(all))
	}
}

// sameLines ignores the order of errors at one place.
func sameLines(a, b string) bool {
	count := map[string]int{}
	for _, l := range strings.Split(a, "\n") {
		count[l]++
	}
	for _, l := range strings.Split(b, "\n") {
		count[l]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestExcerpt(t *testing.T) {
	tests := []struct {
		name string
		err  config.Error
		want string
	}{
		{"plain", config.Error{Line: 12, Column: 6, Text: "set: X"}, "  12 | set: X\n     |      ^\n"},
		{"tab and wide", config.Error{Line: 1, Column: 4, Text: "ä\tö"}, "   1 | ä ö\n     |    ^\n"},
		{"beyond the end", config.Error{Line: 1, Column: 90, Text: "ab"}, "   1 | ab\n     |   ^\n"},
		{"no line", config.Error{Line: 1, Column: 1}, ""},
		{
			"long",
			config.Error{Line: 1, Column: 71, Text: strings.Repeat("a", 70) + "b" + strings.Repeat("c", 100)},
			"   1 | ..." + strings.Repeat("a", 60) + "b" + strings.Repeat("c", 36) + "...\n     | " + strings.Repeat(" ", 63) + "^\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Excerpt(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
