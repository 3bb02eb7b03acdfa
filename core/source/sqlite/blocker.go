package sqlite

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// SQLite's lock bytes in the database file. https://www.sqlite.org/src/file/src/os.h
const (
	pendingByte  = 0x40000000
	reservedByte = pendingByte + 1
	sharedFirst  = pendingByte + 2
	sharedSize   = 510
)

// blocker names the process whose lock on f keeps readers out, as far as the kernel tells. Asking
// for a lock's owner neither takes nor drops one.
func blocker(f *os.File) string { return owner(f, unix.F_RDLCK) }

// holder names a process with any lock on f, as blocker does.
func holder(f *os.File) string { return owner(f, unix.F_WRLCK) }

func owner(f *os.File, against int16) string {
	for _, r := range [][2]int64{{pendingByte, 1}, {reservedByte, 1}, {sharedFirst, sharedSize}} {
		if against == unix.F_RDLCK && r[0] == reservedByte {
			continue // it lets readers in
		}
		lk := unix.Flock_t{Type: against, Start: r[0], Len: r[1]}
		err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lk)
		if err != nil || lk.Type == unix.F_UNLCK || lk.Pid <= 0 {
			continue
		}
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", lk.Pid)); err == nil {
			return fmt.Sprintf("process %d (%s)", lk.Pid, bytes.TrimSpace(comm))
		}
		return fmt.Sprintf("process %d", lk.Pid)
	}
	return "another process"
}
