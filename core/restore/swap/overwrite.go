package swap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	blockSize = 512       // the least that a disk writes at once
	pieceSize = 256 << 10 // bytes that are written between two failpoints; a multiple of blockSize
)

// halfHeader stands where "SQLite format 3\x00" stood while a database is overwritten: SQLite refuses
// such a file, while it takes an empty one for a new database. It reads past it when a -wal or a hot
// -journal with the first page is beside it: those are there only while the rest of the file is theirs.
const halfHeader = "holdfast restore"

// scrub makes a database that is overwritten unreadable first.
func (e exchanger) scrub(ctx context.Context, s Slot) error {
	live, err := measure(ctx, s.Live)
	if err != nil || s.is(s.New, live) {
		return err
	}
	return e.h.step(e.point("scrub", s), func() error {
		return withFile(s.Live, os.O_WRONLY, func(f *os.File) error {
			_, err := f.WriteAt([]byte(halfHeader), 0)
			return errors.Join(err, f.Sync())
		})
	})
}

// overwriteRest gives a file the content of the staged one, but for the first block.
func (e exchanger) overwriteRest(ctx context.Context, s Slot) error {
	return e.overwrite(ctx, s, func(to, from *os.File) error {
		for at := int64(blockSize); at < s.New.Size; at += pieceSize {
			err := e.h.step(e.point("overwrite", s), func() error { return copyPiece(to, from, at, min(pieceSize, s.New.Size-at)) })
			if err != nil {
				return err
			}
		}
		return e.h.step(e.point("truncate", s), func() error { return errors.Join(to.Truncate(s.New.Size), to.Sync()) })
	})
}

// overwriteHeader gives it the first block, when it has the rest.
func (e exchanger) overwriteHeader(ctx context.Context, s Slot) error {
	return e.overwrite(ctx, s, func(to, from *os.File) error {
		return e.h.step(e.point("overwrite header of", s), func() error {
			return errors.Join(copyPiece(to, from, 0, min(s.New.Size, blockSize)), to.Sync())
		})
	})
}

// overwrite opens both files for write, unless the live one is as it should be.
func (e exchanger) overwrite(ctx context.Context, s Slot, write func(to, from *os.File) error) error {
	live, err := measure(ctx, s.Live)
	if err != nil || s.is(s.New, live) {
		return err
	}
	return withFile(s.Staged, os.O_RDONLY, func(from *os.File) error {
		return withFile(s.Live, os.O_WRONLY, func(to *os.File) error { return write(to, from) })
	})
}

// save copies what is overwritten, durably, to where it is kept.
func (h Hooks) save(ctx context.Context, s Slot) error {
	return h.copyFile(ctx, "save "+s.Name, s.Live, s.Kept)
}

// copyFile makes a private, durable copy; its directory is not yet durable.
func (h Hooks) copyFile(ctx context.Context, point, from, to string) error {
	return h.step(point, func() error {
		return withFile(from, os.O_RDONLY, func(r *os.File) error {
			return withFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, func(w *os.File) error {
				_, err := io.Copy(w, &contextReader{ctx, r})
				return errors.Join(err, w.Sync())
			})
		})
	})
}

func withFile(path string, flag int, use func(*os.File) error) error {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(use(f), f.Close())
}

func copyPiece(to io.WriterAt, from io.ReaderAt, at, n int64) error {
	got, err := io.Copy(io.NewOffsetWriter(to, at), io.NewSectionReader(from, at, n))
	if err == nil && got != n {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// torn says that the file at path is what an overwriting between two files leaves that was stopped,
// be it by a loss of power, which may keep any of the blocks written: each block is that of the one
// or the other, or a hole in what grew. It may be said of what a service wrote that is nothing but a
// mixture of the two, and in no other case.
func torn(ctx context.Context, path, a, b string) (result bool, err error) {
	err = withFile(path, os.O_RDONLY, func(live *os.File) error {
		return withFile(a, os.O_RDONLY, func(fa *os.File) error {
			return withFile(b, os.O_RDONLY, func(fb *os.File) error {
				result, err = tornFiles(ctx, live, fa, fb)
				return err
			})
		})
	})
	return result && err == nil, err
}

func tornFiles(ctx context.Context, live, a, b *os.File) (bool, error) {
	var sizes [3]int64
	for i, f := range []*os.File{live, a, b} {
		info, err := f.Stat()
		if err != nil {
			return false, err
		}
		sizes[i] = info.Size()
	}
	if sizes[0] < min(sizes[1], sizes[2]) || sizes[0] > max(sizes[1], sizes[2], int64(len(halfHeader))) {
		return false, nil
	}
	var pieces [3][]byte
	for at := int64(0); at < sizes[0]; at += pieceSize {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		for i, f := range []*os.File{live, a, b} {
			p := make([]byte, pieceSize)
			n, err := f.ReadAt(p, at)
			if err != nil && !errors.Is(err, io.EOF) {
				return false, fmt.Errorf("read %s: %w", f.Name(), err)
			}
			pieces[i] = p[:n]
		}
		for from := 0; from < len(pieces[0]); from += blockSize {
			block, fa, fb := cut(pieces[0], from), cut(pieces[1], from), cut(pieces[2], from)
			if !blockOf(block, fa, fb) && !blockOf(block, fb, fa) && (at+int64(from) > 0 || !half(block, fa, fb) && !half(block, fb, fa)) {
				return false, nil
			}
		}
	}
	return true, nil
}

// cut returns the block at an offset, as far as there is one.
func cut(piece []byte, from int) []byte {
	return piece[min(from, len(piece)):min(from+blockSize, len(piece))]
}

// blockOf says that a block is that of a file, and after the end of that file, of the other one or a hole.
func blockOf(block, of, rest []byte) bool {
	n := min(len(block), len(of))
	if !bytes.Equal(block[:n], of[:n]) {
		return false
	}
	block, rest = block[n:], rest[min(n, len(rest)):]
	if n = min(len(block), len(rest)); bytes.Equal(block[:n], rest[:n]) {
		block = block[n:]
	}
	return len(bytes.Trim(block, "\x00")) == 0
}

// half says that a first block is that of a file whose header was scrubbed.
func half(block, of, rest []byte) bool {
	const n = len(halfHeader)
	return bytes.HasPrefix(block, []byte(halfHeader)) && blockOf(block[n:], of[min(n, len(of)):], rest[min(n, len(rest)):])
}
