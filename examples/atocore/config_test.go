// Package atocore_test keeps the configuration beside it loadable.
package atocore_test

import (
	"testing"

	"github.com/atocore/holdfast/core/config"
)

func TestConfigurationLoads(t *testing.T) {
	c, err := config.Load("holdfast.yaml", func(name string) (string, bool) { return "/srv/atocore", name == "ATOCORE_DATA_DIR" })
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Components) != 3 || c.Components[0].Path != "/srv/atocore/db/atocore.db" || len(c.Targets) != 2 {
		t.Errorf("loaded %+v", c)
	}
}
