"""How the octets of the next transfer stand for the file: TYPE STRU MODE REST (RFC 959
3.1 to 3.5, RFC 3659 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Reply

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

_ASCII = frozenset({"A", "A N", "A T"})
_IMAGE = frozenset({"I", "L 8", "L8"})
_KNOWN_TYPE = re.compile(r"([AE]( [NTC])?|I|L \d{1,3})\Z")
_LARGEST_OFFSET = (1 << 63) - 1


@COMMANDS.verb("TYPE", argument=Argument.REQUIRED, help="A|I|L 8: representation")
def type_(talk: Conversation, argument: bytes) -> Answer:
    """ASCII (non-print, or Telnet format) and image, which is also L 8."""
    name = _word(argument)
    if name in _ASCII:
        talk.is_ascii = True
        return Reply(200, "Type is ASCII")
    if name in _IMAGE:
        talk.is_ascii = False
        return Reply(200, "Type is image")
    if _KNOWN_TYPE.match(name):
        return Reply(504, "That type is not implemented")
    return Reply(501, "No such type")


@COMMANDS.verb("STRU", argument=Argument.REQUIRED, help="F: file structure")
def stru(talk: Conversation, argument: bytes) -> Answer:
    """Files only."""
    return _one_of(_word(argument), "F", "RP", "Structure is file")


@COMMANDS.verb("MODE", argument=Argument.REQUIRED, help="S: transfer mode")
def mode(talk: Conversation, argument: bytes) -> Answer:
    """Streams only."""
    return _one_of(_word(argument), "S", "BC", "Mode is stream")


def _one_of(word: str, offered: str, known: str, text: str) -> Reply:
    if word == offered:
        return Reply(200, text)
    if len(word) == 1 and word in known:
        return Reply(504, "That is not implemented")
    return Reply(501, "No such value")


def _word(argument: bytes) -> str:
    return " ".join(argument.decode("ascii", "replace").upper().split())


@COMMANDS.verb(
    "REST",
    argument=Argument.REQUIRED,
    help="<octets>: where the next transfer begins",
    feature="REST STREAM",
)
def rest(talk: Conversation, argument: bytes) -> Answer:
    """For RETR and STOR, in image type (RFC 3659 5)."""
    digits = argument.strip()
    if not digits.isdigit() or len(digits) > 19 or int(digits) > _LARGEST_OFFSET:
        raise SyntaxProblem("REST without a number")
    if talk.is_ascii and int(digits):
        # An offset into converted text is none into the file.
        return Reply(501, "Restart needs TYPE I")
    talk.restart = int(digits)
    return Reply(350, f"The next transfer begins at {talk.restart}")
