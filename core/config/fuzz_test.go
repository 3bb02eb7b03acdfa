package config_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/atocore/holdfast/core/config"
)

// Whatever the bytes are: an error has a place in the file, and what loads is
// written by Render so that it loads again as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(good))
	f.Add([]byte("set: [s\n"))
	f.Add([]byte("? a\n: - - {x: [y]}\n"))
	f.Add([]byte("set: \"\\u00e9${DATA}$$\"\ncomponents:\n  - {name: true, kind: file, path: ' '}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		c, err := config.Parse("/f/holdfast.yaml", data, env("DATA", "/srv/$ata"))
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("%d bytes took %v", len(data), d)
		}
		if err != nil {
			var all config.Errors
			if !errors.As(err, &all) || len(all) == 0 || c != nil {
				t.Fatalf("Parse = %v, %v", c, err)
			}
			for _, e := range all {
				if e.Line < 1 || e.Column < 1 || e.Message == "" {
					t.Errorf("no place or message: %+v", e)
				}
				_ = e.Excerpt()
			}
			return
		}
		again, err := config.Parse("/elsewhere/holdfast.yaml", config.Render(c), env())
		if err != nil {
			t.Fatalf("Render wrote what does not load: %v\n%s", err, config.Render(c))
		}
		if diff := cmp.Diff(c, again, withoutPlaces); diff != "" {
			t.Errorf("Parse(Render(c)) (-first +again):\n%s", diff)
		}
	})
}
