package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// exitCode is what the process ends with. The numbers are a contract with
// scripts: they are never changed, and where restic has a code of the same
// meaning they are restic's.
type exitCode int

const (
	exitOK            exitCode = 0
	exitFailed        exitCode = 1
	exitIncomplete    exitCode = 3
	exitDamage        exitCode = 4
	exitInconclusive  exitCode = 5
	exitNoMatch       exitCode = 6
	exitRefused       exitCode = 7
	exitUninitialised exitCode = 10
	exitLocked        exitCode = 11
	exitAuth          exitCode = 12
	exitTarget        exitCode = 13
	exitPlugin        exitCode = 14
	exitFormat        exitCode = 15
	exitUsage         exitCode = 64
	exitConfig        exitCode = 78
	exitInterrupted   exitCode = 130
	exitTerminated    exitCode = 143
)

// exitTable is shown by --help. Code 2 is missing on purpose: Go's own panics
// end with it.
var exitTable = [...]struct {
	code    exitCode
	meaning string
}{
	{exitOK, "all done"},
	{exitFailed, "failed"},
	{exitIncomplete, "done but incomplete: some target or component failed"},
	{exitDamage, "verification found damage"},
	{exitInconclusive, "verification could not finish"},
	{exitNoMatch, "no snapshot matches"},
	{exitRefused, "refused by a safety rule"},
	{exitUninitialised, "target not initialised"},
	{exitLocked, "locked by another run"},
	{exitAuth, "cannot decrypt or authenticate"},
	{exitTarget, "target unreachable or denied"},
	{exitPlugin, "plugin missing, refused or crashed"},
	{exitFormat, "format newer than this tool"},
	{exitUsage, "usage"},
	{exitConfig, "configuration"},
	{exitInterrupted, "interrupted (SIGINT)"},
	{exitTerminated, "terminated (SIGTERM)"},
}

func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitTable {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.meaning)
	}
	return b.String()
}

// signalled is the cause of a context that a signal cancelled.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return "stopped by signal: " + s.String() }

func (s signalled) code() exitCode {
	if s.Signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}
