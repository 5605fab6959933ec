"""LIST and NLST: lines as ``ls -l`` writes them, and the options clients send along.

RFC 959 leaves the form of LIST to the server; every client reads that of ``ls -l``.
Times are UTC, as MDTM's are.
"""

from __future__ import annotations

import re
import stat
from functools import lru_cache

from netservices.core.dates import ls_date
from netservices.values import LineOf, Node, NodeKind

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OPTIONS = re.compile(r"(?:-[A-Za-z1]+(?: +|\Z))+")

_MODE_BITS = 0o7777
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
    return line_of_node(list_line_of(now), node)[:-1]


def line_of_node(line_of: LineOf, node: Node) -> str:
    """The line of one node."""
    mode = _KIND_BITS[node.kind] | node.mode & _MODE_BITS
    seconds = node.mtime_ns / 1e9
    return line_of(node.name, mode, node.size, seconds, node.owner, node.link_target)


def list_line_of(now: float) -> LineOf:
    """Makes lines of LIST, each with a line feed.

    Without calls that most lines do not need, for there are thousands: neighbours are
    often alike.
    """
    known_mode, known_owner, known_mtime = -1, "", -1.0
    prefix, date = "", ls_date(-1.0, now)

    def line_of(
        name: str, mode: int, size: int, mtime: float, owner: str, link: str | None
    ) -> str:
        nonlocal known_mode, known_owner, known_mtime, prefix, date
        if not name.isprintable():
            name = printable(name)
        if link is not None:
            name = f"{name} -> {printable(link)}"
        if mode != known_mode or owner != known_owner:
            known_mode, known_owner = mode, owner
            prefix = _prefix(mode, owner)
        if mtime != known_mtime:
            known_mtime = mtime
            date = ls_date(mtime, now)
        return f"{prefix} {size:12} {date} {name}\n"

    return line_of


@lru_cache(maxsize=256)
def _prefix(mode: int, owner: str) -> str:
    """Mode, links, owner and group: few combinations in many lines."""
    links = 2 if stat.S_ISDIR(mode) else 1
    name = printable(owner.partition("@")[0].replace(" ", "_")) or "ftp"
    return f"{stat.filemode(mode)} {links:3} {name:<8} ftp     "


def split_list_options(text: str) -> str:
    """The path of a LIST or NLST argument, after the options that may precede it."""
    # Not RFC 959: clients send "LIST -la"; a name that begins with "-" needs "./".
    match = _OPTIONS.match(text)
    return text[match.end() :] if match else text
