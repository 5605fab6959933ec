"""How the octets of the next transfer stand for the file: TYPE STRU MODE REST RANG (RFC
959 3.1 to 3.5, RFC 1123 4.1.2 and 4.1.3.4, RFC 3659 5, draft-bryan-ftp-range-08)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from netservices.core.dialogue import Answer
from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Mode, Reply, Representation, Structure, Type

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

_TEXT = re.compile(r"([AE])(?: ([NTC]))?\Z")
_LOCAL = re.compile(r"L ?(\d{1,3})\Z")
_LOCAL_BITS = 8
_TEXT_BITS = 7
_POSITION = re.compile(rb"(\d{1,19})(c?)\Z")
_RANGE = re.compile(rb"(\d{1,19}) +(\d{1,19})\Z")
_LARGEST_OFFSET = (1 << 63) - 1

_TYPE_NAMES = {Type.ASCII: "ASCII", Type.EBCDIC: "EBCDIC", Type.IMAGE: "image"}
_FORMAT_NAMES = {"N": "non-print", "T": "Telnet format", "C": "carriage control"}
_STRUCTURE_NAMES = {Structure.FILE: "file", Structure.RECORD: "record"}
_MODE_NAMES = {Mode.STREAM: "stream", Mode.BLOCK: "block", Mode.COMPRESSED: "compress"}

NOT_EXACT = Reply(501, "Restart needs TYPE I and STRU F in stream mode")
MISMATCH = Reply(555, "That marker is of text in ASCII without records")
NOT_OFFERED = Reply(504, "Not offered here")
RANGE_NOT_EXACT = Reply(551, "A range needs TYPE I, STRU F and MODE S")


@COMMANDS.verb(
    "TYPE", argument=Argument.REQUIRED, help="A|E [N|T|C]|I|L 8: representation"
)
def type_(talk: Conversation, argument: bytes) -> Answer:
    """Text in ASCII or EBCDIC, in any format; image, which is also L 8."""
    name = _word(argument)
    text, local = _TEXT.match(name), _LOCAL.match(name)
    if text is not None:
        kind, form = Type(text[1]), text[2] or "N"
        _choose(talk, type=kind, format=form)
        return Reply(200, f"Type is {_TYPE_NAMES[kind]}, {_FORMAT_NAMES[form]}")
    if local is not None and int(local[1]) == _TEXT_BITS:
        # Not RFC 959 3.1.1.4: bytes of seven bits are ASCII, as other servers have it.
        _choose(talk, type=Type.ASCII, format="N")
        return Reply(200, "Type is ASCII, non-print")
    if local is not None and int(local[1]) != _LOCAL_BITS:
        return Reply(504, "Bytes have eight bits here")
    if name != "I" and local is None:
        return Reply(501, "No such type")
    _choose(talk, type=Type.IMAGE, format="N")
    return Reply(200, "Type is image")


@COMMANDS.verb("STRU", argument=Argument.REQUIRED, help="F|R: file or records")
def stru(talk: Conversation, argument: bytes) -> Answer:
    """Files and records."""
    name = _word(argument)
    if name == "P":
        # RFC 1123 4.1.2.3: page structure is NOT RECOMMENDED.
        return Reply(504, "There are no pages here")
    try:
        structure = Structure(name)
    except ValueError:
        return Reply(501, "No such structure")
    if structure is not Structure.FILE and _offers_common_only(talk):
        return NOT_OFFERED
    _choose(talk, structure=structure)
    return Reply(200, f"Structure is {_STRUCTURE_NAMES[structure]}")


@COMMANDS.verb("MODE", argument=Argument.REQUIRED, help="S|B|C: transfer mode")
def mode(talk: Conversation, argument: bytes) -> Answer:
    """Stream, block and compressed."""
    name = _word(argument)
    try:
        chosen = Mode(name)
    except ValueError:
        return Reply(501, "No such mode")
    if chosen is not Mode.STREAM and _offers_common_only(talk):
        return NOT_OFFERED
    _choose(talk, mode=chosen)
    return Reply(200, f"Mode is {_MODE_NAMES[chosen]}")


def _offers_common_only(talk: Conversation) -> bool:
    return talk.policy.settings.representations == "common"


def _choose(talk: Conversation, **changes: Any) -> None:
    talk.representation = attrs.evolve(talk.representation, **changes)


def representation_of_listings(chosen: Representation) -> Representation:
    """RFC 1123 4.1.2.7: TYPE A N, or E N where TYPE is E; RFC 959 3.4: the structure
    and the mode are those of all transfers."""
    kind = Type.EBCDIC if chosen.type is Type.EBCDIC else Type.ASCII
    return attrs.evolve(chosen, type=kind, format="N")


def _word(argument: bytes) -> str:
    return " ".join(argument.decode("ascii", "replace").upper().split())


# --- a part of a file ---------------------------------------------------------------


@frozen
class Restart:
    """Where the next transfer begins, and where it ends."""

    offset: int = 0
    """Of the octet of the file with which it begins."""
    holds_cr: bool = False
    """Whether a CR came before it that is not stored: text in ASCII only."""
    end: int | None = None
    """Behind the last octet; None for the end of the file."""

    def __str__(self) -> str:
        return f"{self.offset}{'c' if self.holds_cr else ''}"


BEGINNING = Restart()


def parse_position(argument: bytes) -> Restart:
    """What REST names: an offset, or a marker of ours.  SyntaxProblem."""
    match = _POSITION.match(argument.strip())
    if match is None or int(match[1]) > _LARGEST_OFFSET:
        raise SyntaxProblem("REST without a position")
    return Restart(int(match[1]), bool(match[2]))


@COMMANDS.verb(
    "REST",
    argument=Argument.REQUIRED,
    help="<octets>|<marker>: where the next transfer begins",
    feature="REST STREAM",
)
def rest(talk: Conversation, argument: bytes) -> Answer:
    """For RETR and STOR: an offset in stream mode (RFC 3659 5), a marker of ours in
    the others, which is an offset into the file as well (RFC 959 3.5)."""
    restart = parse_position(argument)
    if talk.representation.mode is Mode.STREAM:
        if restart.holds_cr:
            raise SyntaxProblem("REST without a number")
        if restart.offset and not talk.representation.is_exact:
            # An offset into converted text is none into the file.
            return NOT_EXACT
    talk.restart = restart
    return Reply(350, f"The next transfer begins at {restart}")


@COMMANDS.verb(
    "RANG",
    argument=Argument.REQUIRED,
    help="<first> <last>: octets of the file that RETR sends",
    feature="RANG STREAM",
)
def rang(talk: Conversation, argument: bytes) -> Answer:
    """Both ends belong to the range; ``1 0`` is the whole file."""
    match = _RANGE.match(argument.strip())
    talk.restart = BEGINNING
    if match is None:
        raise SyntaxProblem("RANG without two numbers")
    first, last = int(match[1]), int(match[2])
    if (first, last) == (1, 0):
        return Reply(350, "The next transfer is of the whole file")
    if first > last or last >= _LARGEST_OFFSET:
        raise SyntaxProblem("RANG that ends before it begins")
    if not talk.representation.is_exact:
        return RANGE_NOT_EXACT
    talk.restart = Restart(first, end=last + 1)
    return Reply(350, f"The next transfer is of the octets {first} to {last}")


def take_restart(talk: Conversation) -> Restart:
    """What REST or RANG said; it counts once, for the next transfer.  Refused where
    TYPE, STRU and MODE are others now, which make no such restart."""
    restart, talk.restart = talk.restart, BEGINNING
    chosen = talk.representation
    if restart.end is not None:
        if not chosen.is_exact:
            raise Refused("RANG before TYPE, STRU or MODE", RANGE_NOT_EXACT)
    elif chosen.mode is Mode.STREAM:
        if restart != BEGINNING and not chosen.is_exact:
            raise Refused("REST before TYPE, STRU or MODE", NOT_EXACT)
    elif restart.holds_cr and (chosen.type, chosen.structure) != (
        Type.ASCII,
        Structure.FILE,
    ):
        # RFC 1123 4.1.3.4: 555 for a mismatch of type or structure.
        raise Refused("a marker of another representation", MISMATCH)
    return restart


def drop_restart(talk: Conversation) -> bool:
    """Forget what REST or RANG said; whether it was anything."""
    restart, talk.restart = talk.restart, BEGINNING
    return restart != BEGINNING
