package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/sqlite"
)

// ledger follows what a transfer process has acknowledged.
type ledger struct {
	mu      sync.Mutex
	cond    *sync.Cond
	last    int
	slowest time.Duration
	ended   bool
}

func follow(p *process) *ledger {
	l := &ledger{}
	l.cond = sync.NewCond(&l.mu)
	go func() {
		for p.lines.Scan() {
			var n, us int
			if _, err := fmt.Sscan(p.lines.Text(), &n, &us); err != nil {
				break
			}
			l.mu.Lock()
			l.last, l.slowest = n, max(l.slowest, time.Duration(us)*time.Microsecond)
			l.mu.Unlock()
			l.cond.Broadcast()
		}
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.cond.Broadcast()
	}()
	return l
}

// acknowledged is the number of the last acknowledged transfer.
func (l *ledger) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// more waits until n more transfers were acknowledged; false when the process ended first.
func (l *ledger) more(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for until := l.last + n; l.last < until; l.cond.Wait() {
		if l.ended {
			return false
		}
	}
	return true
}

// end waits until the process has closed its output.
func (l *ledger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ended {
		l.cond.Wait()
	}
}

// The proof: while another process commits, every copy is whole, keeps the invariant, and holds
// all that was acknowledged before it was frozen; and the writer never comes near its timeout.
func TestCaptureBesideAWriter(t *testing.T) {
	const captures = 12
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			ctx := context.Background()
			path := dbPath(t)
			make1(
				t, path, "PRAGMA journal_mode="+mode,
				"CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER)",
				"CREATE TABLE transfers(n INTEGER PRIMARY KEY, note BLOB)",
				"CREATE INDEX notes ON transfers(note)",
				fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO accounts SELECT i, %d FROM n", accounts-1, balance),
				"CREATE TABLE bulk(b)",
				"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO bulk SELECT randomblob(4000) FROM n",
			)
			p := start(t, "transfer", path)
			l := follow(p)
			for i := range captures {
				if !l.more(3) {
					t.Fatalf("the writer ended: %s", p.err.String())
				}
				s := sqlite.New("db", path)
				if err := s.Prepare(ctx, t.TempDir()); err != nil {
					t.Fatal(err)
				}
				before := l.acknowledged()
				if err := s.Freeze(ctx, source.Wait(10*time.Second)); err != nil {
					t.Fatal(err)
				}
				if mode == "WAL" && !l.more(2) { // the frozen source blocks nobody
					t.Fatalf("the writer ended: %s", p.err.String())
				}
				f, err := s.Capture(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if got := query[string](t, f.Path, "PRAGMA integrity_check"); got != "ok" {
					t.Errorf("copy %d: %s", i, got)
				}
				if got := query[int](t, f.Path, "SELECT sum(balance) FROM accounts"); got != accounts*balance {
					t.Errorf("copy %d: the balances sum to %d, not %d", i, got, accounts*balance)
				}
				n := query[int](t, f.Path, "SELECT count(*) FROM transfers")
				if top := query[int](t, f.Path, "SELECT max(n) FROM transfers"); top < before || top != n {
					t.Errorf("copy %d: %d transfers up to %d, and %d were acknowledged before", i, n, top, before)
				}
			}
			if err := p.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			l.end()
			if err := p.cmd.Wait(); err != nil {
				t.Fatalf("the writer failed: %v: %s", err, p.err.String())
			}
			if l.slowest >= busyTimeout/2 {
				t.Errorf("a transfer took %v", l.slowest)
			}
			t.Logf("%s: %d captures, %d transfers, the slowest took %v", mode, captures, l.acknowledged(), l.slowest)
		})
	}
}

// A lock that is never let go is waited for no longer than asked, and its owner is named.
func TestExclusiveForEver(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := dbPath(t)
			make1(t, path, "PRAGMA journal_mode="+mode)
			p := start(t, "exclusive", path)
			p.says(t, "locked")
			ctx := context.Background()
			s := sqlite.New("db", path)
			defer s.Close()
			if err := s.Prepare(ctx, t.TempDir()); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			err := s.Freeze(ctx, source.Wait(300*time.Millisecond))
			if took := time.Since(begin); took < 300*time.Millisecond || took > 5*time.Second {
				t.Errorf("gave up after %v", took)
			}
			if !errors.Is(err, source.ErrBusy) || source.ErrorID(err) != sqlite.IDLocked {
				t.Fatalf("got %v", err)
			}
			if pid := fmt.Sprintf("process %d ", p.cmd.Process.Pid); !strings.Contains(err.Error(), pid) {
				t.Errorf("%q does not name %s", err, pid)
			}
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			if err := s.Freeze(short, source.Wait(time.Minute)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
			p.kill()
			if err := s.Freeze(ctx, second); err != nil && source.ErrorID(err) != sqlite.IDHotJournal {
				t.Errorf("after the other process is gone: %v", err)
			}
		})
	}
}

// A writer killed in mid-transaction leaves a hot journal, which a reader may not roll back.
func TestHotJournal(t *testing.T) {
	path := dbPath(t)
	make1(t, path)
	p := start(t, "crash", path)
	p.says(t, "spilled")
	p.kill()
	journal := read(t, path+"-journal")
	_, err := capture(t, path)
	if !errors.Is(err, source.ErrInvalid) || source.ErrorID(err) != sqlite.IDHotJournal || !strings.Contains(err.Error(), "start the application") {
		t.Fatalf("got %v (%s)", err, source.ErrorID(err))
	}
	if now := read(t, path+"-journal"); string(now) != string(journal) {
		t.Error("the journal was changed")
	}
	// What the message tells the user to do helps.
	db := rw(t, path, "")
	run(t, db, "SELECT count(*) FROM t")
	db.Close()
	f := mustCapture(t, path)
	if n := query[int](t, f.Path, "SELECT count(*) FROM t WHERE v LIKE 'overwritten%'"); n != 0 {
		t.Errorf("%d rows of the transaction that was never committed", n)
	}
	if _, err := os.Stat(path + "-journal"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the journal is still there")
	}
}
