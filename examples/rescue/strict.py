"""Strict reading of a holdfast repository's documents and keys (FORMAT.md, sections 3, 4, 10 to 13).

Every function returns a value that keeps all rules, or raises Refused with what is wrong.
"""

import datetime
import json
import re

MAX_INT = 2**53 - 1
MAX_DOCUMENT = 64 << 20
MAX_MEMBERS = 65536


class Refused(Exception):
    """The repository, or one of its objects, is not what the format says."""


def need(condition, message):
    if not condition:
        raise Refused(message)


# Section 3: keys.

SET = r"[a-z0-9][a-z0-9-]{0,39}"
COMPONENT = r"[a-z][a-z0-9_]{0,31}"
STAMP = r"[0-9]{8}T[0-9]{6}Z"
ID = STAMP + r"-[0-9a-f]{8}"
FILE = COMPONENT + r"(?:-[0-9]{5}|\.index|\.base)\.zst(?:\.age)?"
KEYS = [
    re.compile(p)
    for p in (
        f"(?P<set>{SET})/manifests/(?P<id>{ID})\\.json",
        f"(?P<set>{SET})/archives/(?P<id>{ID})/(?P<component>{COMPONENT})-(?P<volume>[0-9]{{5}})\\.zst(?P<sealed>\\.age)?",
        f"(?P<set>{SET})/archives/(?P<id>{ID})/(?P<component>{COMPONENT})(?P<index>\\.index)\\.zst(?P<sealed>\\.age)?",
        f"(?P<set>{SET})/archives/(?P<id>{ID})/(?P<component>{COMPONENT})(?P<base>\\.base)\\.zst(?P<sealed>\\.age)?",
        f"(?P<set>{SET})/intents/(?P<id>{ID})",
        f"(?P<set>{SET})/(?:expired|verdicts)/(?P<id>{ID})\\.[1-9][0-9]{{0,5}}",
        f"(?P<set>{SET})/damaged/(?P<id>{ID})\\.{FILE}",
        f"(?P<set>{SET})/pins/(?P<id>{ID})\\.[0-9a-f]{{8}}\\.json",
        f"(?P<set>{SET})/drills/(?P<id>{ID})/(?P<stamp>{STAMP})\\.json",
    )
]


def valid_id(text):
    return re.fullmatch(ID, text) is not None and valid_stamp(text[:16])


def valid_stamp(text):
    if re.fullmatch(STAMP, text) is None:
        return False
    try:
        moment = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ")
    except ValueError:
        return False
    # strptime takes a second 60 or 61; a stamp has none.
    return moment.year >= 1970 and moment.strftime("%Y%m%dT%H%M%SZ") == text


def parse_key(key):
    """The parts of a key below a repository's prefix, or None when it is not one."""
    for form in KEYS:
        match = form.fullmatch(key)
        if match:
            parts = match.groupdict()
            if not valid_id(parts["id"]) or not valid_stamp(parts.get("stamp") or parts["id"][:16]):
                return None
            return parts
    return None


# Section 10: JSON.

ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quote(text):
    def escape(match):
        c = match.group()
        return ESCAPES.get(c) or "\\u%04x" % ord(c)

    return '"' + re.sub(r'["\\\x00-\x1f\u2028\u2029]', escape, text) + '"'


def layout(value, indent=""):
    """The canonical form of a value, without the newline that ends a document."""
    if isinstance(value, str):
        return quote(value)
    if not isinstance(value, (dict, list)):
        return str(value)
    inner = value.values() if isinstance(value, dict) else value
    tall = any(isinstance(v, (dict, list)) for v in inner)
    deeper = indent + "  "
    if isinstance(value, dict):
        cells = [quote(k) + ": " + layout(v, deeper) for k, v in value.items()]
        left, right = "{", "}"
    else:
        cells = [layout(v, deeper) for v in value]
        left, right = "[", "]"
    if not tall:
        return left + ", ".join(cells) + right
    return left + "\n" + ",\n".join(deeper + c for c in cells) + "\n" + indent + right


def fold(text):
    return re.sub("[A-Z]", lambda m: m.group().lower(), text)


