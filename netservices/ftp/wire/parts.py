"""The alphabet of a transfer: octets of data, and the marks between them.

Two layers make a file into what travels (RFC 959 3.1 to 3.4): representation type and
structure (``contents``), which know files and parts, and the transmission mode
(``records``, ``blocks``, ``compressed``), which knows parts and the wire.  Parts are
all that they say to each other, so each is written once and goes with any other.

A file may have a record for every octet or two, and a part for each of them would cost
a hundred times what its octets do.  So within data an octet that both layers agree on,
``record_end``, stands for the end of a record: a thousand lines are one part.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TypeAlias

from attrs import frozen

from netservices.core.errors import SyntaxProblem

LONGEST_MARKER = 64
"""Octets of a restart marker; a longer one is refused."""
MOST_UNITS = 2048
"""After so many blocks or strings a reader stops for others."""

_MARKER = re.compile(rb"[!-~]{1,%d}\Z" % LONGEST_MARKER)


class Mark(Enum):
    """What is not data; its value is the descriptor code (RFC 959 3.4.2)."""

    EOR = 128
    """The record ends here.  Readers say ``record_end`` in place of it."""
    EOF = 64
    """The file ends here; nothing follows."""
    SUSPECT = 32
    """What comes up to the next mark may be damaged, says the sender."""


@frozen
class Marker:
    """A restart marker: printable characters that mean something to its sender
    (RFC 959 3.4.2, 3.5)."""

    text: bytes


Part: TypeAlias = bytes | Mark | Marker


def parse_marker(text: bytes) -> Marker:
    """The marker that was sent.  SyntaxProblem: it comes back in a reply, so it must
    be what RFC 959 3.4.2 says, and short."""
    if not _MARKER.match(text):
        raise SyntaxProblem("a restart marker that is not printable, or too long")
    return Marker(text)
