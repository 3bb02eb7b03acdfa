package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/atocore/holdfast/core/source"
)

// imageName is the staged copy's name in the staging directory.
const imageName = "image.sqlite"

const (
	stepBytes = 64 << 20         // per backup step: large enough to cost nothing, small enough to hear ctx
	stall     = 10 * time.Second // a backup that copies nothing for so long has failed
)

// Capture copies the pinned database into the staging directory.
func (s *Source) Capture(ctx context.Context) (*source.Frozen, error) {
	if s.pin == nil {
		return nil, fmt.Errorf("capture %s: it is not frozen", s.path)
	}
	path, err := filepath.Abs(filepath.Join(s.dir, imageName))
	if err != nil {
		return nil, err
	}
	if err := s.copyTo(ctx, path); err != nil {
		return nil, fmt.Errorf("capture %s: copy it to %s: %w", s.path, path, err) // SQLite does not say which side failed
	}
	fi, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("capture %s: %w", s.path, err)
	}
	return &source.Frozen{
		ChunkSize: s.head.chunkSize(),
		Path:      path,
		Parts:     []source.Part{{Size: fi.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}},
	}, nil
}

func (s *Source) copyTo(ctx context.Context, path string) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// Made here because SQLite would make it readable by others.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dst, err := open(ctx, path, openImage)
	if err != nil {
		return fmt.Errorf("open the staged copy: %w", err)
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	return raw(dst, s.pin, func(dst, src *sqlite3.SQLiteConn) (err error) {
		b, err := dst.Backup("main", src, "main")
		if err != nil {
			return err
		}
		defer func() {
			if e := b.Close(); err == nil { // else it repeats what the last step said
				err = e
			}
		}()
		return s.steps(ctx, b)
	})
}

// steps drives the backup to its end. Because the source connection already has its read
// transaction, the backup shares it: no writer can make it start again. The driver's Step hides BUSY
// and LOCKED as "not done": only Remaining tells whether anything was copied.
func (s *Source) steps(ctx context.Context, b *sqlite3.SQLiteBackup) error {
	pages := stepBytes / s.head.pageSize
	remaining := -1
	idle := time.Now()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := b.Step(pages)
		if err != nil || done {
			return err
		}
		if now := b.Remaining(); now != remaining {
			remaining, idle = now, time.Now()
			continue
		}
		if time.Since(idle) > stall {
			return s.fault(IDLocked, source.ErrBusy, fmt.Sprintf("gave no page for %v, with %d pages left to copy; it is locked by %s", stall, remaining, blocker(s.file)), "", nil)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Read calls f with the connection that pins the database: what f reads is what Capture copies. f
// must not end the transaction.
func (s *Source) Read(f func(*sql.Conn) error) error {
	if s.pin == nil {
		return fmt.Errorf("read %s: it is not frozen", s.path)
	}
	return f(s.pin.Conn)
}
