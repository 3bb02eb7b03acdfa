"""Runs the rescue program over holdfast's test vectors: python3 -m unittest discover -s examples/rescue"""

import contextlib
import glob
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CORE = os.path.join(HERE, "..", "..", "core")
sys.path.insert(0, HERE)

import manifest  # noqa: E402
import recipe  # noqa: E402
import rescue  # noqa: E402
import strict  # noqa: E402


def read_vector(path):
    with open(path, "rb") as f:
        head, _, data = f.read().partition(b"\n\n")
    header = dict(line.split(": ", 1) for line in head.decode().split("\n"))
    return header, data


def vectors(package):
    for path in sorted(glob.glob(os.path.join(CORE, package, "testdata", "vectors", "*"))):
        yield (os.path.basename(path), *read_vector(path))


def run(*arguments):
    """The exit code and what was printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = rescue.main(list(arguments))
    return code, out.getvalue(), err.getvalue()


class Vectors(unittest.TestCase):
    """Both implementations accept the same bytes, and refuse the same."""

    def judge(self, name, header, decode):
        try:
            decode()
            got = "ok"
        except strict.Refused as err:
            got = str(err)
            if header["expect"] == "unsupported_format" and header["kind"] == "manifest":
                self.assertIn("format 1", got, name)
        self.assertEqual(got == "ok", header["expect"] == "ok", f"{name}: {got}; the vector says {header['expect']}")

    def test_documents(self):
        decoders = {
            "manifest": manifest.decode,
            "marker": strict.marker,
            "tombstone": lambda data: strict.need(data == strict.tombstone("20260411T094646Z-7f3a9c01"), "no tombstone"),
            "facts-sqlite": lambda data: manifest.decode_facts("sqlite", data),
            "facts-file": lambda data: manifest.decode_facts("file", data),
            "facts-chroma": lambda data: manifest.decode_facts("chroma", data),
        }
        seen = 0
        for name, header, data in vectors("manifest"):
            decode = decoders.get(header["kind"])
            if decode:  # notes, drills and verdicts are nothing to a reader
                seen += 1
                with self.subTest(name):
                    self.judge(name, header, lambda: decode(data))
        self.assertGreater(seen, 150)

    def test_keys(self):
        with open(os.path.join(CORE, "manifest", "testdata", "keys.txt"), encoding="utf-8") as f:
            lines = [line.split(" ", 1) for line in f if not line.startswith("#")]
        self.assertGreater(len(lines), 50)
        for verdict, quoted in lines:
            key = strict.parse_json(quoted.encode())
            with self.subTest(key):
                self.assertEqual(strict.parse_key(key) is not None, verdict == "ok")

    def test_frames_and_indexes(self):
        seen = 0
        for name, header, data in vectors("archive"):
            seen += 1
            with self.subTest(name):
                decode = self.frame if header["kind"] == "frame" else self.index
                self.judge(name, header, lambda: decode(header, data))
        self.assertGreater(seen, 100)

    def test_most_parts(self):
        """What an index of 65,537 parts, or of more than 16 MiB of names, would come to."""
        part = b"\n\x01z\x10\x00\x18\x01 \x80\x04(\x00"  # name z, first 0, count 1, skip 512, size 0
        with recipe.Recipe(None) as r:
            r.add(bytes(32), 0, 0, 512, 1 << 20)
            for parts, names, fits in ((65535, 0, True), (65536, 0, False), (0, (16 << 20) - 1, True), (0, 16 << 20, False)):
                r.parts = [(b"a", 0)] * parts
                reader = recipe.IndexReader(r, None, None, 4096, 1 << 20, False)
                reader.names = names
                with contextlib.nullcontext() if fits else self.assertRaisesRegex(strict.Refused, "too many parts"):
                    reader.part(recipe.Message(part))

    def frame(self, header, data):
        recipe.check_frame(data, int(header["raw"]))
        zstd = subprocess.run(["zstd", "-dcq", "-M8MB"], input=data, capture_output=True)
        strict.need(zstd.returncode == 0, zstd.stderr)
        self.assertEqual(hashlib.sha256(zstd.stdout).hexdigest(), header["sha256"])

    def index(self, header, data):
        def read(plain, base, limit):
            with tempfile.TemporaryFile(buffering=0) as f:
                f.write(plain)
                f.seek(0)
                return recipe.read_index(None, f, base, int(header["chunk_size"]), limit, header.get("sealed") == "yes")

        size = int(header["size"])
        with contextlib.ExitStack() as stack:
            base = None
            if "base" in header:
                _, full = read_vector(os.path.join(CORE, "archive", "testdata", "vectors", header["base"]))
                base = stack.enter_context(read(full, None, recipe.base_limit(size)))
            r = stack.enter_context(read(data, base, size))
            self.assertEqual(r.sha256.hex(), header["sha256"])


class Repositories(unittest.TestCase):
    def repositories(self, expect):
        paths = sorted(glob.glob(os.path.join(CORE, "archive", "testdata", "repositories", "*")))
        for path in paths:
            header, lines = read_vector(os.path.join(path, "expect.txt"))
            if header["expect"] == expect:
                yield os.path.basename(path), os.path.join(path, "repository"), lines.decode().splitlines()

    def test_good(self):
        seen = 0
        for name, repository, lines in self.repositories("ok"):
            seen += 1
            with self.subTest(name):
                self.assertEqual(run("verify", repository)[0], 0)
                snapshots = {line.split(" ")[2] for line in lines}
                listed = run("list", repository)[1]
                for snapshot in snapshots:
                    self.assertIn(snapshot, listed)
                    with tempfile.TemporaryDirectory() as out:
                        code, _, err = run("restore", repository, "vector", snapshot, out)
                        self.assertEqual((code, err), (0, ""))
                        self.compare(out, [line.split(" ", 3) for line in lines if line.split(" ")[2] == snapshot])
        self.assertGreaterEqual(seen, 9)

    def compare(self, out, lines):
        want = {name: (digest, int(size)) for digest, size, _, name in lines if not os.path.isdir(os.path.join(out, name))}
        got = {}
        for folder, _, files in os.walk(out):
            for f in files:
                path = os.path.join(folder, f)
                with open(path, "rb") as content:
                    data = content.read()
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                got[os.path.relpath(path, out)] = (hashlib.sha256(data).hexdigest(), len(data))
        self.assertEqual(got, want)

    def test_bad(self):
        seen = 0
        for name, repository, _ in self.repositories("no"):
            seen += 1
            with self.subTest(name), tempfile.TemporaryDirectory() as out:
                code, _, err = run("restore", repository, "vector", "2026", out)
                self.assertEqual(code, 1)
                self.assertRegex(err, r"^rescue\.py: .{10}")
                self.assertNotIn("Traceback", err)
                self.assertEqual(os.listdir(out), [])
        self.assertGreaterEqual(seen, 25)

    def test_damaged(self):
        """A volume with another hash whose chunks are right: restored with a warning, and never called sound."""
        for name, repository, lines in self.repositories("restorable"):
            with self.subTest(name), tempfile.TemporaryDirectory() as out:
                code, _, err = run("restore", repository, "vector", "2026", out)
                self.assertEqual(code, 0)
                self.assertIn("is damaged", err)
                self.compare(out, [line.split(" ", 3) for line in lines])
                code, _, err = run("verify", repository)
                self.assertEqual(code, 1)
                self.assertIn("is damaged", err)

    def test_encrypted(self):
        """With a program in age's place that takes a word off: what is tested is how it is called and what is checked."""
        source = os.path.join(CORE, "archive", "testdata", "repositories", "good-incremental", "repository")
        with tempfile.TemporaryDirectory() as scratch:
            programs, repository, out = (os.path.join(scratch, n) for n in ("bin", "repository", "out"))
            os.mkdir(programs)
            with open(os.path.join(programs, "age"), "w", encoding="utf-8") as f:
                f.write('#!/bin/sh\n[ "$*" = "--decrypt --identity key.txt" ] && [ "$(head -c 6)" = sealed ] && exec cat\nexit 1\n')
            os.chmod(f.name, 0o700)
            seal(source, repository)
            path = os.environ["PATH"]
            try:
                os.environ["PATH"] = programs + os.pathsep + path
                self.assertEqual(run("restore", repository, "vector", "20260412", out, "--identity", "key.txt")[::2], (0, ""))
                self.assertIn("age", run("verify", repository, "--identity", "other.txt")[2])
            finally:
                os.environ["PATH"] = path
            self.assertIn("--identity", run("verify", repository)[2])
            _, lines = read_vector(os.path.join(source, "..", "expect.txt"))
            lines = [line.split(" ", 3) for line in lines.decode().splitlines()]
            self.compare(out, [line for line in lines if line[2].startswith("20260412")])

    def test_never_overwrites(self):
        _, repository, lines = next(self.repositories("ok"))
        snapshot = lines[0].split(" ")[2]
        with tempfile.TemporaryDirectory() as out:
            with open(os.path.join(out, "mine"), "w", encoding="utf-8") as f:
                f.write("mine")
            code, _, err = run("restore", repository, "vector", snapshot, out)
            self.assertEqual(code, 1)
            self.assertIn("not empty", err)
            self.assertEqual(os.listdir(out), ["mine"])

    def test_one_component_and_names(self):
        repository = os.path.join(CORE, "archive", "testdata", "repositories", "good-incremental", "repository")
        with tempfile.TemporaryDirectory() as out:
            self.assertEqual(run("restore", repository, "vector", "latest", out, "--component", "registry")[0], 0)
            self.assertEqual(os.listdir(out), ["registry"])
            with open(os.path.join(out, "registry"), encoding="utf-8") as f:
                self.assertEqual(f.read(), '{"projects": [1]}\n')
        for arguments, message in (
            (("vector", "2026", "/nonexistent"), "more than one"),
            (("vector", "1999", "/nonexistent"), "no snapshot"),
            (("other", "2026", "/nonexistent"), "other"),
            (("vector", "latest", "/nonexistent", "--component", "dbx"), "no component dbx"),
        ):
            code, _, err = run("restore", repository, *arguments)
            self.assertEqual(code, 1)
            self.assertIn(message, err)
        self.assertEqual(run("restore", repository)[0], 64)


