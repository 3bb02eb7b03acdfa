#!/usr/bin/env bash
# The tool at work: snapshots of a live store, a restored copy that is compared with it, a restore in place and back; `make
# quickstart` calls this.
# Every step has to succeed. HOLDFAST names the binary; the first argument names a folder to work in, which then stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
holdfast=${HOLDFAST:-$PWD/bin/holdfast}
go=${GO:-go}

if (($#)); then
  work=$1
  mkdir -p "$work"
else
  work=$(mktemp -d)
  trap 'exec 3>&-; wait; rm -rf "$work"' EXIT # the writer, if there is one, goes first
fi
work=$(cd "$work" && pwd)
live=$work/live
config=$work/holdfast.yaml

say() { printf '\n== %s\n' "$*"; }
# run calls holdfast and shows how, on stderr: stdout may be a stream.
run() {
  printf '$ holdfast %s\n' "$*" >&2
  "$holdfast" --config "$config" "$@"
}
die() {
  echo "quickstart: $*" >&2
  exit 1
}

"$go" build -tags sqlite_fts5 -o "$work/store" ./examples/quickstart

say "a live store: an SQLite database, a registry, a Chroma directory"
"$work/store" generate --dir "$live" --size "${SIZE:-20MiB}"
du -sh "$live"/*

say "a configuration that names it, and a target for its snapshots"
run init --set quickstart --data "$live" --target-path "$work/backup"

say "the first snapshot, taken while the application commits"
mkfifo "$work/stop"
"$work/store" write --dir "$live" --rate 100 --for 10m <"$work/stop" >"$work/acknowledged" &
writer=$!
exec 3>"$work/stop" # the writer ends when this closes
until grep -q committed "$work/acknowledged"; do
  kill -0 "$writer" || die "the application did not start"
  sleep 0.1
done
before=$(sed -n '$s/committed //p' "$work/acknowledged")
run create
exec 3>&-
wait "$writer"
run list
run validate
one=$(basename "$work"/backup/quickstart/manifests/* .json)
run dump latest db >"$work/first.db"
"$work/store" check --db "$work/first.db" | tee "$work/facts"
captured=$(sed -n 's/.* \([0-9]*\) transfers.*/\1/p' "$work/facts")
((captured >= before)) || die "the snapshot lacks a commit that was acknowledged before it began"

say "1% of the rows change; the second snapshot sends only what is new"
first=$(du -sk "$work/backup" | cut -f1)
"$work/store" touch --dir "$live" --fraction 0.01
run create
run diff "$one" latest
run list
second=$(($(du -sk "$work/backup" | cut -f1) - first))
echo "the target grew by $first KiB, then by $second KiB"
((second * 5 < first)) || die "the second snapshot is not much smaller than the first"

say "every snapshot is read back and checked"
run validate --all

say "the latest one comes back, into a new folder"
run restore latest --to "$work/restored"
"$work/store" check --db "$work/restored/db"
run dump latest db | cmp - "$work/restored/db"
cmp "$live/config/project-registry.json" "$work/restored/registry"
diff -r -x 'chroma.sqlite3*' "$live/chroma" "$work/restored/chroma"

say "and once more with nothing but the backup: no configuration, no state"
"$holdfast" restore latest --from "file://$work/backup" --set quickstart --to "$work/again"
diff -r "$work/restored" "$work/again"

if command -v python3 >/dev/null && command -v zstd >/dev/null; then
  say "and without holdfast: the reader in examples/rescue, Python and zstd"
  python3 examples/rescue/rescue.py restore "$work/backup" quickstart latest "$work/rescued"
  diff -r "$work/restored" "$work/rescued"
else
  say "LEFT OUT: the rescue without holdfast needs python3 and zstd, and one of them is not installed"
fi

say "a mistake was made: with the service stopped, the first snapshot goes back in place"
sum() { (cd "$live" && find . -type f ! -path '*/.holdfast-*' ! -name '*-shm' -exec sha256sum {} + | sort); }
sum >"$work/sums"
run restore "$one" --dry-run
code=0
run restore "$one" || code=$?
((code == 7)) || die "a restore in place that nobody confirmed was not refused"
sum | cmp - "$work/sums"
run restore "$one" --confirm-service-stopped
cmp "$work/first.db" "$live/db/atocore.db"
"$work/store" check --db "$live/db/atocore.db"
run list

say "it was none: what the restore replaced is put back"
run restore undo --confirm-service-stopped
run recover
sum | cmp - "$work/sums"

say "retention: what a cleanup would keep and drop, and why; a dry run changes nothing"
kept=$(cd "$work/backup" && find . -type f | sort)
run cleanup
[[ $(cd "$work/backup" && find . -type f | sort) == "$kept" ]] || die "a dry run changed the target"

say "done: all copies agree, and the store is as it was"
