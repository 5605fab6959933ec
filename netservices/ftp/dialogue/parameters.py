"""What the next transfer is to be like: TYPE STRU MODE ALLO REST OPTS (RFC 959
4.1.2, RFC 2389, RFC 3659 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Reply, chosen_facts
from netservices.interfaces import QuotaExceeded

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

_ASCII = frozenset({"A", "A N", "A T"})
_IMAGE = frozenset({"I", "L 8", "L8"})
_KNOWN_TYPE = re.compile(r"([AE]( [NTC])?|I|L \d{1,3})\Z")
_SIZE = re.compile(rb"(\d{1,18})(?: R \d{1,18})?\Z")
_FACT_NAMES = re.compile(r"(?:[!-:<-~]+;)*\Z")
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


# --- size, offset, options ----------------------------------------------------------


@COMMANDS.verb("ALLO", argument=Argument.REQUIRED, help="<octets>: announce an upload")
async def allo(talk: Conversation, argument: bytes) -> Reply:
    """Refused early where the upload cannot fit; nothing is set aside."""
    match = _SIZE.match(argument.strip())
    if match is None:
        raise SyntaxProblem("ALLO without a number")
    octets = int(match[1])
    if octets > (await talk.view.tree.usage()).free_octets:
        raise QuotaExceeded(f"ALLO {octets}")
    talk.expected_octets = octets
    return Reply(202, "Space is not set aside, but there is enough now")


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


@COMMANDS.verb("OPTS", argument=Argument.REQUIRED, help="<verb> [<options>]: options")
def opts(talk: Conversation, argument: bytes) -> Answer:
    """UTF8 and MLST have options (RFC 2389 4)."""
    verb, _, options = argument.strip().decode("ascii", "replace").partition(" ")
    verb = verb.upper()
    if verb == "UTF8":
        return _opts_utf8(options.strip().upper())
    if verb == "MLST":
        if not _FACT_NAMES.match(options):
            raise SyntaxProblem("OPTS MLST without semicolons")
        talk.facts = chosen_facts(options)
        names = "".join(name + ";" for name in talk.facts)
        return Reply(200, f"MLST OPTS {names}".rstrip())
    return Reply(501, "That command has no options")


def _opts_utf8(option: str) -> Reply:
    # Not RFC 2640: names are always octets; clients ask all the same.
    if option in ("", "ON", "NLST"):
        return Reply(200, "UTF-8 is on")
    if option == "OFF":
        return Reply(504, "UTF-8 is always on")
    return Reply(501, "UTF8 is ON or OFF")
