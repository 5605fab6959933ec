"""What the next transfer is to be like: TYPE STRU MODE PASV EPSV PORT EPRT ALLO REST
OPTS (RFC 959 4.1.2, RFC 2389, RFC 2428, RFC 3659 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import (
    HostPort,
    Reply,
    chosen_facts,
    format_epsv,
    format_pasv,
    parse_eprt,
    parse_epsv_argument,
    parse_port,
)
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

WRONG_FAMILY = {
    4: Reply(522, "Network protocol not supported, use (1)"),
    6: Reply(522, "Network protocol not supported, use (2)"),
}
"""RFC 2428 2: the family that can be used is that of the control connection."""


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


# --- data connections ---------------------------------------------------------------


@COMMANDS.verb("PASV", argument=Argument.NONE, help=": listen for a data connection")
def pasv(talk: Conversation, argument: bytes) -> Answer:
    """Where this client may connect to (RFC 959 4.1.2); IPv4 only."""
    _check_epsv_only(talk)
    if _version(talk) == 6:
        return Reply(425, "PASV is for IPv4; use EPSV")
    listening = talk.data.listen()
    host = talk.policy.settings.masquerade_address or listening.host
    return Reply(227, format_pasv(HostPort(host, listening.port)))


@COMMANDS.verb(
    "EPSV",
    argument=Argument.OPTIONAL,
    help="[1|2|ALL]: listen for a data connection",
    feature="EPSV",
)
def epsv(talk: Conversation, argument: bytes) -> Answer:
    """The port only: the host is that of the control connection (RFC 2428 3)."""
    version = _version(talk)
    try:
        asked = parse_epsv_argument(argument)
    except Refused:
        return WRONG_FAMILY[version]
    if asked == "ALL":
        talk.is_epsv_only = True
        return Reply(200, "Only EPSV from now on")
    if asked is not None and asked != version:
        return WRONG_FAMILY[version]
    return Reply(229, format_epsv(talk.data.listen().port))


@COMMANDS.verb("PORT", argument=Argument.REQUIRED, help="<h1,h2,h3,h4,p1,p2>: connect")
def port(talk: Conversation, argument: bytes) -> Answer:
    """Where to connect at the transfer command."""
    _check_epsv_only(talk)
    if _version(talk) == 6:
        return Reply(425, "PORT is for IPv4; use EPRT")
    return _aim(talk, parse_port(argument))


@COMMANDS.verb(
    "EPRT",
    argument=Argument.REQUIRED,
    help="<|family|address|port|>: connect",
    feature="EPRT",
)
def eprt(talk: Conversation, argument: bytes) -> Answer:
    """As PORT, for both families (RFC 2428 2)."""
    _check_epsv_only(talk)
    version = _version(talk)
    try:
        target = parse_eprt(argument)
    except Refused:
        return WRONG_FAMILY[version]
    if target.version != version:
        return WRONG_FAMILY[version]
    return _aim(talk, target)


def _aim(talk: Conversation, target: HostPort) -> Reply:
    talk.policy.check_target(target, talk.data.peer)
    talk.data.aim(target)
    return Reply(200, "The data connection goes there")


def _version(talk: Conversation) -> int:
    return 6 if ":" in talk.data.peer else 4


def _check_epsv_only(talk: Conversation) -> None:
    # RFC 2428 4: after EPSV ALL every other set-up command must be rejected.
    if talk.is_epsv_only:
        raise Refused("EPSV ALL", Reply(501, "Not allowed after EPSV ALL"))


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
