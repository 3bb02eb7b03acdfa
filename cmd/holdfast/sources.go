package main

import (
	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/kinds"
)

// openSource returns the source of a configured component; it touches nothing.
func openSource(c config.Component) (source.Source, error) {
	return kinds.Open(kinds.Config{Name: c.Name, Kind: manifest.Kind(c.Kind), Path: c.Path, Format: c.Format, Mode: c.Mode})
}
