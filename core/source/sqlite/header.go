package sqlite

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/atocore/holdfast/core/source"
)

// headerSize is the length of a database header. https://www.sqlite.org/fileformat2.html section 1.3
const headerSize = 100

const magic = "SQLite format 3\x00"

// header is what this package needs of a database header.
type header struct {
	pageSize int   // bytes: a power of two from 512 to 65536
	wal      bool  // the file format version says write-ahead log
	pages    int64 // size of the image in pages; 0 when the header's count is not to be trusted
}

// readHeader reads the header of the file f, which errors call path, and refuses what is no
// database. It does not look at the image's length: that is only settled under a lock.
func readHeader(f *os.File, path string) (header, error) {
	b := make([]byte, headerSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return header{}, &source.Fault{Path: path, ID: IDOpen, Problem: "cannot be read", Cause: err}
	}
	return parseHeader(b[:n], path)
}

func parseHeader(b []byte, path string) (header, error) {
	invalid := func(id, problem, next string) (header, error) {
		return header{}, &source.Fault{Path: path, ID: id, Problem: problem, Next: next, Kind: source.ErrInvalid}
	}
	switch {
	case len(b) == 0:
		return invalid(IDEmpty, "is empty: zero bytes are no database", "is the path right, or the volume not mounted?")
	case len(b) < len(magic) || string(b[:len(magic)]) != magic:
		return invalid(IDNotADatabase, "does not begin as a SQLite database", "it is another kind of file, damaged, or encrypted; an encrypted database cannot be backed up as kind sqlite")
	case len(b) < headerSize:
		return invalid(IDTruncated, fmt.Sprintf("ends within the %d bytes of its header", headerSize), "")
	}
	h := header{pageSize: int(binary.BigEndian.Uint16(b[16:])), wal: b[18] == 2 || b[19] == 2}
	if h.pageSize == 1 { // 65536 does not fit its two bytes
		h.pageSize = 1 << 16
	}
	if h.pageSize < 512 || h.pageSize&(h.pageSize-1) != 0 {
		return invalid(IDNotADatabase, fmt.Sprintf("has a page size of %d", h.pageSize), "")
	}
	// A writer older than 3.7.0 leaves the count stale: it is valid only if both counters agree.
	if binary.BigEndian.Uint32(b[24:]) == binary.BigEndian.Uint32(b[92:]) {
		h.pages = int64(binary.BigEndian.Uint32(b[28:]))
	}
	return h, nil
}

// truncated returns a Fault when size bytes are too few for the header's page count, and else nil.
func (h header) truncated(path string, size int64) error {
	if want := h.pages * int64(h.pageSize); size < want {
		return &source.Fault{
			Path: path, ID: IDTruncated, Kind: source.ErrInvalid,
			Problem: fmt.Sprintf("is truncated: %d bytes where its header says %d pages of %d, which is %d", size, h.pages, h.pageSize, want),
		}
	}
	return nil
}

// chunkSize is the unit of deduplication that fits the pages.
func (h header) chunkSize() int { return max(4096, h.pageSize) }
