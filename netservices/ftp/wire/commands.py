"""One command line: Telnet sequences removed, verb and argument taken apart.

The argument keeps every octet after the one space behind the verb: a name may begin or
end with a space.  ``names`` tells what its octets spell.
"""

from __future__ import annotations

import re

from attrs import frozen

from netservices.core.errors import SyntaxProblem

IAC = 0xFF
_SB = 0xFA  # subnegotiation begins
_SE = 0xF0  # subnegotiation ends
_WILL = 0xFB  # WILL, WONT, DO and DONT (0xFB-0xFE) carry one option octet

_TELNET = bytes(range(_SE, 0x100))
"""No verb begins with these."""

_VERB = re.compile(rb"[A-Za-z][A-Za-z0-9]{0,15}\Z")


@frozen
class Command:
    """A verb in capitals, and the octets behind the space (RFC 959 5.3)."""

    verb: str
    argument: bytes = b""


def parse_command(line: bytes) -> Command:
    """The command of a line given without its line end.  SyntaxProblem."""
    line = plain_line(line)
    if 0 in line or 13 in line:
        line = _without_nul(line)
    verb, _, argument = line.partition(b" ")
    if not _VERB.match(verb):
        raise SyntaxProblem("no FTP verb")
    return Command(verb.decode("ascii").upper(), argument)


def verb_of(line: bytes) -> str:
    """The verb of a line, in capitals, whether or not the line is a command."""
    verb = plain_line(line)[:16].partition(b" ")[0]
    return verb.decode("ascii", "replace").upper()


def plain_line(line: bytes) -> bytes:
    """A command line without what Telnet put into it."""
    if IAC not in line:
        return line
    # Not RFC 854: clients that send IP and IAC in the wrong order before ABOR.
    return strip_telnet(line).lstrip(_TELNET)


def _without_nul(line: bytes) -> bytes:
    """The line with each CR NUL turned into CR; SyntaxProblem for any other NUL."""
    # RFC 2640 3.1: a carriage return within a name is sent as CR NUL.
    line = line.replace(b"\r\0", b"\r")
    if 0 in line:
        raise SyntaxProblem("NUL in a command")
    return line


def strip_telnet(line: bytes) -> bytes:
    """``line`` without Telnet commands; IAC IAC stands for one octet 255.

    A whole line is looked at, so no sequence can be split.  Linear time.
    """
    kept = bytearray()
    at = 0
    while True:
        found = line.find(IAC, at)
        if found < 0:
            return bytes(kept + line[at:])
        kept += line[at:found]
        at = _after_sequence(line, found, kept)


def _after_sequence(line: bytes, at: int, kept: bytearray) -> int:
    """Where the Telnet sequence at ``at`` ends; a literal 255 goes to ``kept``."""
    code = line[at + 1] if at + 1 < len(line) else 0
    if code == IAC:
        kept.append(IAC)
        return at + 2
    if code < _SE:
        # Not RFC 854: clients that do not double the octet 255 of a legacy name.
        kept.append(IAC)
        return at + 1
    if code == _SB:
        end = line.find(bytes((IAC, _SE)), at + 2)
        return len(line) if end < 0 else end + 2
    return at + 3 if code >= _WILL else at + 2
