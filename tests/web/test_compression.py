"""The layer that compresses what handlers make."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.web.compression import Compression
from netservices.web.fields import Fields
from netservices.web.request import Request
from netservices.web.response import Content, Response
from tests.web.test_negotiation import decoded

TEXT = b'{"animals": ["monkey", "banana"]}\n' * 100


class Visit:
    """A session that the handler looked at, or did not."""

    def __init__(self, is_used: bool) -> None:
        self.is_used = is_used


def at_once(function: Any, *args: Any) -> Any:
    """Call it here."""
    return succeed(function(*args))


class CompressionTests(SynchronousTestCase):
    """What is compressed, and what is not."""

    def setUp(self) -> None:
        self.layer = Compression(("zstd", "br", "gzip"), 512, at_once)

    def respond(
        self,
        body: Content = TEXT,
        told: dict[str, str] | None = None,
        status: int = 200,
        accept: str = "gzip",
        request: Request | None = None,
    ) -> Response:
        """What becomes of a handler's response."""
        fields = {"Content-Type": "application/json", **(told or {})}
        wanted = Fields([("accept-encoding", accept)])
        asked = attrs.evolve(request or Request("GET", "/"), fields=wanted)
        made = Response(status, list(fields.items()), body)
        answer = self.layer(asked, lambda _: made)
        if isinstance(answer, Response):
            return answer
        return self.successResultOf(answer)

    def assert_plain(self, *args: Any, **keywords: Any) -> None:
        """It is left as it is."""
        response = self.respond(*args, **keywords)
        self.assertEqual("", response.get("Content-Encoding"))

    def test_text(self) -> None:
        """Each coding; the entity tag becomes a weak one."""
        for coding in ("zstd", "br", "gzip"):
            response = self.respond(told={"ETag": '"a"'}, accept=coding)
            assert isinstance(response.body, bytes)
            self.assertEqual(coding, response.get("Content-Encoding"))
            self.assertEqual(TEXT, decoded(coding, response.body))
            self.assertEqual('W/"a"', response.get("ETag"))
            self.assertEqual("Accept-Encoding", response.get("Vary"))

    def test_long(self) -> None:
        """A long content is compressed elsewhere."""
        response = self.respond(TEXT * 20)
        assert isinstance(response.body, bytes)
        self.assertEqual(TEXT * 20, decoded("gzip", response.body))

    def test_streams(self) -> None:
        """What comes bit by bit goes out bit by bit."""

        async def content() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        response = self.respond(content())
        body: Any = response.body

        async def collected() -> list[bytes]:
            return [piece async for piece in body]

        pieces = self.successResultOf(begun(collected()))
        self.assertEqual(b"onetwo", decoded("gzip", b"".join(pieces)))
        self.assertEqual(3, len(pieces))
        self.assertIsNone(response.length)

    def test_head(self) -> None:
        """HEAD has the fields of GET, and no length of another content."""
        response = self.respond(request=Request("HEAD", "/"))

        self.assertEqual("gzip", response.get("Content-Encoding"))
        self.assertFalse(isinstance(response.body, bytes))

    def test_left_as_it_is(self) -> None:
        """Short, compressed, partial, digested, or not to be changed."""
        self.assert_plain(b"short")
        self.assert_plain(accept="identity")
        self.assert_plain(told={"Content-Type": "image/png"})
        self.assert_plain(told={"Vary": "Accept, Accept-Encoding"})
        self.assert_plain(told={"Repr-Digest": "sha-256=:x:"})
        self.assert_plain(told={"Cache-Control": "no-transform"})
        self.assert_plain(status=206)
        self.assert_plain((TEXT, TEXT))
        response = self.respond(told={"Content-Encoding": "br"})
        self.assertEqual(TEXT, response.body)

    def test_varies(self) -> None:
        """Who gets it as it is, too, is told that others do not."""
        response = self.respond(accept="deflate", told={"Vary": "Accept"})
        self.assertEqual("Accept, Accept-Encoding", response.get("Vary"))

    def test_somebodys_own(self) -> None:
        """Through TLS, what is somebody's own keeps its length to itself."""
        secure = Request("GET", "/", scheme="https")
        mine = Request("GET", "/", scheme="https", session=Visit(True))
        ours = Request("GET", "/", scheme="https", session=Visit(False))

        self.assert_plain(request=mine)
        self.assert_plain(request=secure, told={"Set-Cookie": "a=b"})
        self.assert_plain(request=secure, told={"Cache-Control": "private"})
        for request in (secure, ours, Request("GET", "/", session=Visit(True))):
            response = self.respond(request=request)
            self.assertEqual("gzip", response.get("Content-Encoding"))

    def test_off(self) -> None:
        """Without codings the layer does nothing."""
        self.layer.reconfigure((), 0)
        self.assertEqual("", self.respond().get("Vary"))
