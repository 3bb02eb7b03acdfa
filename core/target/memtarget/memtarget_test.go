package memtarget

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/targettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	targettest.Run(t, targettest.Options{
		New:    func(targettest.T) target.Target { return New(Options{}) },
		Reopen: func(_ targettest.T, first target.Target) target.Target { return first },
	})
}
