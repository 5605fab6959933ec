"""MLST and MLSD: facts of a file in a form made for programs (RFC 3659 7), and the
time values that MDTM and MFMT share with them (RFC 3659 2.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.listing import printable
from netservices.values import Node, NodeKind

USUAL_FACTS = ("type", "perm", "size", "modify", "unique", "unix.mode")
"""The facts that are told unless OPTS MLST names others."""

FACTS = (*USUAL_FACTS, "unix.uid", "unix.gid", "unix.owner")
"""The facts on offer, in the order in which they are written."""

_EARLIEST = -62_135_596_800  # 0001-01-01
_LATEST = 253_402_300_799  # 9999-12-31 23:59:59
_TIME = re.compile(r"(\d{14})(?:\.(\d{1,9}))?\Z")
_TYPES = {
    NodeKind.FILE: "file",
    NodeKind.DIRECTORY: "dir",
    # RFC 3659 7.5.1.5: what is neither gets a name that says where it comes from.
    NodeKind.SYMLINK: "OS.unix=symlink",
    NodeKind.OTHER: "OS.unix=special",
}


def chosen_facts(argument: str) -> tuple[str, ...]:
    """The offered facts that ``OPTS MLST fact;fact;`` names (RFC 3659 7.9)."""
    wanted = {name.strip().lower() for name in argument.split(";")}
    return tuple(name for name in FACTS if name.lower() in wanted)


def facts_of(
    node: Node, permissions: str, wanted: Iterable[str], is_chosen: bool = False
) -> list[str]:
    """``name=value`` for each wanted fact that the node has.

    ``permissions`` is the value of the fact ``perm`` (RFC 3659 7.5.5); ``is_chosen``
    says that the client has named the facts.
    """
    facts = []
    for name in wanted:
        if name == "type":
            facts.append("type=" + _TYPES[node.kind])
        elif name == "size":
            # Not RFC 3659 7.5.7: who asks for it by name gets a directory's size, too.
            if node.kind is NodeKind.FILE or is_chosen:
                facts.append(f"size={node.size}")
        elif name == "modify":
            facts.append("modify=" + format_time(node.mtime_ns))
        elif name == "perm":
            facts.append("perm=" + permissions)
        elif name == "unique":
            facts.append("unique=" + node.id)
        elif name == "unix.mode":
            facts.append(f"unix.mode={node.mode & 0o7777:04o}")
        elif name == "unix.uid" and node.uid is not None:
            facts.append(f"unix.uid={node.uid}")
        elif name == "unix.gid" and node.gid is not None:
            facts.append(f"unix.gid={node.gid}")
        elif name == "unix.owner" and node.owner:
            facts.append(f"unix.owner={node.owner}")
    return facts


def format_facts(facts: Iterable[str], name: str) -> str:
    """One entry of MLSD or MLST, without its line end: ``fact=value;... name``."""
    return "".join(fact + ";" for fact in facts) + " " + printable(name)


def parse_facts(line: str) -> tuple[str, dict[str, str]]:
    """The name and the facts, keys in lower case, of an entry.  SyntaxProblem."""
    written, space, name = line.partition(" ")
    if not space or (written and not written.endswith(";")):
        raise SyntaxProblem("not an entry of MLSD")
    facts = {}
    for fact in written.split(";")[:-1]:
        key, _, value = fact.partition("=")
        facts[key.lower()] = value
    return name, facts


def format_time(mtime_ns: int) -> str:
    """``YYYYMMDDHHMMSS`` in UTC, whole seconds."""
    seconds = mtime_ns // 1_000_000_000
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        when = datetime(1970, 1, 1, tzinfo=UTC)
    return (
        f"{when.year:04}{when.month:02}{when.day:02}"
        f"{when.hour:02}{when.minute:02}{when.second:02}"
    )


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 of ``YYYYMMDDHHMMSS[.fraction]``.  SyntaxProblem."""
    match = _TIME.match(text)
    if match is None:
        raise SyntaxProblem("a time is YYYYMMDDHHMMSS")
    digits = match[1]
    # RFC 3659 2.3: 60 is allowed, for a leap second; the next minute begins with it.
    second = int(digits[12:])
    try:
        when = datetime(
            int(digits[:4]), int(digits[4:6]), int(digits[6:8]),
            int(digits[8:10]), int(digits[10:12]), min(second, 59),
            tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        raise SyntaxProblem("no such time") from None
    if second > 60:
        raise SyntaxProblem("no such time")
    fraction = int((match[2] or "").ljust(9, "0"))
    whole = int(when.timestamp()) + (1 if second == 60 else 0)
    return whole * 1_000_000_000 + fraction
