package sqlite_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The test binary is also the application whose database is captured: started again with this
// variable, it plays the part that the variable names on the database of its first argument.
const partVar = "HOLDFAST_TEST_PART"

const (
	accounts    = 100
	balance     = 1000
	busyTimeout = 5 * time.Second // of the writer
)

func TestMain(m *testing.M) {
	parts := map[string]func(*sql.DB) error{"transfer": transfer, "exclusive": exclusive, "crash": crash}
	part, ok := parts[os.Getenv(partVar)]
	if !ok {
		os.Exit(m.Run())
	}
	db, err := sql.Open("sqlite3", (&url.URL{
		Scheme: "file", Path: os.Args[1],
		RawQuery: fmt.Sprintf("_busy_timeout=%d&_txlock=immediate", busyTimeout.Milliseconds()),
	}).String())
	if err == nil {
		db.SetMaxOpenConns(1)
		err = part(db)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// transfer commits transfers between accounts about a hundred times a second until its standard
// input ends. After each commit it prints the transfer's number and how long it took.
func transfer(db *sql.DB) error {
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; ; n++ {
		begin := time.Now()
		tx, err := db.Begin()
		if err != nil {
			return fmt.Errorf("begin %d: %w", n, err)
		}
		sum, from, to := r.IntN(50), r.IntN(accounts), r.IntN(accounts)
		for _, s := range []struct {
			q    string
			args []any
		}{
			{"UPDATE accounts SET balance = balance - ? WHERE id = ?", []any{sum, from}},
			{"UPDATE accounts SET balance = balance + ? WHERE id = ?", []any{sum, to}},
			{"INSERT INTO transfers VALUES(?, randomblob(200))", []any{n}},
		} {
			if _, err := tx.Exec(s.q, s.args...); err != nil {
				return fmt.Errorf("transfer %d: %w", n, err)
			}
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("commit %d: %w", n, err)
		}
		fmt.Println(n, time.Since(begin).Microseconds())
		select {
		case <-stop:
			return db.Close()
		case <-tick.C:
		}
	}
}

// exclusive holds an exclusive lock until it is killed.
func exclusive(db *sql.DB) error {
	for _, q := range []string{"PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "INSERT INTO t VALUES(-1, 'x')"} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	fmt.Println("locked")
	select {}
}

// crash stops in a transaction that has spilled into the database, and waits to be killed.
func crash(db *sql.DB) error {
	for _, q := range []string{"PRAGMA cache_size=5", "BEGIN", "UPDATE t SET v = 'overwritten ' || v"} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	fmt.Println("spilled")
	select {}
}

// process is a part being played by another process.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
	err   strings.Builder
}

func start(t *testing.T, part, path string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(exe, path)}
	p.cmd.Env = append(os.Environ(), partVar+"="+part)
	p.cmd.Stderr = &p.err
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// says waits for a line.
func (p *process) says(t *testing.T, want string) {
	t.Helper()
	if !p.lines.Scan() || p.lines.Text() != want {
		t.Fatalf("the other process says %q and %q, not %q", p.lines.Text(), p.err.String(), want)
	}
}
