"""Conversations as ``C:`` and ``S:`` lines, for people: how one debugs, and learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.logger import Logger

Trace: TypeAlias = Callable[[str, str, bytes], None]
"""Takes the session's id, ``C`` or ``S``, and one line without its end, masked."""

_log = Logger()


def printable(line: bytes) -> str:
    """``line`` as text without control characters: those become ``\\xNN``."""
    text = line.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def trace_to_log(session_id: str, who: str, line: bytes) -> None:
    """A ``Trace`` that writes to the log."""
    _log.info(
        "{session} {who}: {line}", session=session_id, who=who, line=printable(line)
    )