def parse_json(data, most=MAX_DOCUMENT):
    """Decodes a document without the leniencies of a JSON library."""
    need(len(data) <= most, f"{len(data)} bytes, at most {most}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as err:
        raise Refused(f"not UTF-8: {err}") from None

    def members(pairs):
        need(len(pairs) <= MAX_MEMBERS, f"more than {MAX_MEMBERS} members in an object")
        seen = {}
        for name, _ in pairs:
            need(fold(name) not in seen, f"members {seen.get(fold(name))!r} and {name!r} in one object")
            seen[fold(name)] = name
        return dict(pairs)

    def no(text):
        raise Refused(f"the number {text}")

    try:
        value = json.loads(text, object_pairs_hook=members, parse_float=no, parse_constant=no)
    except (ValueError, RecursionError) as err:
        raise Refused(f"not JSON: {err}") from None
    check_tree(value)
    return value


def check_format(data):
    """Section 15: a document of another format is told as such, whatever else is in it."""
    try:
        value, _ = json.JSONDecoder().raw_decode(data.decode("utf-8", "replace").lstrip())
    except (ValueError, RecursionError):
        return  # strict reading says what is wrong
    if isinstance(value, dict) and type(value.get("format")) is int:
        need(value["format"] == 1, f"it has format {value['format']}, and this program knows format 1: use a newer one")


def check_tree(value):
    stack = [(value, 1)]
    while stack:
        v, depth = stack.pop()
        need(v is not None and not isinstance(v, bool), "a null or a truth value")
        if isinstance(v, (dict, list)):
            need(depth <= 64, "more than 64 levels")
            stack.extend((x, depth + 1) for x in (v.values() if isinstance(v, dict) else v))
        elif isinstance(v, int):
            need(-MAX_INT <= v <= MAX_INT, f"the number {v}")


def check_canonical(value, data):
    try:
        same = (layout(value) + "\n").encode("utf-8") == data
    except UnicodeEncodeError:  # half a pair of surrogates
        same = False
    need(same, "the document is not in its canonical form")


class Shape:
    """The members of an object, in their order: name -> (check, optional)."""

    def __init__(self, **members):
        self.members = {}
        for name, check in members.items():
            self.members[name.rstrip("_")] = (check, name.endswith("_"))

    def __call__(self, value, at):
        need(isinstance(value, dict), f"{at} is no object")
        for name in value:
            need(name in self.members, f"{at} has an unknown member {name!r}")
        order = [n for n in self.members if n in value]
        need(list(value) == order, f"the members of {at} are out of order")
        for name, (check, optional) in self.members.items():
            if name not in value:
                need(optional, f"{at} has no {name}")
                continue
            if optional:
                need(value[name] not in ("", 0, []), f"{at}: {name} is empty, and so must be left out")
            check(value[name], f"{at}.{name}")


def text(most, least=0):
    """Section 2: without control characters."""

    def check(value, at):
        name(most, least)(value, at)
        need(not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in value), f"{at} has a control character")

    return check


def name(most, least=0):
    """Valid UTF-8 with any character."""

    def check(value, at):
        need(isinstance(value, str), f"{at} is no string")
        need(least <= len(value.encode("utf-8", "surrogatepass")) <= most, f"{at} has not {least} to {most} bytes")

    return check


def form(pattern):
    compiled = re.compile(pattern)

    def check(value, at):
        need(isinstance(value, str) and compiled.fullmatch(value), f"{at} is {value!r}")

    return check


def integer(least=0, most=MAX_INT):
    def check(value, at):
        need(isinstance(value, int) and least <= value <= most, f"{at} is {value!r}")

    return check


def one_of(*values):
    def check(value, at):
        need(type(value) in (str, int) and value in values, f"{at} is {value!r}")

    return check


def list_of(check_one, least, most, distinct=lambda v: None):
    def check(value, at):
        need(isinstance(value, list) and least <= len(value) <= most, f"{at} has not {least} to {most} elements")
        seen = set()
        for n, v in enumerate(value):
            check_one(v, f"{at}[{n}]")
            key = distinct(v)
            need(key is None or key not in seen, f"{at}: {key!r} is there twice")
            seen.add(key)

    return check


def counts(value, at):
    need(isinstance(value, dict), f"{at} is no object")
    names = [n.encode("utf-8", "surrogatepass") for n in value]
    need(names == sorted(names), f"{at} is not sorted")
    for key, n in value.items():
        name(1024)(key, f"a name in {at}")
        integer()(n, f"{at}[{key!r}]")


def moment(value, at):
    match = isinstance(value, str) and re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{0,8}[1-9])?Z", value, re.ASCII)
    need(match, f"{at} is {value!r}")
    need(valid_stamp(match.group(1).replace("-", "").replace(":", "") + "Z"), f"{at} is {value!r}")


def snapshot_id(value, at):
    need(isinstance(value, str) and valid_id(value), f"{at} is {value!r}")


def tombstone(snapshot):
    return ('{"format":1,"id":"%s","revoked":true}\n' % snapshot).encode()


def marker(data):
    """Section 4: returns the repository's id."""
    need(len(data) <= 64 << 10, "the marker is too large")
    try:
        probe = json.loads(data)
    except ValueError as err:
        raise Refused(f"the marker is not JSON: {err}") from None
    need(isinstance(probe, dict) and "format" in probe and "requires" in probe, "the marker is not one of a holdfast repository")
    need(probe["format"] == 1, f"repository format {probe['format']}; this program knows format 1")
    unknown = [w for w in probe["requires"] if w != "ballot-1"] if isinstance(probe["requires"], list) else probe["requires"]
    need(not unknown, f"the repository requires {unknown}, which this program does not know")
    match = re.fullmatch(rb'\{"format":1,"repository":"([0-9a-f]{32})","requires":\["ballot-1"\]\}\n', data)
    need(match, "the marker is not in its canonical form")
    return match.group(1).decode()
