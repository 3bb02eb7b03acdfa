package source

import (
	"strings"
	"unicode/utf8"
)

// maxDetail is what a manifest.Check's Detail may have at most, in bytes.
const maxDetail = 500

// Detail makes s fit for a manifest.Check: valid UTF-8 of at most 500 bytes.
func Detail(s string) string {
	const cut = "..."
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxDetail {
		return s
	}
	end := maxDetail - len(cut)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cut
}
