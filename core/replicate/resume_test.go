package replicate_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/atocore/holdfast/core/backup/backuptest"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/replicate"
	"github.com/atocore/holdfast/core/target/memtarget"
)

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }

// cut copies until the nth volume is put and ends there, as a signal does.
func cut(t *testing.T, w *backuptest.World, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var puts atomic.Int64
	w.Faults["b"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Stat && strings.Contains(key, ".zst") { // after the put: it is confirmed
			if puts.Add(1) == int64(n) {
				cancel()
			}
		}
		return f
	}
	_, err := replicate.Run(ctx, options(w, 0, 1))
	if w.Faults["b"] = nil; !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if left := w.Keys(1, "/intents/"); len(left) != 1 {
		t.Fatalf("intents: %v", left)
	}
}

// resume copies with Resume, and counts what is put under archives.
func resume(t *testing.T, w *backuptest.World) (r *replicate.Report, puts int) {
	t.Helper()
	var n atomic.Int64
	w.Faults["b"] = func(_ context.Context, op memtarget.Op, key string) (f memtarget.Fault) {
		if op == memtarget.Put && strings.Contains(key, "/archives/") {
			n.Add(1)
		}
		return f
	}
	r, err := run(t, w, 0, 1, func(o *replicate.Options) { o.Resume = true })
	if w.Faults["b"] = nil; err != nil {
		t.Fatal(err)
	}
	return r, int(n.Load())
}

// A run that was cut short is taken up under the same id: what it put is not put again.
func TestResume(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	create(t, w, 1)
	cut(t, w, 2)
	there := len(w.Keys(1, "/archives/"))
	id := manifest.ID(strings.TrimPrefix(w.Keys(1, "/intents/")[0], manifest.Prefix(backuptest.Set, manifest.Intents)))
	r, puts := resume(t, w)
	if s := r.Snapshots[0]; there == 0 || s.Outcome != replicate.Copied || s.As != id || !s.Resumed || puts != 4-there {
		t.Errorf("%d objects were there, %d were put: %+v", there, puts, s)
	}
	good(t, w, 1, 1)
}

// Without Resume, by another host, and for another snapshot, an intent is left to whom it belongs.
func TestNotResumed(t *testing.T) {
	for name, change := range map[string]func(*replicate.Options){
		"not asked to": func(*replicate.Options) {},
		"another host": func(o *replicate.Options) { o.Resume, o.Host = true, "other" },
	} {
		w := backuptest.New(t, "a", "b")
		create(t, w, 1)
		cut(t, w, 2)
		r, err := run(t, w, 0, 1, change)
		if err != nil || outcomes(r) != "copied" || r.Snapshots[0].Resumed || len(w.Keys(1, "/intents/")) != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// When what lies there is not what is needed now, the session is given up and another one begun.
func TestResumeConflict(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{"bytes": backuptest.Flip, "size": func(b []byte) []byte { return b[1:] }} {
		w := backuptest.New(t, "a", "b")
		create(t, w, 1)
		cut(t, w, 4)
		for _, key := range w.Keys(1, "/archives/") {
			w.Damage(1, key, change)
		}
		r, puts := resume(t, w)
		if s := r.Snapshots[0]; s.Outcome != replicate.Copied || s.Resumed || puts != 4 {
			t.Errorf("%s: %d objects were put: %+v", name, puts, s)
		}
		good(t, w, 1, 1)
	}
}

// An intent that a cleanup has resolved meanwhile is not taken up.
func TestResumeRevoked(t *testing.T) {
	w := backuptest.New(t, "a", "b")
	create(t, w, 1)
	cut(t, w, 2)
	id := manifest.ID(strings.TrimPrefix(w.Keys(1, "/intents/")[0], manifest.Prefix(backuptest.Set, manifest.Intents)))
	w.Mem["b"].Set(manifest.ManifestKey(backuptest.Set, id), manifest.Tombstone(id))
	r, _ := resume(t, w)
	if s := r.Snapshots[0]; s.Outcome != replicate.Copied || s.As == id || s.Resumed {
		t.Errorf("%+v", s)
	}
}
