// Package builtin lists the targets that come with holdfast and opens them by
// the name that a configuration gives as `plugin`.
//
// The list is the code below: nothing registers itself.
package builtin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/targets/local"
)

// Names lists the built-in targets.
func Names() []string { return []string{"local"} }

// Open opens a built-in target with the `config` mapping of a configuration
// file. It creates nothing. An unknown name, an unknown key, or a value of the
// wrong type is ErrInvalid, and the error names it. The target is an io.Closer
// if it holds anything.
//
// local: path (string, required): absolute path of the directory.
func Open(_ context.Context, plugin string, config map[string]any) (target.Target, error) {
	c, err := localConfig(plugin, config)
	if err != nil {
		return nil, err
	}
	return opened(local.Open(c))
}

// Create is Open for `init`: it makes the place first where the target can do
// so, and checks that it is fit to hold a repository.
func Create(ctx context.Context, plugin string, config map[string]any) (target.Target, error) {
	c, err := localConfig(plugin, config)
	if err != nil {
		return nil, err
	}
	return opened(local.Create(ctx, c))
}

// OpenURL opens the target that a URL names, for a restore without a
// configuration. See CheckURL.
func OpenURL(ctx context.Context, rawurl string) (target.Target, error) {
	path, err := parseURL(rawurl)
	if err != nil {
		return nil, err
	}
	return Open(ctx, "local", map[string]any{"path": path})
}

// CheckURL reports what is wrong with a URL, and touches nothing. file:///path is the directory /path; percent signs escape as in
// every URL. Another scheme, a host, a query or a fragment is ErrInvalid.
func CheckURL(rawurl string) error {
	_, err := parseURL(rawurl)
	return err
}

// parseURL returns the directory that a URL names.
func parseURL(rawurl string) (string, error) {
	u, err := url.Parse(rawurl)
	if err != nil {
		// The error's own text quotes the URL, and so a password in it.
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
		return "", invalid("the URL cannot be read: %w", err)
	}
	switch {
	case u.Scheme == "":
		return "", invalid("%q is no URL: a directory is written file:///absolute/path", rawurl)
	case u.Scheme != "file":
		return "", invalid("%s: this version opens no %s:// targets, only file://", u.Redacted(), u.Scheme)
	case u.Host != "" && u.Host != "localhost", u.User != nil:
		return "", invalid("%s names a host: a directory is written file:///absolute/path, with three slashes", u.Redacted())
	case u.Opaque != "" || !filepath.IsAbs(u.Path):
		return "", invalid("%s: the path is not absolute: a directory is written file:///absolute/path", u.Redacted())
	case u.RawQuery != "" || u.ForceQuery:
		return "", invalid("%s: file:// takes no parameters; a question mark in the path is written %%3F", u.Redacted())
	case u.Fragment != "":
		return "", invalid("%s: file:// takes no fragment; a hash in the path is written %%23", u.Redacted())
	}
	return filepath.Clean(u.Path), nil
}

// opened keeps a nil *local.Target from becoming a target that is not nil.
func opened(t *local.Target, err error) (target.Target, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

func localConfig(plugin string, config map[string]any) (local.Config, error) {
	var c local.Config
	if plugin != "local" {
		return c, invalid("no built-in target is called %q; there is %s", plugin, strings.Join(Names(), ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if key != "path" {
			return c, invalid("target local has no configuration key %q; it has path", key)
		}
	}
	path, ok := config["path"]
	if !ok {
		return c, invalid("target local needs the configuration key path")
	}
	c.Path, ok = path.(string)
	if !ok {
		return c, invalid("target local: path is %T, not a string", path)
	}
	if c.Path == "" {
		return c, invalid("target local: path is empty")
	}
	return c, nil
}

func invalid(format string, a ...any) error {
	return &target.Error{Op: "open", Kind: target.KindInvalid, Err: fmt.Errorf(format, a...)}
}
