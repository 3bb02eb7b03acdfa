package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// unprivileged runs the program and arguments that it is given without root's
// power over the permissions of files: what a test makes unreadable has to be so
// for root as well.
func unprivileged() {
	err := func() error {
		path, err := exec.LookPath(os.Args[1])
		if err != nil {
			return err
		}
		runtime.LockOSThread() // the set belongs to the thread, and what it executes inherits it
		for _, power := range []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH} {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, power, 0, 0, 0); err != nil && !errors.Is(err, unix.EPERM) {
				return err // EPERM: we are not root
			}
		}
		return unix.Exec(path, os.Args[1:], os.Environ())
	}()
	fmt.Fprintln(os.Stderr, "unprivileged:", err)
	os.Exit(125)
}
