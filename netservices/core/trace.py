"""Conversations as ``C:`` and ``S:`` lines, for people: how one debugs, and learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.logger import Logger

Trace: TypeAlias = Callable[[str, str, bytes], None]
"""Takes the session's id, ``C`` or ``S``, and one line without its end, masked.  What
happens without a line is in angle brackets: ``<connects from 192.0.2.1:4711 to ...>``,
``<TLS>``, ``<closes>``, ``<breaks off>``."""

Datagrams: TypeAlias = Callable[[bytes, Any, Any], bytes | None]
"""``plugin.DatagramAnswer``."""

_SHOWN_OCTETS = 1024
"""Of a datagram; more of it helps nobody."""

_log = Logger()


def printable(line: bytes) -> str:
    """``line`` as text without control characters: those become ``\\xNN``."""
    text = line.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def place(address: Any) -> str:
    """An address of Twisted's as ``192.0.2.1:21`` or ``[2001:db8::1]:21``."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"


def trace_to_log(session_id: str, who: str, line: bytes) -> None:
    """A ``Trace`` that writes to the log."""
    _log.info(
        "{session} {who}: {line}", session=session_id, who=who, line=printable(line)
    )


def traced(datagram: Datagrams, trace: Trace | None) -> Datagrams:
    """The same, with each datagram and its answer in ``trace``."""
    if trace is None:
        return datagram

    def answer(data: bytes, address: Any, local: Any) -> bytes | None:
        way = f"{address[0]} udp"
        trace(way, "C", data[:_SHOWN_OCTETS])
        reply = datagram(data, address, local)
        trace(way, "S", b"<silence>" if reply is None else reply[:_SHOWN_OCTETS])
        return reply

    return answer
