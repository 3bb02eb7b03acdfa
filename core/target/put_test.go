package target_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/atocore/holdfast/core/target"
	"github.com/atocore/holdfast/core/target/memtarget"
)

// TestPutOutcome shows every way in which a put can end, and what is known then.
func TestPutOutcome(t *testing.T) {
	ours, theirs := []byte("our manifest"), []byte("a tombstone!")
	denied := &target.Error{Op: "put", Kind: target.KindDenied}
	for _, c := range []struct {
		name    string
		before  []byte // what the key holds
		hook    memtarget.Hook
		outcome target.Outcome
		err     error  // nil: success
		after   []byte // nil: nothing
	}{
		{name: "plain", outcome: target.Created, after: ours},
		{name: "exists with our bytes", before: ours, outcome: target.ExistsSame, after: ours},
		{name: "exists with other bytes", before: theirs, outcome: target.ExistsOther, err: target.ErrExists, after: theirs},
		{name: "exists, longer", before: append(ours, '!'), outcome: target.ExistsOther, err: target.ErrExists, after: append(ours, '!')},
		{name: "exists, empty", before: []byte{}, outcome: target.ExistsOther, err: target.ErrExists, after: []byte{}},
		{
			name: "unavailable, then fine", hook: firstN(memtarget.Put, 3, memtarget.Fault{Err: unavailable()}),
			outcome: target.Created, after: ours,
		},
		{
			name: "answer lost, retry finds our own", hook: firstN(memtarget.Put, 1, memtarget.Fault{Err: unavailable(), Applied: true}),
			outcome: target.ExistsSame, after: ours,
		},
		{
			name: "answer lost, retry finds another's", before: theirs, hook: firstN(memtarget.Put, 1, memtarget.Fault{Err: unavailable(), Applied: true}),
			outcome: target.ExistsOther, err: target.ErrExists, after: theirs,
		},
		{
			name: "every answer lost, but it arrived", hook: firstN(memtarget.Put, 100, memtarget.Fault{Err: unavailable(), Applied: true}),
			outcome: target.ExistsSame, after: ours,
		},
		{
			name: "every put late", hook: firstN(memtarget.Put, 100, memtarget.Fault{Err: unavailable(), Late: true}),
			outcome: target.Unknown, err: target.ErrUnavailable,
		},
		{
			name: "an error without a kind, but it arrived", hook: firstN(memtarget.Put, 100, memtarget.Fault{Err: errors.New("broken pipe"), Applied: true}),
			outcome: target.ExistsSame, after: ours,
		},
		{
			name: "denied", hook: firstN(memtarget.Put, 1, memtarget.Fault{Err: denied}),
			outcome: target.Unknown, err: target.ErrDenied,
		},
		{
			name: "exists, but cannot be read", before: ours, hook: firstN(memtarget.Get, 100, memtarget.Fault{Err: unavailable()}),
			outcome: target.Unknown, err: target.ErrUnavailable, after: ours,
		},
		{
			name: "exists, but is gone when read", hook: firstN(memtarget.Put, 1, memtarget.Fault{Err: &target.Error{Op: "put", Kind: target.KindExists}}),
			outcome: target.Unknown, err: target.ErrNotFound,
		},
		{
			name: "acknowledged, but not there", hook: firstN(memtarget.Stat, 1, memtarget.Fault{Err: &target.Error{Op: "stat", Kind: target.KindNotFound}}),
			outcome: target.Unknown, err: target.ErrCorrupt, after: ours,
		},
		{
			name: "acknowledged, but cannot be looked at", hook: firstN(memtarget.Stat, 100, memtarget.Fault{Err: unavailable()}),
			outcome: target.Unknown, err: target.ErrUnavailable, after: ours,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, mem := quick(c.hook)
			if c.before != nil {
				mem.Set("set/manifests/1.json", c.before)
			}
			outcome, err := s.PutBytes(t.Context(), "set/manifests/1.json", ours, target.PutOptions{})
			if outcome != c.outcome {
				t.Errorf("outcome %v, want %v (error %v)", outcome, c.outcome, err)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "target nas: ") {
				t.Errorf("error %q does not name the target", err)
			}
			after, there := mem.Bytes("set/manifests/1.json")
			if there != (c.after != nil) || !bytes.Equal(after, c.after) {
				t.Errorf("the key holds %q, want %q", after, c.after)
			}
		})
	}
}

