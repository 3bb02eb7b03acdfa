// Package atocore_test keeps the configuration beside it loadable.
package atocore_test

import (
	"os"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/config"
	"github.com/atocore/holdfast/core/retention"
)

// environment is all that the configurations may lean on.
func environment(name string) (string, bool) { return "/srv/atocore", name == "ATOCORE_DATA_DIR" }

func TestConfigurationLoads(t *testing.T) {
	c, err := config.Load("holdfast.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Components) != 3 || c.Components[0].Path != "/srv/atocore/db/atocore.db" || len(c.Targets) != 2 {
		t.Errorf("loaded %+v", c)
	}
	if nas, usb := c.Targets[0].Retention, c.Targets[1].Retention; !nas.Classic || usb.Monthly != 24 || usb.Yearly != retention.Unlimited {
		t.Errorf("retention %s and %s", nas, usb)
	}
	if g := c.Guard; g.MaxRowDrop != 90 || g.MaxVectorDrop != 90 || len(g.Except) > 0 {
		t.Errorf("guard %+v", g)
	}
}

// The one in the README is what most people will copy.
func TestConfigurationInREADMELoads(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\n")
	yaml, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("no block of YAML in the README")
	}
	c, err := config.Parse("/etc/holdfast/holdfast.yaml", []byte(yaml), environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Components) != 3 || len(c.Targets) != 2 || !c.Retention.Classic || c.Targets[1].Retention.Monthly != 24 {
		t.Errorf("loaded %+v", c)
	}
}
