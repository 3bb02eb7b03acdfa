package restore

import "context"

// Look sees whether anybody uses the stores, and lets them go at once.
func Look(stores ...Live) (blind string, err error) {
	l, err := lookFor(stores)
	if err != nil {
		return "", err
	}
	return l.blind, l.release()
}

// LookIn looks in another procfs for whoever has the stores' files open.
func LookIn(proc string, stores ...Live) (blind string, err error) {
	watched, err := identities(stores)
	if err != nil {
		return "", err
	}
	return descriptors(proc, watched)
}

func (l Live) Resolved() (Live, error) { return l.resolved() }

func (s *Safety) Take(ctx context.Context, must ...string) (*Saved, error) { return s.take(ctx, must) }
