package manifest

import (
	"strings"
	"testing"
)

// The form takes the digits 0 to 9 and a to f and no other byte, wherever it stands, and no other length.
func TestHexForm(t *testing.T) {
	for c := range 256 {
		for i := range int(hex16) {
			b := []byte(strings.Repeat("0", int(hex16)))
			b[i] = byte(c)
			want := strings.IndexByte("0123456789abcdef", byte(c)) >= 0
			if hex16.MatchString(string(b)) != want {
				t.Errorf("%q: not %v", b, want)
			}
		}
	}
	for _, n := range []int{0, 15, 17} {
		if s := strings.Repeat("0", n); hex16.MatchString(s) {
			t.Errorf("%q", s)
		}
	}
}
