"""Frames and indexes (FORMAT.md, sections 6 to 8).

An index is read into a Recipe: one record of 48 bytes for each chunk, in a temporary file; in
memory are the frames, about one for each MiB of the store, and the names of the parts.
"""

import hashlib
import itertools
import mmap
import os
import struct
import subprocess
import tempfile

from strict import Refused, need

FRAME_RAW = 1 << 20
FRAME_STORED = FRAME_RAW + 64
FRAME_LEAST = 13
SEGMENT = 16384
MAX_RECORD = 4 << 20
MAX_PARTS = 65536
MAX_PART_NAMES = 16 << 20
ALIGN = 512
MAGIC = b"\x28\xb5\x2f\xfd"


def frame_end(read, window):
    """Walks one zstd frame by calls of read(n) and returns (content size or None, has a checksum)."""

    def exactly(n):
        data = read(n)
        need(len(data) == n, "a zstd frame ends early")
        return data

    need(exactly(4) == MAGIC, "no zstd frame where one must be")
    descriptor = exactly(1)[0]
    size_flag, single = descriptor >> 6, descriptor >> 5 & 1
    need(descriptor & 0x18 == 0 and descriptor & 3 == 0, "a zstd frame with a dictionary or a reserved bit")
    needed = 0
    if not single:
        w = exactly(1)[0]
        needed = (1 << (10 + (w >> 3))) * (8 + (w & 7)) // 8
    width = [1 if single else 0, 2, 4, 8][size_flag]
    size = int.from_bytes(exactly(width), "little") + (256 if width == 2 else 0) if width else None
    need((size if single else needed) <= window, "a zstd frame wants too large a window")
    last = False
    while not last:
        head = int.from_bytes(exactly(3), "little")
        last, kind = head & 1, head >> 1 & 3
        need(kind != 3, "a zstd block of a reserved type")
        exactly(1 if kind == 1 else head >> 3)
    checksum = descriptor >> 2 & 1
    exactly(4 * checksum)
    return size, bool(checksum)


def check_frame(stored, size):
    """Section 7: stored must be exactly one frame that declares size bytes."""
    need(0 < len(stored) <= FRAME_STORED and 0 < size <= FRAME_RAW, f"a frame of {len(stored)} bytes with {size}")
    at = 0

    def read(n):
        nonlocal at
        at += n
        return stored[at - n : at]

    declared, checksum = frame_end(read, FRAME_RAW)
    need(at == len(stored), f"{len(stored) - at} bytes behind a frame")
    need(declared == size and checksum, f"a frame does not declare a checksum and {size} bytes")


def varint(data, at):
    """Returns (value, position behind it)."""
    value = shift = 0
    while True:
        need(at < len(data), "it ends within a number")
        need(shift < 64, "a number of more than 64 bits")
        b = data[at]
        at += 1
        value |= (b & 0x7F) << shift
        if b < 0x80:
            break
        shift += 7
    need(value < 2**64 and (b != 0 or shift == 0), "a number is not in its shortest form")
    return value, at


class Message:
    """Takes the fields of a message off in order."""

    def __init__(self, data):
        self.data, self.at, self.number = data, 0, 0

    def tag(self, wire):
        self.number += 1
        tag, self.at = varint(self.data, self.at)
        need(tag == self.number << 3 | wire, f"field {self.number}: there is tag {tag}")

    def uint(self):
        self.tag(0)
        value, self.at = varint(self.data, self.at)
        return value

    def bytes(self, most):
        self.tag(2)
        n, self.at = varint(self.data, self.at)
        need(n <= most and n <= len(self.data) - self.at, f"field {self.number}: {n} bytes")
        self.at += n
        return self.data[self.at - n : self.at]

    def packed(self):
        data, at, values = self.bytes(MAX_RECORD), 0, []
        while at < len(data):
            need(len(values) < SEGMENT, f"field {self.number}: more than {SEGMENT} numbers")
            v, at = varint(data, at)
            values.append(v)
        return values

    def end(self):
        need(self.at == len(self.data), "bytes behind the last field")


