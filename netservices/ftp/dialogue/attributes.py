"""Times and modes of files: MDTM (RFC 3659 3, and the form that sets), MFMT and MFF
(draft-somers-ftp-mfxx-04), SITE CHMOD and SITE UTIME."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Reply, format_time, parse_time
from netservices.interfaces import NotFound
from netservices.values import Node, NodeKind

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()
SITE = Commands()

DENIED = Reply(550, "Permission denied")

_MODE = re.compile(rb"[0-7]{3,4}\Z")
_TIME_AND_PATH = re.compile(rb"(\d{14}(?:\.\d{1,9})?) (.+)\Z", re.DOTALL)
_UTIME_BEFORE = re.compile(rb"(\d{12})(\d\d)? (.+)\Z", re.DOTALL)
_UTIME_AFTER = re.compile(rb"(.+) \d{14} (\d{14}) \d{14} UTC\Z", re.DOTALL)
_MOST_FACTS = 16


@COMMANDS.verb(
    "MDTM",
    argument=Argument.REQUIRED,
    help="[<YYYYMMDDHHMMSS>] <path>: tell the modification time, or set it",
    permission=Permission.READ,
    feature="MDTM",
)
async def mdtm(talk: Conversation, argument: bytes) -> Reply:
    """In UTC (RFC 3659 3)."""
    try:
        node = await talk.view.tree.stat(talk.path(argument))
    except NotFound:
        match = _TIME_AND_PATH.match(argument)
        if match is None:
            raise
        # Not RFC 3659 3.1: clients that know no MFMT put a time before the path.  A
        # file whose whole name looks so is meant by its name.
        if not talk.view.may(Permission.ATTRIBUTES):
            return DENIED
        return await _set_time(talk, match[1], match[2])
    if node.kind is not NodeKind.FILE:
        # RFC 3659 3.1: only for what RETR could fetch.
        raise Refused("not a plain file", Reply(550, "Not a plain file"))
    return Reply(213, format_time(node.mtime_ns))


@COMMANDS.verb(
    "MFMT",
    argument=Argument.REQUIRED,
    help="<YYYYMMDDHHMMSS> <path>: set the modification time",
    permission=Permission.ATTRIBUTES,
    feature="MFMT",
)
async def mfmt(talk: Conversation, argument: bytes) -> Reply:
    """The time that was set, as MDTM gives it (draft-somers-ftp-mfxx 3.1)."""
    written, _, name = argument.partition(b" ")
    if not name:
        raise SyntaxProblem("MFMT without a path")
    return await _set_time(talk, written, name)


async def _set_time(talk: Conversation, written: bytes, name: bytes) -> Reply:
    mtime_ns = parse_time(written.decode("ascii", "replace"))
    node = await _set(talk, name, mtime_ns=mtime_ns)
    return Reply(213, f"Modify={format_time(node.mtime_ns)}; {talk.decode(name)}")


async def _set(
    talk: Conversation,
    name: bytes,
    mtime_ns: int | None = None,
    mode: int | None = None,
) -> Node:
    path = talk.path(name)
    changing = talk.view.tree.set_attributes(path, mtime_ns=mtime_ns, mode=mode)
    return await talk.carry_out(changing, "attributes", path)


# --- several facts at once ----------------------------------------------------------


def parse_changes(argument: bytes) -> tuple[int | None, int | None, bytes]:
    """Modification time, mode and path of ``fact=value;fact=value; path``.

    SyntaxProblem; Refused, with 504, for a fact that cannot be set.
    """
    facts, space, name = argument.partition(b"; ")
    if not space or not name or facts.count(b";") >= _MOST_FACTS:
        raise SyntaxProblem("MFF takes facts, a space and a path")
    mtime_ns = mode = None
    for fact in facts.split(b";"):
        key, equals, value = fact.partition(b"=")
        if not equals:
            raise SyntaxProblem("a fact without a value")
        if key.lower() == b"modify":
            mtime_ns = parse_time(value.decode("ascii", "replace"))
        elif key.lower() == b"unix.mode":
            mode = parse_mode(value)
        else:
            raise Refused("MFF of another fact", Reply(504, "That fact cannot be set"))
    return mtime_ns, mode, name


def parse_mode(octets: bytes) -> int:
    """Permission bits from octal digits.  SyntaxProblem."""
    if not _MODE.match(octets):
        raise SyntaxProblem("a mode is three or four octal digits")
    return int(octets, 8)


@COMMANDS.verb(
    "MFF",
    argument=Argument.REQUIRED,
    help="<fact>=<value>;... <path>: set facts of a file, Modify and UNIX.mode",
    permission=Permission.ATTRIBUTES,
    feature="MFF Modify;UNIX.mode;",
)
async def mff(talk: Conversation, argument: bytes) -> Reply:
    """All of them, or none (draft-somers-ftp-mfxx-04 5)."""
    mtime_ns, mode, name = parse_changes(argument)
    node = await _set(talk, name, mtime_ns, mode)
    told = []
    if mtime_ns is not None:
        told.append(f"Modify={format_time(node.mtime_ns)};")
    if mode is not None:
        told.append(f"UNIX.mode={node.mode & 0o7777:04o};")
    return Reply(213, f"{''.join(told)} {talk.decode(name)}")


# --- SITE ---------------------------------------------------------------------------


@SITE.verb(
    "CHMOD",
    argument=Argument.REQUIRED,
    help="<octal mode> <path>: change permissions",
    permission=Permission.ATTRIBUTES,
)
async def chmod(talk: Conversation, argument: bytes) -> Reply:
    """Permission bits as an octal number."""
    mode, _, name = argument.partition(b" ")
    if not name:
        raise SyntaxProblem("SITE CHMOD takes an octal mode and a path")
    await _set(talk, name, mode=parse_mode(mode))
    return Reply(200, "Permissions changed")


@SITE.verb(
    "UTIME",
    argument=Argument.REQUIRED,
    help="<YYYYMMDDhhmm[ss]> <path>: set the modification time",
    permission=Permission.ATTRIBUTES,
)
async def utime(talk: Conversation, argument: bytes) -> Reply:
    """Both dialects: time and path, or path and three times that end in UTC."""
    after = _UTIME_AFTER.match(argument)
    before = _UTIME_BEFORE.match(argument)
    if after is not None:
        name, written = after[1], after[2]
    elif before is not None:
        name, written = before[3], before[1] + (before[2] or b"00")
    else:
        raise SyntaxProblem("SITE UTIME takes a time and a path")
    await _set(talk, name, mtime_ns=parse_time(written.decode("ascii")))
    return Reply(200, "Time changed")
