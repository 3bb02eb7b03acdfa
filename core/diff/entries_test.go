package diff

import (
	"fmt"
	"testing"
)

func TestCompareDocuments(t *testing.T) {
	for _, tt := range []struct{ a, b, want string }{
		{`{}`, `{}`, "added [] removed [] changed [] order true"},
		{`{"a":1,"b":2}`, `{"b":2, "a":1}`, "added [] removed [] changed [] order true"},
		{`{"a":1,"b":{"c":1}}`, `{"b":{"c":2,"d":0},"e":1}`, "added [b/d e] removed [a] changed [b/c] order false"},
		{`{"a":{"b":{"c":1}}}`, `{"a":{"b":{"c":2}}}`, "added [] removed [] changed [a/b] order false"}, // and no deeper
		{`{"a":{"b":1}}`, `{"a":[1]}`, "added [] removed [] changed [a] order false"},
		{`{"a":1}`, `{"a":1.0}`, "added [] removed [] changed [a] order false"},
		{`{"a":12345678901234567890}`, `{"a":12345678901234567891}`, "added [] removed [] changed [a] order false"},
		{`[{"id":"x","v":1},{"id":"y"}]`, `[{"id":"y"},{"id":"x","v":2}]`, "added [] removed [] changed [x/v] order false"},
		{`[{"name":"x"},{"name":"y"}]`, `[{"name":"y"}]`, "added [] removed [x] changed [] order false"},
		{`[{"slug":"x","id":1}]`, `[]`, "added [] removed [x] changed [] order false"},
		{`[{"id":"x"},{"id":"y"}]`, `[{"id":"y"},{"id":"x"}]`, "added [] removed [] changed [] order true"},
		{`{"p":[{"id":"x"},{"id":"x"}]}`, `{"p":[{"id":"x"}]}`, "added [] removed [] changed [p] order false"}, // no names
		{`[1,2]`, `[2,1]`, "nil"},
		{`[{"id":"x"}]`, `{"x":1}`, "nil"},
		{`"a"`, `"b"`, "nil"},
		{`{"a":1}`, `{`, "nil"},
		{`{"a":1}`, `{"a":1} {}`, "nil"},
	} {
		got := "nil"
		if e := compareDocuments([]byte(tt.a), []byte(tt.b)); e != nil {
			got = fmt.Sprintf("added %v removed %v changed %v order %t", e.Added, e.Removed, e.Changed, e.Order)
		}
		if got != tt.want {
			t.Errorf("%s -> %s\n got %s\nwant %s", tt.a, tt.b, got, tt.want)
		}
	}
}
