"""Conversations as ``C:`` and ``S:`` lines, with what is secret masked."""

from __future__ import annotations

import re

from netservices.core.trace import Trace

_SECRET = re.compile(
    rb"(?i)(authorization|proxy-authorization|cookie|set-cookie|x-csrf-token)(:[ \t]*)"
    rb"((?:basic|bearer|digest)[ \t]+)?(.*)"
)


def show_head(trace: Trace, session_id: str, who: str, head: bytes) -> None:
    """The lines of a head, as they travel but for the secrets."""
    for line in head.rstrip(b"\r\n").split(b"\r\n"):
        trace(session_id, who, masked(line))


def masked(line: bytes) -> bytes:
    """A line of a head without what lets somebody in."""
    match = _SECRET.fullmatch(line)
    if match is None:
        return line
    return match[1] + match[2] + (match[3] or b"") + b"***"


def show_content(trace: Trace, session_id: str, who: str, octets: int) -> None:
    """Content went by, which is not shown."""
    if octets:
        trace(session_id, who, b"<%d octets>" % octets)