class Recipe:
    """What an index says of a stream. Use as a context manager."""

    RECORD = struct.Struct("<32sQII")  # id, offset in the stream, frame, offset in the frame

    def __init__(self, directory):
        self.file = tempfile.TemporaryFile(dir=directory)
        self.map = None
        self.count = self.size = 0
        self.volumes, self.frames = [], []  # volume ids; (volume, offset, stored, raw)
        self.volume_numbers, self.frame_numbers = {}, {}
        self.parts, self.facts, self.sha256 = [], None, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.map:
            self.map.close()
        self.file.close()

    def add(self, chunk, frame, offset, length, limit):
        need(self.size % ALIGN == 0, "a chunk behind an odd one")
        need(length <= limit - self.size and self.count < 1 << 32, "chunks of more bytes than the stream has")
        self.file.write(self.RECORD.pack(chunk, self.size, frame, offset))
        self.size += length
        self.count += 1

    def freeze(self):
        self.file.flush()
        if self.count and not self.map:
            self.map = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)

    def chunk(self, n):
        """(id, offset in the stream, frame, offset in the frame, length) of the nth chunk."""
        record = self.RECORD.unpack_from(self.map, n * self.RECORD.size)
        end = self.size
        if n + 1 < self.count:
            end = self.RECORD.unpack_from(self.map, (n + 1) * self.RECORD.size)[1]
        return (*record, end - record[1])

    def frame(self, volume, offset, stored, raw):
        v = self.volume_numbers.setdefault(volume, len(self.volumes))
        if v == len(self.volumes):
            self.volumes.append(volume)
        number = self.frame_numbers.setdefault((v, offset), len(self.frames))
        if number < len(self.frames):
            need(self.frames[number] == (v, offset, stored, raw), "two frames at one place of a volume")
            return number
        self.frames.append((v, offset, stored, raw))
        return number


class IndexReader:
    def __init__(self, recipe, base, base_sha256, chunk_size, limit, sealed):
        self.r, self.base, self.base_sha256 = recipe, base, base_sha256
        self.chunk_size, self.limit, self.sealed = chunk_size, limit, sealed
        self.names = 0  # bytes of all parts' names

    def read(self, stream):
        number, data = self.record(stream)
        need(number == 1, f"it begins with field {number}, not with a header")
        self.header(Message(data))
        last = 1
        while last != 5:
            number, data = self.record(stream)
            repeats = number == last and number in (2, 3)
            need(number > last or repeats, f"field {number} behind field {last}")
            need(number <= 5, f"an unknown field {number}")
            last = number
            if number == 2:
                self.segment(Message(data))
            elif number == 3:
                self.part(Message(data))
            elif number == 4:
                need(self.sealed and data, "facts in an index that was not encrypted, or none")
                self.r.facts = data
            else:
                self.trailer(Message(data))
        need(not stream.read(1), "bytes behind the trailer")
        self.r.freeze()

    @staticmethod
    def record(stream):
        def number():
            data = b""
            while not data or data[-1] >= 0x80:
                need(len(data) < 10, "a number of more than 64 bits")
                byte = stream.read(1)
                need(byte, "it ends early")
                data += byte
            return varint(data, 0)[0]

        tag, size = number(), number()
        need(tag & 7 == 2 and size <= MAX_RECORD, f"tag {tag} with {size} bytes")
        data = stream.read(size)
        need(len(data) == size, "it ends early")
        return tag >> 3, data

    def header(self, m):
        version, chunk_size, base, base_chunks = m.uint(), m.uint(), m.bytes(32), m.uint()
        m.end()
        need(version == 1, f"index format {version}")
        need(chunk_size == self.chunk_size, f"chunk size {chunk_size}; the manifest says {self.chunk_size}")
        if self.base is None:
            need(not base and not base_chunks, "a patch where a full index must be")
        else:
            need(base == self.base_sha256 and base_chunks == self.base.count, "no patch on the base that the manifest names")

    def segment(self, m):
        copy_from, copy_count, new_count = m.packed(), m.packed(), m.packed()
        ids, length, frame, offset = m.bytes(32 * SEGMENT), m.packed(), m.packed(), m.packed()
        volumes, frame_volume, frame_offset = m.bytes(8 * SEGMENT), m.packed(), m.packed()
        frame_stored, frame_raw = m.packed(), m.packed()
        m.end()
        need(len(copy_from) == len(copy_count) == len(new_count) > 0, "columns of runs")
        need(len(ids) == 32 * len(length) and len(length) == len(frame) == len(offset), "columns of chunks")
        need(len(volumes) % 8 == 0, "volume ids")
        need(len(frame_volume) == len(frame_offset) == len(frame_stored) == len(frame_raw), "columns of frames")
        need(sum(new_count) == len(length), "runs of more or fewer new chunks than there are")
        need(first_uses(frame) == len(frame_volume), "frames that are not used, or not in order")
        need(first_uses(frame_volume) * 8 == len(volumes), "volumes that are not used, or not in order")

        numbers = []
        for v, at, stored, raw in zip(frame_volume, frame_offset, frame_stored, frame_raw):
            need(at < 2**53 and FRAME_LEAST <= stored <= FRAME_STORED and 0 < raw <= FRAME_RAW, "a frame that cannot be")
            numbers.append(self.r.frame(volumes[8 * v : 8 * v + 8], at, stored, raw))
        new = 0
        for i, (start, copies, news) in enumerate(zip(copy_from, copy_count, new_count)):
            if copies == 0:
                need(i == 0 and start == 0 and news, "a run that copies nothing")
            if i and new_count[i - 1] == 0:
                need(start != copy_from[i - 1] + copy_count[i - 1], "a run that goes on where the one before ends")
            self.copy(start, copies)
            for n in range(new, new + news):
                f, at, size = frame[n], offset[n], length[n]
                need(0 < size <= self.chunk_size and at % ALIGN == 0 and at + size <= frame_raw[f], "a chunk that cannot be in its frame")
                self.r.add(ids[32 * n : 32 * n + 32], numbers[f], at, size, self.limit)
            new += news

    def copy(self, start, count):
        if not count:
            return
        need(self.base is not None and start + count <= self.base.count, "a copy from where the base has no chunks")
        for n in range(start, start + count):
            chunk, _, frame, offset, length = self.base.chunk(n)
            v, at, stored, raw = self.base.frames[frame]
            number = self.r.frame(self.base.volumes[v], at, stored, raw)
            self.r.add(chunk, number, offset, length, self.limit)

    def part(self, m):
        name, first, count, skip, size = m.bytes(1024), m.uint(), m.uint(), m.uint(), m.uint()
        m.end()
        try:
            decoded = name.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("a part's name is not UTF-8") from None
        need(not any(ord(c) < 0x20 or ord(c) == 0x7F for c in decoded), "a control character in a part's name")
        need(all(e not in ("", ".", "..") for e in decoded.split("/")), f"a part is named {decoded!r}")
        r = self.r
        r.freeze()
        before, end = r.parts[-1] if r.parts else (b"", 0)
        need(name > before, "parts are not in order")
        self.names += len(name)
        need(len(r.parts) < MAX_PARTS and self.names <= MAX_PART_NAMES, "too many parts, or too long names")
        need(count > 0 and first >= end and first + count <= r.count, f"part {decoded!r}: its chunks")
        start, head = r.chunk(first)[1], r.chunk(first)[4]
        last = r.chunk(first + count - 1)
        total = last[1] + last[4] - start
        need(skip in (0, head) and 0 <= total - skip - size < ALIGN, f"part {decoded!r}: its size")
        r.parts.append((name, first + count))

    def trailer(self, m):
        chunks, parts, size, sha256 = m.uint(), m.uint(), m.uint(), m.bytes(32)
        m.end()
        r = self.r
        need((chunks, parts, size, len(sha256)) == (r.count, len(r.parts), r.size, 32), "the trailer's counts are not those of the index")
        r.sha256 = sha256