// TestLatePut shows why an unknown outcome is not "nothing there": the put may
// still arrive, and then obeys IfAbsent.
func TestLatePut(t *testing.T) {
	for _, voted := range []bool{false, true} {
		s, mem := quick(firstN(memtarget.Put, 4, memtarget.Fault{Err: unavailable(), Late: true}))
		if outcome, err := s.PutBytes(t.Context(), "k", []byte("late"), target.PutOptions{}); outcome != target.Unknown || err == nil {
			t.Fatalf("%v, %v", outcome, err)
		}
		want := "late"
		if voted {
			want = "tombstone"
			if outcome, err := s.PutBytes(t.Context(), "k", []byte(want), target.PutOptions{}); outcome != target.Created || err != nil {
				t.Fatalf("%v, %v", outcome, err)
			}
		}
		if n := mem.Land(); n != 4 {
			t.Errorf("%d puts landed, want 4", n)
		}
		if b, _ := mem.Bytes("k"); string(b) != want {
			t.Errorf("the key holds %q, want %q", b, want)
		}
	}
}

func TestPutSizeIsChecked(t *testing.T) {
	mem := memtarget.New(memtarget.Options{})
	s := over(shorter{mem})
	outcome, err := s.PutBytes(t.Context(), "k", []byte("four"), target.PutOptions{})
	if outcome != target.ExistsOther || !errors.Is(err, target.ErrCorrupt) {
		t.Errorf("%v, %v; want a corrupt object", outcome, err)
	}
}

// shorter claims that objects are a byte shorter.
type shorter struct{ target.Target }

func (s shorter) Stat(ctx context.Context, key string) (target.Object, error) {
	o, err := s.Target.Stat(ctx, key)
	o.Size--
	return o, err
}

func TestPutRefusesBadOptions(t *testing.T) {
	s, mem := quick(nil)
	sum := sha256.Sum256(nil)
	for _, c := range []struct {
		key string
		o   target.PutOptions
	}{
		{"", target.PutOptions{SHA256: sum}},
		{"a/../b", target.PutOptions{SHA256: sum}},
		{"k", target.PutOptions{}},
		{"k", target.PutOptions{Size: -1, SHA256: sum}},
	} {
		if outcome, err := s.Put(t.Context(), c.key, bytes.NewReader(nil), c.o); outcome != target.Unknown || !errors.Is(err, target.ErrInvalid) {
			t.Errorf("Put %q %+v: %v, %v", c.key, c.o, outcome, err)
		}
	}
	if keys := mem.Keys(); len(keys) != 0 {
		t.Errorf("left %q", keys)
	}
}

func TestPutCancelledWhileWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, mem := quick(func(_ context.Context, op memtarget.Op, _ string) memtarget.Fault {
		cancel()
		return memtarget.Fault{Err: unavailable(), Applied: true}
	})
	outcome, err := s.PutBytes(ctx, "k", []byte("x"), target.PutOptions{})
	if outcome != target.Unknown || !errors.Is(err, context.Canceled) || !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("%v, %v; want an unknown outcome that tells both causes", outcome, err)
	}
	if _, there := mem.Bytes("k"); !there {
		t.Error("the test's put did not arrive")
	}
}

func TestProbeIfAbsent(t *testing.T) {
	s, mem := quick(nil)
	if err := s.ProbeIfAbsent(t.Context(), "probe"); err != nil {
		t.Errorf("a good target: %v", err)
	}
	careless := over(replacing{memtarget.New(memtarget.Options{})})
	if err := careless.ProbeIfAbsent(t.Context(), "probe"); !errors.Is(err, target.ErrInvalid) {
		t.Errorf("a target that replaces: %v", err)
	}
	down, _ := quick(firstN(memtarget.Put, 100, memtarget.Fault{Err: unavailable()}))
	if err := down.ProbeIfAbsent(t.Context(), "probe"); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("a target that is down: %v", err)
	}
	if keys := mem.Keys(); len(keys) != 0 {
		t.Errorf("left %q", keys)
	}
}

// replacing ignores IfAbsent.
type replacing struct{ *memtarget.Target }

func (r replacing) Put(ctx context.Context, key string, b io.ReaderAt, o target.PutOptions) (target.Object, error) {
	r.Remove(key)
	return r.Target.Put(ctx, key, b, o)
}
