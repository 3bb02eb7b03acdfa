package retention_test

import (
	"testing"

	"github.com/atocore/holdfast/core/repository"
	"github.com/atocore/holdfast/core/retention"
)

// What retention takes for the future is what cannot be the latest, and nothing else.
func TestMaxAhead(t *testing.T) {
	if retention.MaxAhead != repository.MaxAhead {
		t.Errorf("%v, and for the latest %v", retention.MaxAhead, repository.MaxAhead)
	}
}
