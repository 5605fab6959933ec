"""A response as handlers make it, whatever version of HTTP takes it away."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from attrs import define, field, frozen

from netservices.interfaces import IOpenFile
from netservices.web.fields import Pairs


@frozen
class FileSlice:
    """``count`` octets of an open file from ``offset``.

    Whoever sends it closes the file afterwards, in any case.
    """

    file: IOpenFile
    offset: int
    count: int


Piece: TypeAlias = "bytes | FileSlice"
Content: TypeAlias = "bytes | FileSlice | tuple[Piece, ...] | AsyncIterable[bytes]"
"""Octets, a slice of a file, several of them one after the other, or what becomes ready
bit by bit: that is iterated over as fast as the peer reads, and closed (``aclose``)
when the peer is gone; one that is never iterated over is told so by its ``close``, if
it has one."""


class Lasting(Protocol):
    """Says that a response holds for every request with the same octets as its head,
    from anybody, as long as nothing has changed."""

    def is_current(self, now: float) -> bool:
        """Whether that is so at ``now``, in seconds of the reactor's clock.  May look
        at a file; must not wait."""


Tunnel: TypeAlias = Callable[[Any, bytes], Any]
"""Takes over a connection: ``(transport, what has come already)``.  Gives a protocol,
whose ``dataReceived`` gets what comes, and whose ``connectionLost`` is called; its
``drain``, where it has one, when the server stops.  It registers a producer of its own
with the transport, if it has one."""


@define(eq=False)
class Response:
    """One response.

    ``Date``, ``Connection``, ``Content-Length`` and ``Transfer-Encoding`` are added by
    whoever sends it; the content of a response to HEAD is never sent, nor that of 204
    and 304.
    """

    status: int = 200
    fields: list[tuple[str, str]] = field(factory=list)
    body: Content = b""
    length: int | None = None
    """Octets of an iterated body, or of what GET would have brought where this answers
    HEAD; None: not known."""
    trailers: Callable[[], Pairs] | None = None
    """Asked for when the body has been sent, where the peer takes them."""
    lasting: Lasting | None = None
    tunnel: Tunnel | None = None
    """With 101, or 2xx to CONNECT: what speaks from now on."""
    must_close: bool = False
    """Whether the connection ends with it."""

    def set(self, name: str, value: str) -> None:
        """Give a field one value, in place of those it has."""
        self.remove(name)
        self.fields.append((name, value))

    def remove(self, name: str) -> None:
        """Take a field away."""
        folded = name.lower()
        self.fields = [pair for pair in self.fields if pair[0].lower() != folded]

    def add(self, name: str, value: str) -> None:
        """Give a field one more line."""
        self.fields.append((name, value))

    def get(self, name: str, default: str = "") -> str:
        """The value of a field; of several lines the first."""
        folded = name.lower()
        for found, value in self.fields:
            if found.lower() == folded:
                return value
        return default

    def vary(self, name: str) -> None:
        """The response would be another one with another value of this request field
        (RFC 9110 12.5.5)."""
        found = [word.strip() for word in self.get("Vary").split(",") if word.strip()]
        if name.lower() not in [word.lower() for word in found]:
            self.set("Vary", ", ".join([*found, name]))

    def close(self) -> None:
        """It will not be sent: give back its files."""
        pieces = self.body if isinstance(self.body, tuple) else (self.body,)
        for piece in pieces:
            if isinstance(piece, FileSlice):
                piece.file.close()
            elif hasattr(piece, "close"):
                piece.close()


Answer: TypeAlias = "Response | Awaitable[Response]"
"""What a handler gives back; a coroutine or a Deferred where it takes its time."""


def text(
    content: str, status: int = 200, media_type: str = "text/plain", fields: Pairs = ()
) -> Response:
    """A response that is text in UTF-8."""
    kind = ("Content-Type", f"{media_type}; charset=utf-8")
    return Response(status, [kind, *fields], content.encode())


def redirect(location: str, status: int = 303) -> Response:
    """A response that leads elsewhere (RFC 9110 15.4)."""
    return Response(status, [("Location", location)])


async def unsent() -> AsyncIterator[bytes]:
    """Content of a length that nobody knows, and of which HEAD shows the fields."""
    return
    yield b""
