#!/usr/bin/env python3
"""Restores snapshots from a holdfast repository without holdfast.

    rescue.py list REPO [SET]
    rescue.py restore REPO SET ID OUTDIR [--component NAME] [--identity FILE]
    rescue.py verify REPO [SET [ID]] [--identity FILE]

REPO is a directory: a local target, or a bucket's prefix downloaded with any tool. ID is a snapshot's id, the
beginning of one, or "latest". OUTDIR must be new or empty; each component becomes OUTDIR/NAME, a file, or for
Chroma a directory. Needed are Python 3.9, the program zstd, and for encrypted snapshots the program age.

Written from core/manifest/FORMAT.md alone: it shares no code with holdfast. Nothing appears under its final
name before every hash was checked. Exit codes: 0 all done, 1 refused or damaged, 64 usage.
"""

import argparse
import contextlib
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import manifest
import recipe
import strict
import untar
from strict import Refused, need


class Repository:
    def __init__(self, path):
        self.path = path
        need(os.path.isdir(path), f"{path} is no directory")
        self.id = strict.marker(self.read(path, "holdfast.json"))

    @staticmethod
    def read(path, key):
        name = os.path.join(path, key)
        try:
            with open(name, "rb") as f:
                data = f.read(strict.MAX_DOCUMENT + (16 << 10) + 2)
        except OSError as err:
            raise Refused(f"{key}: {err.strerror}") from None
        return data

    def sets(self):
        return sorted(s for s in os.listdir(self.path) if os.path.isdir(os.path.join(self.path, s, "manifests")))

    def ids(self, set_name):
        try:
            names = os.listdir(os.path.join(self.path, set_name, "manifests"))
        except OSError as err:
            raise Refused(f"set {set_name}: {err.strerror}") from None
        keys = (strict.parse_key(f"{set_name}/manifests/{n}") for n in names)
        return sorted(k["id"] for k in keys if k)

    def manifest(self, set_name, snapshot):
        """The manifest of a snapshot, or None where its create was revoked."""
        key = f"{set_name}/manifests/{snapshot}.json"
        data = self.read(self.path, key)
        if data == strict.tombstone(snapshot):
            return None
        try:
            m = manifest.decode(data)
            found = (m["repository"], m["set"], m["id"])
            need(found == (self.id, set_name, snapshot), f"it is that of snapshot {found[2]} of set {found[1]} in repository {found[0]}")
        except Refused as err:
            raise Refused(f"{key}: {err}") from None
        return m

    def find(self, set_name, ref):
        """The manifest of the snapshot that ref names."""
        ids = [i for i in self.ids(set_name) if ref == "latest" or i.startswith(ref)]
        found = []
        for i in reversed(ids):
            m = self.manifest(set_name, i)
            if m and (ref != "latest" or m["grade"] == "good" and "pre-restore" not in m.get("tags", [])):
                found.append(m)
            if found and (ref == "latest" or len(found) > 1):
                break
        need(found, f"no snapshot {ref!r} in set {set_name}")
        need(len(found) == 1, f"{ref!r} is the beginning of more than one snapshot's id")
        return found[0]

    def open(self, o, damaged):
        """Opens a stored object and checks its size and hash; damaged is called when they are others."""
        try:
            f = open(os.path.join(self.path, o["key"]), "rb", buffering=0)
        except OSError as err:
            raise Refused(f"{o['key']}: {err.strerror}") from None
        with contextlib.ExitStack() as stack:
            stack.enter_context(f)
            digest, size = hashlib.sha256(), 0
            while block := f.read(1 << 20):
                digest.update(block)
                size += len(block)
            if size != o["size"] or digest.hexdigest() != o["sha256"]:
                damaged(f"{o['key']} is damaged: it has {size} bytes with SHA-256 {digest.hexdigest()}, the manifest says {o['size']} and {o['sha256']}")
            f.seek(0)
            stack.pop_all()
        return f


def refuse(message):
    raise Refused(message)


def warn(message):
    print(f"rescue.py: {message}; going on with what its chunks prove", file=sys.stderr)


