package builtin_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/targettest"
	"github.com/atocore/holdfast/targets/builtin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance holds for whatever Open opens, by the name that a
// configuration would give.
func TestConformance(t *testing.T) {
	for _, name := range builtin.Names() {
		t.Run(name, func(t *testing.T) {
			targettest.Run(t, targettest.Options{
				New: func(tt targettest.T) target.Target {
					opened, err := builtin.Create(tt.Context(), name, map[string]any{"path": t.TempDir()})
					return closing(tt, opened, err)
				},
				Races: 20, Keys: 100, // the drivers' own tests take their time
			})
		})
	}
}

func closing(t targettest.T, opened target.Target, err error) target.Target {
	t.Helper()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := opened.(io.Closer).Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return opened
}

func TestOpenIsStrict(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		plugin string
		config map[string]any
		text   string
	}{
		{"", map[string]any{"path": dir}, `""`},
		{"lokal", map[string]any{"path": dir}, `"lokal"`},
		{"local", nil, "needs the configuration key path"},
		{"local", map[string]any{"path": dir, "pth": dir, "zone": 1}, `"pth"`},
		{"local", map[string]any{"Path": dir}, `"Path"`},
		{"local", map[string]any{"path": 7}, "int"},
		{"local", map[string]any{"path": nil}, "nil"},
		{"local", map[string]any{"path": ""}, "empty"},
		{"local", map[string]any{"path": "relative"}, "not absolute"},
	} {
		for what, open := range map[string]func(context.Context, string, map[string]any) (target.Target, error){"Open": builtin.Open, "Create": builtin.Create} {
			opened, err := open(t.Context(), c.plugin, c.config)
			if opened != nil || !errors.Is(err, target.ErrInvalid) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s %q %v: %v, %v; want ErrInvalid and %s", what, c.plugin, c.config, opened, err, c.text)
			}
		}
	}
}

func TestCreateAndOpen(t *testing.T) {
	config := map[string]any{"path": filepath.Join(t.TempDir(), "new")}
	if opened, err := builtin.Open(t.Context(), "local", config); opened != nil || !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("Open of nothing: %v, %v", opened, err)
	}
	made, err := builtin.Create(t.Context(), "local", config)
	closing(t, made, err)
	opened, err := builtin.Open(t.Context(), "local", config)
	closing(t, opened, err)
}

func TestOpenURL(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my disk?#%")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", " ", "%20").Replace(dir)
	for _, url := range []string{"file://" + escaped, "file://localhost" + escaped, "FILE://" + escaped + "/", "file:" + escaped} {
		opened, err := builtin.OpenURL(t.Context(), url)
		closing(t, opened, err)
	}
	for url, text := range map[string]string{
		"":                          "file:///absolute/path",
		dir:                         "", // a path is no URL; its percent sign is what url.Parse names
		"/backups":                  "is no URL",
		"backups":                   "is no URL",
		"file://backups/nas":        "three slashes",
		"file://me@localhost/x":     "three slashes",
		"file:backups":              "not absolute",
		"file://":                   "not absolute",
		"file:///x?region=eu":       "%3F",
		"file:///x?":                "%3F",
		"file:///x#y":               "%23",
		"s3://bucket/prefix":        "s3://",
		"gs://bucket":               "gs://",
		"sftp://me:secret@host/dir": "sftp://",
		"sftp://me:secret@ho st/":   "cannot be read",
		"file:///\x00":              "invalid",
		"file:///%zz":               "%zz",
	} {
		opened, err := builtin.OpenURL(t.Context(), url)
		if opened != nil || !errors.Is(err, target.ErrInvalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("OpenURL %q: %v, %v; want ErrInvalid and %q", url, opened, err, text)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("OpenURL %q tells the password: %v", url, err)
		}
	}
	if opened, err := builtin.OpenURL(t.Context(), "file:///no/such/directory"); opened != nil || !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("a missing directory: %v, %v", opened, err)
	}
}
