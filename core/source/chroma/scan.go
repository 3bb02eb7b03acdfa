package chroma

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/atocore/holdfast/core/source"
	"github.com/atocore/holdfast/core/source/internal/stamp"
)

// maxDepth bounds the directories within a segment's; Chroma makes none.
const maxDepth = 8

// scan stats a live persistence directory: the files to keep, by name with slashes, the database
// included; with "name/" and a zero stamp the directories at the top; and the database's journal and
// log while they hold something, for they change when the database does. keep says whether the
// directory of that name at the top is kept; others are not entered.
func scan(dir string, keep func(string) bool) (map[string]stamp.Stamp, error) {
	found := map[string]stamp.Stamp{}
	err := scanInto(found, dir, "", 0, keep)
	return found, err
}

func scanInto(found map[string]stamp.Stamp, dir, below string, depth int, keep func(string) bool) error {
	if depth > maxDepth {
		return special(filepath.Join(dir, below), fmt.Sprintf("lies more than %d directories deep", maxDepth))
	}
	entries, err := os.ReadDir(filepath.Join(dir, below))
	if errors.Is(err, fs.ErrNotExist) {
		return moved(filepath.Join(dir, below))
	}
	if err != nil {
		return &source.Fault{Path: filepath.Join(dir, below), ID: IDOpen, Problem: "cannot be read", Cause: err, Next: "run as the application's user"}
	}
	for _, e := range entries {
		name := path.Join(below, e.Name())
		full := filepath.Join(dir, filepath.FromSlash(name))
		var st unix.Stat_t
		switch err := unix.Lstat(full, &st); {
		case errors.Is(err, unix.ENOENT):
			return moved(full)
		case err != nil:
			return &source.Fault{Path: full, ID: IDOpen, Problem: "cannot be read", Cause: err}
		}
		if isSidecar(name) {
			if w := stamp.Of(&st); w.Size > 0 && name != Database+"-shm" {
				w.Ctime = 0 // SQLite gives a log the owner that it has when root reads
				found[name] = w
			}
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			found[name] = stamp.Of(&st)
		case unix.S_IFDIR:
			if depth == 0 {
				found[name+"/"] = stamp.Stamp{}
				if !keep(name) {
					continue
				}
			}
			if err := scanInto(found, dir, name, depth+1, keep); err != nil {
				return err
			}
		default:
			return special(full, "is neither a file nor a directory")
		}
	}
	return nil
}

func isSidecar(name string) bool {
	return name == Database+"-journal" || name == Database+"-wal" || name == Database+"-shm"
}

// files returns the names of the files to keep in a scan, in byte order.
func files(scan map[string]stamp.Stamp) []string {
	var names []string
	for n := range scan {
		if !strings.HasSuffix(n, "/") && !isSidecar(n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// difference names the first thing, in byte order, in which two scans differ; "" when there is none.
func difference(a, b map[string]stamp.Stamp) string {
	var names []string
	for n, s := range a {
		if other, ok := b[n]; !ok || s != other {
			names = append(names, n)
		}
	}
	for n := range b {
		if _, ok := a[n]; !ok {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

func moved(path string) error {
	return &source.Fault{
		Path: path, ID: IDMoved, Kind: source.ErrMoved, Problem: "changed during the copy",
		Next: "in mode cold nothing may be ingested meanwhile: stop ingestion, or use mode hot where this version has it",
	}
}

func special(path, problem string) error {
	return &source.Fault{
		Path: path, ID: IDSpecial, Kind: source.ErrInvalid, Problem: problem,
		Next: "a Chroma directory holds plain files only: remove it, or move what it points to here",
	}
}
