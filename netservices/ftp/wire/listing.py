"""LIST and NLST: lines as ``ls -l`` writes them, and the options clients send along.

RFC 959 leaves the form of LIST to the server; every client reads that of ``ls -l``.
Times are UTC, as MDTM's are.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from functools import lru_cache

from netservices.core.dates import ls_date
from netservices.values import Node, NodeKind

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OPTIONS = re.compile(r"(?:-[A-Za-z1]+(?: +|\Z))+")

_KIND_BITS = {
    NodeKind.FILE: stat.S_IFREG,
    NodeKind.DIRECTORY: stat.S_IFDIR,
    NodeKind.SYMLINK: stat.S_IFLNK,
    NodeKind.OTHER: stat.S_IFSOCK,
}


def printable(name: str) -> str:
    """``name`` with control characters as ``?``: a line feed in it would be a line."""
    return name if name.isprintable() else _CONTROL.sub("?", name)


def list_line(node: Node, now: float) -> str:
    """One line of LIST, without its line end."""
    return list_lines((node,), now)[:-1]


def list_lines(nodes: Iterable[Node], now: float) -> str:
    """Lines of LIST, each with a line feed.

    One loop without calls that most lines do not need, for there are thousands.
    """
    lines = []
    for node in nodes:
        name = node.name
        if not name.isprintable():
            name = printable(name)
        if node.link_target is not None and node.kind is NodeKind.SYMLINK:
            name = f"{name} -> {printable(node.link_target)}"
        prefix = _prefix(node.kind, node.mode & 0o7777, node.owner)
        date = ls_date(node.mtime_ns / 1e9, now)
        lines.append(f"{prefix} {node.size:12} {date} {name}\n")
    return "".join(lines)


@lru_cache(maxsize=256)
def _prefix(kind: NodeKind, mode: int, owner: str) -> str:
    """Mode, links, owner and group: few combinations in many lines."""
    bits = stat.filemode(_KIND_BITS[kind] | mode)
    links = 2 if kind is NodeKind.DIRECTORY else 1
    name = printable(owner.partition("@")[0].replace(" ", "_")) or "ftp"
    return f"{bits} {links:3} {name:<8} ftp     "


def split_list_options(text: str) -> str:
    """The path of a LIST or NLST argument, after the options that may precede it."""
    # Not RFC 959: clients send "LIST -la"; a name that begins with "-" needs "./".
    match = _OPTIONS.match(text)
    return text[match.end() :] if match else text
