package source

import (
	"io/fs"
	"testing"
)

func TestFileType(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o644:                             "a regular file",
		fs.ModeDir | 0o755:                "a directory",
		fs.ModeSymlink:                    "a symbolic link",
		fs.ModeNamedPipe | 0o600:          "a FIFO",
		fs.ModeSocket:                     "a socket",
		fs.ModeDevice | fs.ModeCharDevice: "a device",
		fs.ModeIrregular:                  "a special file",
	} {
		if got := FileType(mode); got != want {
			t.Errorf("%v: %s, want %s", mode, got, want)
		}
	}
}
