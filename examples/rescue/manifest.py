"""The manifest of a snapshot (FORMAT.md, sections 11 and 12)."""

import hashlib

from strict import (
    COMPONENT,
    MAX_DOCUMENT,
    SET,
    Refused,
    Shape,
    check_canonical,
    check_format,
    counts,
    form,
    integer,
    layout,
    list_of,
    moment,
    name,
    need,
    one_of,
    parse_json,
    parse_key,
    snapshot_id,
    text,
    valid_id,
    valid_stamp,
)

HASH = "[0-9a-f]{64}"
WORD = "[a-z][a-z0-9_]{0,63}"
NAME = name(1024)


def origin_id(value, at):
    need(isinstance(value, str) and (valid_id(value) or valid_stamp(value)), f"{at} is {value!r}")


def page_size(value, at):
    one_of(0, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)(value, at)


CHECKS = list_of(
    Shape(name=form(WORD), result=one_of("ok", "failed", "inconclusive", "skipped"), id_=form(WORD), detail_=text(500)),
    0,
    256,
    lambda c: c["name"],
)
FACTS = {
    "sqlite": Shape(
        page_size=page_size,
        user_version=integer(-(2**31), 2**32 - 1),
        application_id=integer(-(2**31), 2**32 - 1),
        journal=one_of("wal", "rollback", ""),
        rows=counts,
    ),
    "file": Shape(format_=one_of("json"), entries_=integer()),
    "chroma": Shape(
        members=integer(),
        migrations=counts,
        collections=list_of(Shape(id=NAME, name=NAME, dimension=integer(), metric_=NAME, count=integer()), 0, 65536),
    ),
}


def any_object(value, at):
    need(isinstance(value, dict), f"{at} is no object")


INDEX = Shape(key=text(1024), size=integer(1), sha256=form(HASH), plain_sha256_=form(HASH))
VOLUME = Shape(
    id=form("[0-9a-f]{16}"), key=text(1024), size=integer(1), sha256=form(HASH), raw=integer(1), live=integer(1)
)
COMPONENTS = Shape(
    name=form(COMPONENT),
    kind=one_of("sqlite", "file", "chroma"),
    chunk_size=one_of(4096, 8192, 16384, 32768, 65536),
    size=integer(),
    sha256_=form(HASH),
    frozen_ms=integer(),
    index=list_of(INDEX, 1, 2, lambda o: o["key"]),
    volumes=list_of(VOLUME, 0, 100000, lambda o: o["key"]),
    facts_=any_object,
    checks=CHECKS,
)
MANIFEST = Shape(
    format=one_of(1),
    repository=form("[0-9a-f]{32}"),
    set=form(SET),
    id=snapshot_id,
    captured_at=moment,
    host=text(255),
    tool=text(100, 1),
    parent_=snapshot_id,
    origin_=Shape(repository=form("([0-9a-f]{32})?"), id=origin_id, manifest_sha256=form(f"({HASH})?")),
    sequence=integer(1),
    nonce=form("[0-9a-f]{16}"),
    tags_=list_of(form(r"[a-z0-9][a-z0-9._-]{0,62}(=[ -~]{0,128})?"), 0, 64, lambda t: t),
    grade=one_of("good", "degraded", "suspect"),
    reasons_=list_of(Shape(component_=form(COMPONENT), id=form(WORD), message=text(500)), 0, 1000),
    encryption_=Shape(scheme=one_of("age"), recipients=list_of(text(4096, 1), 1, 64)),
    components=list_of(COMPONENTS, 1, 64, lambda c: c["name"]),
    digest=form(HASH),
)


def split(data):
    """Section 11.8: the document without its signature block. Signatures are not checked here."""
    at = data.rfind(b"\n\n")
    if at < 0:
        return data
    body, block = data[: at + 1], data[at + 2 :]
    lines = block.split(b"\n")
    need(len(block) <= 16 << 10 and 2 <= len(lines) <= 17 and lines[-1] == b"", "what follows the empty line is no signature block")
    for line in lines[:-1]:
        need(line.startswith("\u2014 ".encode()), "a line of the signature block is no signature")
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("a signature is not UTF-8") from None
    return body


def decode(data):
    """Returns the manifest as a dictionary that keeps every rule of the format."""
    need(len(data) <= MAX_DOCUMENT, f"{len(data)} bytes with its signatures, at most {MAX_DOCUMENT}")
    check_format(data)
    body = split(data)
    m = parse_json(body, MAX_DOCUMENT)
    MANIFEST(m, "manifest")
    need(m.get("parent") != m["id"], "the snapshot is its own parent")
    need(m["grade"] == "good" or m.get("reasons"), f"grade {m['grade']} without a reason")
    for c in m["components"]:
        check_component(m, c)
    check_canonical(m, body)
    digest = hashlib.sha256((layout({**m, "digest": ""}) + "\n").encode()).hexdigest()
    need(digest == m["digest"], f"its digest is {digest}, not {m['digest']}: it was changed")
    return m


def check_component(m, c):
    at, sealed = f"component {c['name']}", "encryption" in m
    need(sealed != ("sha256" in c), f"{at}: the stream's hash is there in an encrypted snapshot, or not there in an open one")
    need(not (sealed and "facts" in c), f"{at}: facts in the open")
    if "facts" in c:
        check_facts(c["kind"], c["facts"], f"facts of {at}")
    for n, o in enumerate(c["index"]):
        check_object(m, c, o, "index", "base" if n else "index")
        need(sealed == ("plain_sha256" in o), f"{o['key']}: plain_sha256")
    need((c["size"] == 0) == (not c["volumes"]), f"{at}: {len(c['volumes'])} volumes for {c['size']} bytes")
    ids = set()
    for o in c["volumes"]:
        check_object(m, c, o, "volume", "volume")
        need(o["id"] not in ids, f"{at}: volume id {o['id']} twice")
        ids.add(o["id"])
        need(o["live"] <= o["raw"], f"{o['key']}: {o['live']} live of {o['raw']} bytes")
    need(sum(o["live"] for o in c["volumes"]) <= c["size"], f"{at}: more live bytes than the stream has")


def check_object(m, c, o, what, other):
    key = parse_key(o["key"])
    need(
        key
        and (key.get(what) or key.get(other))
        and key["set"] == m["set"]
        and key["component"] == c["name"]
        and bool(key["sealed"]) == ("encryption" in m),
        f"component {c['name']}: {what} key {o['key']!r}",
    )


def check_facts(kind, facts, at):
    need(isinstance(facts, dict) and list(facts) == [kind], f"{at} are not those of kind {kind}")
    FACTS[kind](facts[kind], at)


def decode_facts(kind, data):
    """Facts as an encrypted index holds them."""
    facts = parse_json(data)
    check_facts(kind, facts, "facts")
    check_canonical(facts, data)
    return facts