class Reader:
    """Reads the components of one snapshot. damaged is called with what is wrong with a volume."""

    def __init__(self, repository, m, identity, scratch, damaged):
        self.repository, self.m, self.identity, self.scratch, self.damaged = repository, m, identity, scratch, damaged
        need("encryption" not in m or identity, "the snapshot is encrypted: name the identity file with --identity")

    @contextlib.contextmanager
    def plain(self, o, damaged):
        """A stored object's plain bytes, as a file of the operating system."""
        with self.repository.open(o, damaged) as f:
            if "encryption" not in self.m:
                yield f
                return
            with tempfile.TemporaryFile(dir=self.scratch) as out:
                age = subprocess.run(["age", "--decrypt", "--identity", self.identity], stdin=f, stdout=out, stderr=subprocess.PIPE)
                need(age.returncode == 0, f"{o['key']}: age: {age.stderr.decode(errors='replace').strip()}")
                out.seek(0)
                yield out

    def index(self, c, n, base):
        o = c["index"][n]
        limit = c["size"] if n == 0 else recipe.base_limit(c["size"])
        with self.plain(o, refuse) as f:
            try:
                r = recipe.read_index(self.scratch, f, base, c["chunk_size"], limit, "encryption" in self.m)
            except Refused as err:
                raise Refused(f"{o['key']}: {err}") from None
        if r.plain_sha256.hex() != o.get("plain_sha256", o["sha256"]):
            r.__exit__()
            raise Refused(f"{o['key']}: its plain bytes have SHA-256 {r.plain_sha256.hex()}")
        return r

    def recipe(self, c):
        with self.index(c, 1, None) if len(c["index"]) == 2 else contextlib.nullcontext() as base:
            return self.index(c, 0, base)

    def stream(self, c, out):
        """Writes a component's stream to out, an empty file, and checks everything on the way."""
        with self.recipe(c) as r:
            need(r.size == c["size"], f"{c['name']}: the index speaks of {r.size} bytes, the manifest of {c['size']}")
            need(r.sha256.hex() == c.get("sha256", r.sha256.hex()), f"{c['name']}: index and manifest give the stream different hashes")
            if r.facts is not None:
                manifest.decode_facts(c["kind"], r.facts)
            volumes = {bytes.fromhex(v["id"]): v for v in c["volumes"]}
            unknown = [v.hex() for v in r.volumes if v not in volumes]
            need(not unknown, f"{c['name']}: the index needs volumes {unknown}, which the manifest does not name")
            out.truncate(r.size)
            order = sorted(range(len(r.frames)), key=r.frames.__getitem__)
            with recipe.Places(r, self.scratch) as places:
                for v, frames in itertools.groupby(order, lambda f: r.frames[f][0]):
                    self.volume(r, volumes[r.volumes[v]], list(frames), places, out)
            out.seek(0)
            digest = hashlib.sha256()
            while block := out.read(1 << 20):
                digest.update(block)
            need(digest.digest() == r.sha256, f"{c['name']}: the stream has SHA-256 {digest.hexdigest()}, not {r.sha256.hex()}")
            out.seek(0)

    def volume(self, r, v, frames, places, out):
        """Writes the chunks of a volume's frames to their places."""
        last = r.frames[frames[-1]]
        need(last[1] + last[2] <= v["size"], f"{v['key']}: the index has a frame that ends behind it")
        with self.plain(v, self.damaged) as f, Frames(f, [r.frames[n] for n in frames], v["key"]) as source:
            for frame in frames:
                raw = source.next()
                for n in places.of(frame):
                    chunk, at, _, offset, length = r.chunk(n)
                    data = raw[offset : offset + length]
                    need(hashlib.sha256(data).digest() == chunk, f"{v['key']}: a chunk does not have the id {chunk.hex()}")
                    os.pwrite(out.fileno(), data, at)


