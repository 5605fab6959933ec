"""What a path segment may be, and its octets on disk.

Any octets survive: names are decoded as UTF-8 with ``surrogateescape`` and encoded back
the same way.  No Unicode normalisation is done: two names that differ in octets are two
files, as on the disk (a client that wants NFC converts before it asks).
"""

from __future__ import annotations

import re

from netservices.interfaces import BadName
from netservices.values import Path

RESERVED_PREFIX = b".ns-upload"
"""Names that begin so belong to the server: refused in paths, absent from listings."""

AREA = RESERVED_PREFIX + b"s"
"""The upload area, a directory in the root of each tree."""

_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
_NOT_NAMES = frozenset((b"", b".", b".."))


def encode_segment(segment: str, longest: int = 255) -> bytes:
    """The octets of an existing name.  BadName."""
    try:
        octets = segment.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadName(segment) from None
    if octets in _NOT_NAMES or b"/" in octets or b"\0" in octets:
        raise BadName(segment)
    if len(octets) > longest or octets.startswith(RESERVED_PREFIX):
        raise BadName(segment)
    return octets


def encode_path(path: Path, longest: int = 255, longest_path: int = 3800) -> bytes:
    """The octets of a path, relative to its root: ``b"."`` for the root.  BadName."""
    encoded = b"/".join([encode_segment(segment, longest) for segment in path])
    if len(encoded) > longest_path:
        raise BadName("the path is too long")
    return encoded or b"."


def check_new_name(path: Path) -> None:
    """Refuse to make what listings could not show on one line.  BadName.

    A line feed in a name forges entries of NLST (RFC 959 4.1.3) in every client.
    """
    if not path:
        raise BadName("the root has no name")
    octets = path[-1].encode("utf-8", "surrogateescape")
    if _CONTROLS.search(octets):
        raise BadName(path[-1])


def decode_name(octets: bytes) -> str:
    """The segment that these octets are."""
    return octets.decode("utf-8", "surrogateescape")


def canonical(path: Path) -> Path:
    """The one spelling of a path under which records are kept.  BadName.

    Escaped octets that form valid UTF-8 together decode to another ``str`` than they
    were given as; both name one file.
    """
    try:
        return tuple(
            segment
            if segment.isascii()
            else decode_name(segment.encode("utf-8", "surrogateescape"))
            for segment in path
        )
    except UnicodeEncodeError:
        raise BadName("half a character") from None


def is_reserved(octets: bytes) -> bool:
    """Whether a name on disk belongs to the server."""
    return octets.startswith(RESERVED_PREFIX)
