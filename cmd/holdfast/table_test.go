package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	tab := &table{header: []string{"ID", "SIZE", "WHAT"}, right: []bool{1: true}}
	tab.add("a", "1.0 KiB", "db registry chroma")
	tab.add("bcd", "12 B", "")
	tab.add("é", "-", "ü")
	tests := []struct {
		width int
		want  string
	}{
		{0, "ID      SIZE  WHAT\na    1.0 KiB  db registry chroma\nbcd     12 B\né          -  ü\n"},
		{80, "ID      SIZE  WHAT\na    1.0 KiB  db registry chroma\nbcd     12 B\né          -  ü\n"},
		{25, "ID      SIZE  WHAT\na    1.0 KiB  db registr…\nbcd     12 B\né          -  ü\n"},
		{5, "ID      SIZE  WHAT\na    1.0 KiB  db …\nbcd     12 B\né          -  ü\n"}, // the header is never cut
	}
	for _, tt := range tests {
		var b strings.Builder
		if err := tab.write(&b, tt.width); err != nil {
			t.Fatal(err)
		}
		if b.String() != tt.want {
			t.Errorf("width %d:\n%s\nwant\n%s", tt.width, b.String(), tt.want)
		}
	}

	// Colour changes no column.
	tab.paint = func(column int, cell string) painted { return painted("<" + cell + ">") }
	var b strings.Builder
	if err := tab.write(&b, 0); err != nil {
		t.Fatal(err)
	}
	if want := "<bcd>     <12 B>  <>\n"; !strings.Contains(b.String(), want) {
		t.Errorf("painted:\n%s\nwant a line %s", b.String(), want)
	}
}
