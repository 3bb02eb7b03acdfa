"""Unpacks the tar of a Chroma directory, which is taken for hostile (FORMAT.md, section 5)."""

import os
import tarfile

from strict import Refused, fold, need

BLOCK = 512


def extract(f, directory):
    """Unpacks the tar in f, a seekable file, into directory, which must be fresh and private."""
    os.chmod(directory, 0o700)
    files, folders, end = {}, {}, 0
    try:
        with tarfile.open(fileobj=f, mode="r:", encoding="utf-8", errors="strict") as tar:
            for member in tar:
                check(member, files, folders)
                write(tar, member, directory)
                end = member.offset_data + (member.size + BLOCK - 1) // BLOCK * BLOCK
    except (tarfile.TarError, UnicodeError, EOFError) as err:
        raise Refused(f"the tar cannot be read: {err}") from None
    # tarfile ends in silence at a header that it does not understand.
    f.seek(end)
    need(f.read(2 * BLOCK + 1) == bytes(2 * BLOCK), "the tar does not end with two blocks of zeros")


def check(member, files, folders):
    name = member.name
    need(member.isreg() and not member.issparse(), f"{name!r} in the tar is no regular file")
    need(0 < len(name.encode("utf-8")) <= 1024, f"{name!r} in the tar has too long a name")
    need(not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name) and "\\" not in name, f"a member of the tar is named {name!r}")
    elements = name.split("/")
    need(all(e not in ("", ".", "..") and len(e.encode("utf-8")) <= 255 for e in elements), f"a member of the tar is named {name!r}")
    folded = fold(name)
    need(folded not in files and folded not in folders, f"{name!r} is in the tar twice, or is a directory as well")
    files[folded] = name
    for n in range(1, len(elements)):
        folder = "/".join(elements[:n])
        folded = fold(folder)
        need(folded not in files, f"{folder!r} in the tar is a file and a directory")
        need(folders.setdefault(folded, folder) == folder, f"two directories in the tar differ only in case: {folder!r}")


def write(tar, member, directory):
    path = os.path.join(directory, *member.name.split("/"))
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as out, tar.extractfile(member) as content:
        left = member.size
        while left:
            block = content.read(min(left, 1 << 20))
            need(block, f"{member.name!r} in the tar ends early")
            out.write(block)
            left -= len(block)
    os.utime(path, (int(member.mtime // 1), int(member.mtime // 1)))
