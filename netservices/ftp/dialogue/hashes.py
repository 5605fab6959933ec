"""Digests of files: HASH (draft-bryan-ftpext-hash-02), and the older commands of which
each knows one algorithm: XCRC, XMD5, XSHA1 and their kin, MD5 (draft-twine-ftpmd5).

What was found during an upload, or asked for before, is there at once; else the file is
read by threads (``files.digests``), and ABOR ends the wait.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from attrs import frozen

from netservices.core.dialogue import Answer
from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.labour import Labour, labour
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.representation import BEGINNING
from netservices.ftp.wire import Reply, unquoted
from netservices.interfaces import (
    Conflict,
    IsADirectory,
    TooLarge,
)
from netservices.values import FileDigest

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

ALGORITHMS = ("SHA-256", "SHA-512", "SHA-1", "MD5", "CRC32")
"""The first is selected when a session begins."""

_NUMBER = re.compile(rb"\d{1,18}\Z")
_QUOTED_AND_RANGE = re.compile(
    rb'("(?:[^"]|"")+")(?: +(\d{1,18})(?: +(\d{1,18}))?)?\Z', re.DOTALL
)


def opts_hash(talk: Conversation, option: str) -> Answer:
    """``OPTS HASH`` tells the algorithm, ``OPTS HASH name`` selects one (draft 3.2)."""
    if option:
        if option.upper() not in ALGORITHMS:
            return Reply(501, f"Unknown algorithm; it is still {talk.hash_name}")
        talk.hash_name = option.upper()
    return Reply(200, talk.hash_name)


def feature(talk: Conversation) -> str:
    """The line of FEAT; a star marks what is selected (draft 3.1)."""
    names = (name + ("*" if name == talk.hash_name else "") for name in ALGORITHMS)
    return "HASH " + ";".join(names)


@COMMANDS.verb(
    "HASH",
    argument=Argument.REQUIRED,
    help="<path>: digest of a file, by the algorithm that OPTS HASH selects",
    permission=Permission.READ,
    feature=feature,
)
async def hash_(talk: Conversation, argument: bytes) -> AnyReply:
    """213 with the range that was read: its first octet and its last."""
    text = talk.decode(argument)

    def say(found: FileDigest) -> Reply:
        # Draft 3: the end point is not less than the start point.
        span = f"{found.start}-{max(found.end - 1, found.start)}"
        return Reply(213, f"{found.algorithm} {span} {found.digest.hex()} {text}")

    wanted = _Wanted(text, talk.hash_name)
    if talk.restart.end is not None:
        # Draft 3.3: RANG counts for HASH as it does for RETR.
        start, end = talk.restart.offset, talk.restart.end
        wanted = _Wanted(text, talk.hash_name, start, end)
    talk.restart = BEGINNING
    return await _answer(talk, "HASH", wanted, say)


@frozen
class _Wanted:
    """What a command asks for."""

    text: str
    algorithm: str
    start: int = 0
    end: int | None = None


async def _answer(
    talk: Conversation, verb: str, wanted: _Wanted, say: Callable[[FileDigest], Reply]
) -> AnyReply:
    path = talk.view.path(wanted.text)
    asked = talk.view.tree.digest(path, wanted.algorithm, wanted.start, wanted.end)
    work = Labour(verb, path, talk.policy.seconds(), stop=asked.cancel)
    return await labour(talk, work, _in_draft_words(asked), say)


async def _in_draft_words(asked: Awaitable[FileDigest]) -> FileDigest:
    """Refusals with the codes of draft-bryan-ftpext-hash-02 3.5."""
    try:
        return await asked
    except IsADirectory as error:
        raise Refused("no file", Reply(553, "A directory has no digest")) from error
    except TooLarge as error:
        text = "The file is too large to be read for that"
        raise Refused("too large", Reply(556, text)) from error
    except Conflict as error:
        raise Refused("changed, or beyond", Reply(551, "No such range")) from error


# --- the older commands -------------------------------------------------------------


def _register(name: str, algorithm: str) -> None:
    @COMMANDS.verb(
        name,
        argument=Argument.REQUIRED,
        help=f"<path> [<start> [<end>]]: {algorithm} of a file or of a range of it",
        permission=Permission.READ,
        feature=name,
    )
    async def digest(talk: Conversation, argument: bytes) -> AnyReply:
        wanted = parse_range(talk, argument, algorithm)
        return await _answer(
            talk, name, wanted, lambda found: Reply(250, found.digest.hex())
        )


for _name, _algorithm in (
    ("XCRC", "CRC32"),
    ("XMD5", "MD5"),
    ("XSHA", "SHA-1"),
    ("XSHA1", "SHA-1"),
    ("XSHA256", "SHA-256"),
    ("XSHA512", "SHA-512"),
):
    _register(_name, _algorithm)


def parse_range(talk: Conversation, argument: bytes, algorithm: str) -> _Wanted:
    """A path, in quotes where a range follows it, or not.  SyntaxProblem.

    ``end`` is the octet after the last one, as the servers have it that brought these
    commands up.
    """
    match = _QUOTED_AND_RANGE.match(argument)
    if match is not None:
        name = match[1]
        numbers = [int(digits) for digits in match.groups()[1:] if digits]
    else:
        name, numbers = _numbers_behind(argument)
    text = talk.decode(name)
    if text.startswith('"') and len(text) > 1 and text.endswith('"'):
        text = unquoted(text)
    start = numbers[0] if numbers else 0
    end = numbers[1] if len(numbers) > 1 else None
    if end is not None and end < start:
        raise SyntaxProblem("the range ends before it begins")
    return _Wanted(text, algorithm, start, end)


def _numbers_behind(argument: bytes) -> tuple[bytes, list[int]]:
    """A name, and up to two numbers behind it; from the end, so that thousands of
    spaces are no more work than they are long."""
    name, numbers = argument, list[int]()
    while len(numbers) < 2:
        before, _, last = name.rpartition(b" ")
        before = before.rstrip(b" ")
        if not before or not _NUMBER.match(last):
            break
        name, numbers = before, [int(last), *numbers]
    return name, numbers


@COMMANDS.verb(
    "MD5",
    argument=Argument.REQUIRED,
    help="<path>: MD5 of a file",
    permission=Permission.READ,
    feature="MD5",
)
async def md5(talk: Conversation, argument: bytes) -> AnyReply:
    """251 with the path and the digest (draft-twine-ftpmd5-00 3.1)."""
    text = talk.decode(argument)

    def say(found: FileDigest) -> Reply:
        return Reply(251, f"{text} {found.digest.hex().upper()}")

    return await _answer(talk, "MD5", _Wanted(text, "MD5"), say)