class Frames:
    """Decompresses the given frames of a volume in one zstd process."""

    def __init__(self, f, frames, key):
        self.f, self.frames, self.key, self.error = f, frames, key, None
        self.sizes = iter([raw for _, _, _, raw in frames])
        self.zstd = subprocess.Popen(["zstd", "-dcq", "-M8MB"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.feeder = threading.Thread(target=self.feed, daemon=True)
        self.feeder.start()

    def feed(self):
        try:
            with self.zstd.stdin as pipe:
                end = 0
                for _, offset, stored, raw in self.frames:
                    need(offset >= end, f"frames overlap at {offset}")
                    data = self.read(offset, stored)
                    need(len(data) == stored, f"it ends within the frame at {offset}")
                    recipe.check_frame(data, raw)
                    pipe.write(data)
                    end = offset + stored
        except (Refused, OSError) as err:
            self.error = err

    def read(self, offset, n):
        return os.pread(self.f.fileno(), n, offset)

    def next(self):
        size = next(self.sizes)
        raw = self.zstd.stdout.read(size)
        if len(raw) != size:
            self.feeder.join()
            raise Refused(f"{self.key} is damaged: {self.error or 'zstd cannot decompress a frame'}")
        return raw

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.zstd.kill()
        self.feeder.join()
        self.zstd.stdout.close()
        self.zstd.wait()


def restore(reader, c, directory):
    """Restores a component to directory/NAME, which must not exist."""
    final = os.path.join(directory, c["name"])
    need(not os.path.lexists(final), f"{final} exists")
    descriptor, name = tempfile.mkstemp(prefix=".rescue-", dir=directory)
    try:
        with open(descriptor, "w+b") as out:
            reader.stream(c, out)
            if c["kind"] != "chroma":
                os.link(name, final)  # fails where a rename would replace
                return
            unpacked = tempfile.mkdtemp(prefix=".rescue-", dir=directory)
            try:
                untar.extract(out, unpacked)
                os.rename(unpacked, final)
            except BaseException:
                shutil.rmtree(unpacked)
                raise
    finally:
        os.unlink(name)


def command_list(repository, options):
    for s in [options.set] if options.set else repository.sets():
        for i in repository.ids(s):
            try:
                m = repository.manifest(s, i)
            except Refused as err:
                print(s, i, "unreadable:", err)
                continue
            if m:
                print(s, i, m["grade"], *(f"{c['name']}={c['size']}" for c in m["components"]))


def command_restore(repository, options):
    m = repository.find(options.set, options.id)
    names = [c["name"] for c in m["components"]]
    need(options.component in (None, *names), f"snapshot {m['id']} has no component {options.component}; it has {', '.join(names)}")
    os.makedirs(options.outdir, mode=0o700, exist_ok=True)
    need(not os.listdir(options.outdir), f"{options.outdir} is not empty")
    with tempfile.TemporaryDirectory() as scratch:
        reader = Reader(repository, m, options.identity, scratch, warn)
        for c in m["components"]:
            if options.component in (None, c["name"]):
                restore(reader, c, options.outdir)
                print(f"restored {c['name']}: {c['size']} bytes, snapshot {m['id']}, {m['grade']}")


def command_verify(repository, options):
    for s in [options.set] if options.set else repository.sets():
        for i in [repository.find(s, options.id)["id"]] if options.id else repository.ids(s):
            m = repository.manifest(s, i)
            for c in m["components"] if m else []:
                with tempfile.TemporaryDirectory() as scratch:
                    restore(Reader(repository, m, options.identity, scratch, refuse), c, scratch)
                print(f"{s} {i} {c['name']}: {c['size']} bytes, all hashes match")


def main(arguments):
    parser = argparse.ArgumentParser(prog="rescue.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, required in (("list", command_list, 0), ("restore", command_restore, 3), ("verify", command_verify, 0)):
        p = commands.add_parser(name)
        p.set_defaults(run=run)
        p.add_argument("repo")
        for n, positional in enumerate({"list": ["set"], "restore": ["set", "id", "outdir"], "verify": ["set", "id"]}[name]):
            p.add_argument(positional, **({} if n < required else {"nargs": "?"}))
        if name != "list":
            p.add_argument("--identity", help="age identity file, for encrypted snapshots")
        if name == "restore":
            p.add_argument("--component", help="restore this component only")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as err:
        return 64 if err.code else 0
    try:
        options.run(Repository(options.repo), options)
    except (Refused, OSError) as err:
        print(f"rescue.py: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