def first_uses(numbers):
    """How many numbers there are, which must be 0, 1, 2 ... in the order of their first use."""
    used = 0
    for n in numbers:
        need(n <= used, "a number is used before the one below it")
        used = max(used, n + 1)
    return used


def base_limit(size):
    """Section 8.7: how many bytes the stream of a base may have."""
    return max(1 << 30, 16 * min(size, 1 << 48))


def read_index(directory, plain, base, chunk_size, limit, sealed):
    """Reads an index from plain, a seekable file that holds zstd, into a Recipe."""
    digest = hashlib.sha256()
    for block in iter(lambda: plain.read(1 << 20), b""):
        digest.update(block)
    end = plain.tell()
    plain.seek(0)
    need(end, "an empty index")
    while plain.tell() < end:
        frame_end(plain.read, 8 << 20)
    plain.seek(0)
    os.lseek(plain.fileno(), 0, os.SEEK_SET)
    recipe = Recipe(directory)
    recipe.plain_sha256 = digest.digest()
    zstd = subprocess.Popen(["zstd", "-dcq", "-M8MB"], stdin=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        reader = IndexReader(recipe, base, base and base.plain_sha256, chunk_size, limit, sealed)
        reader.read(zstd.stdout)
        message = zstd.stderr.read()
        need(zstd.wait() == 0, f"zstd: {message.decode(errors='replace').strip()}")
    except BaseException:
        recipe.__exit__()
        raise
    finally:
        zstd.kill()
        zstd.stdout.close()
        zstd.stderr.close()
        zstd.wait()
    return recipe


class Places:
    """Where the chunks of each frame belong, sorted by counting in a mapped file. Use as a context manager."""

    def __init__(self, recipe, directory):
        starts = [0] * (len(recipe.frames) + 1)
        for n in range(recipe.count):
            starts[recipe.chunk(n)[2] + 1] += 1
        self.starts = list(itertools.accumulate(starts))
        self.file = tempfile.TemporaryFile(dir=directory)
        self.file.truncate(4 * max(recipe.count, 1))
        self.map = mmap.mmap(self.file.fileno(), 0)
        self.numbers = memoryview(self.map).cast("I")
        fill = self.starts[:-1]
        for n in range(recipe.count):
            frame = recipe.chunk(n)[2]
            self.numbers[fill[frame]] = n
            fill[frame] += 1

    def of(self, frame):
        """The positions in the stream of the frame's chunks, in order."""
        return self.numbers[self.starts[frame] : self.starts[frame + 1]].tolist()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.numbers.release()
        self.map.close()
        self.file.close()