def seal(source, repository):
    """Copies a repository as one whose snapshots are encrypted."""
    shutil.copytree(source, repository)
    for path in glob.glob(os.path.join(repository, "vector", "archives", "*", "*")):
        with open(path, "rb") as f, open(path + ".age", "wb") as out:
            out.write(b"sealed" + f.read())
        os.unlink(path)
    for path in glob.glob(os.path.join(repository, "vector", "manifests", "*")):
        with open(path, "rb") as f:
            m = manifest.decode(f.read())
        for c in m["components"]:
            del c["sha256"]
            for o in c["index"] + c["volumes"]:
                o["key"] += ".age"
                o["size"] += len(b"sealed")
                if o in c["index"]:
                    o["plain_sha256"] = o["sha256"]
                with open(os.path.join(repository, o["key"]), "rb") as f:
                    o["sha256"] = hashlib.sha256(f.read()).hexdigest()
        m.pop("digest")
        components = m.pop("components")
        m = {**m, "encryption": {"scheme": "age", "recipients": ["age1test"]}, "components": components, "digest": ""}
        m["digest"] = hashlib.sha256((strict.layout(m) + "\n").encode()).hexdigest()
        with open(path, "wb") as f:
            f.write((strict.layout(m) + "\n").encode())


if __name__ == "__main__":
    unittest.main()
