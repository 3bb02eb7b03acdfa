package main

import (
	"maps"
	"time"

	"github.com/atocore/holdfast/core/cleanup"
	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/retention"
)

// goldenStanding is that of a snapshot that is marked and pinned.
func goldenStanding(at time.Time) standing {
	return standing{
		Expiring: true, Standing: "marked", Undelete: &at,
		Pins: []pinReport{{Until: &at, Reason: "before the move", Host: "h", At: &at}, {Unreadable: "not found"}},
	}
}

// withHolds adds the golden lines of what decides how long snapshots stay.
func withHolds(lines map[string]any) map[string]any {
	at := time.Date(2026, 4, 11, 9, 46, 46, 123000000, time.UTC)
	const (
		id  = manifest.ID("20260411T094646Z-7f3a9c01")
		old = manifest.ID("20260410T094646Z-00000001")
		key = "atocore/archives/20260411T094646Z-7f3a9c01/db-00000.zst"
	)
	failed := &targetError{exitTarget, "target_unreachable", "target usb: open: unavailable"}
	done := newCleanupTarget("nas", true)
	done.Repository, done.Policy = "00112233445566778899aabbccddeeff", "classic (7 days, 4 Sundays, 6 firsts of a month)"
	done.Kept, done.Deleted = []manifest.ID{id}, &[]manifest.ID{old}
	done.Snapshots = []cleanupSnapshot{
		{old, at, manifest.Good, false, false, true, cleanup.FateDeleted, &at, []retention.Reason{{ID: "displaced", Text: "newer fills daily", By: id}}},
		{id, at, manifest.Suspect, true, true, false, cleanup.FateKept, nil, []retention.Reason{{ID: "pinned", Text: "pinned"}}},
	}
	done.WaitingFor, done.Revoked = []manifest.ID{id}, []manifest.ID{old}
	done.Objects, done.Bytes, done.Missing, done.Unparseable, done.Notes = 2, 1<<20, []string{key}, []string{"atocore/pins/notes.txt"}, []string{"a note"}
	dry := newCleanupTarget("usb", false)
	dry.Simulation = &cleanupSimulation{
		Streams: []cleanupStream{{[]string{"db"}, 86400, at}},
		Months:  []retention.Month{{Month: "2026-04", Taken: 20, Kept: 8, Oldest: at}},
	}
	dry.Refused, dry.Error, dry.Errors = &targetError{exitRefused, "too_much_at_once", "more than half"}, failed, []string{failed.Message}
	hold := func(verb, result string) holdReport {
		return holdReport{
			head: summary(verb, exitIncomplete), Set: "atocore",
			Targets: []holdTarget{{Target: "nas", Snapshots: []holdSnapshot{{id, result}}}, {Target: "usb", Snapshots: []holdSnapshot{}, Error: failed}},
		}
	}
	maps.Copy(lines, map[string]any{
		"summary.cleanup": cleanupReport{
			head: summary("cleanup", exitIncomplete), Set: "atocore", DryRun: true, Plan: "/tmp/plan.json", Targets: []cleanupTarget{done, dry},
		},
		"summary.forget":   hold("forget", holdMarked),
		"summary.undelete": hold("undelete", holdKept),
		"summary.pin":      hold("pin", holdPinned),
		"summary.unpin":    hold("unpin", holdUnpinned),
	})
	return lines
}
