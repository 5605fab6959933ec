"""DNS over HTTPS: which requests bring a message, and what becomes of its answer."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from netservices.http.handlers.doh import NamesHandler
from netservices.interfaces import INameAnswers
from netservices.values import NameReply, Origin
from netservices.web.handler import answer_of
from netservices.web.response import Response
from tests.http.requests import ask, make_request, refusal

MESSAGE = b"\0\0\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0\1"
TARGET = "/?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
KIND = {"Content-Type": "application/dns-message"}


@implementer(INameAnswers)
class Answers:
    """Answers with what it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.reply: Any = NameReply(b"reply", 60, True)
        self.asked: list[Any] = []

    def answer(
        self, message: bytes, origin: Origin, server: str, tls_version: str
    ) -> Any:
        """See ``INameAnswers``."""
        self.asked.append((message, origin.address, server, tls_version))
        return self.reply


class NamesTests(SynchronousTestCase):
    """RFC 8484 4."""

    def setUp(self) -> None:
        self.answers = Answers()
        self.handler = NamesHandler(self.answers)

    def ask(self, target: str = TARGET, **more: Any) -> Response:
        return ask(self.handler, target, scheme="https", **more)

    def status(self, target: str = TARGET, **more: Any) -> int:
        return refusal(self.handler, target, scheme="https", **more).status

    def test_get(self) -> None:
        """The example of RFC 8484 4.1.1; the response may be kept for the TTL."""
        response = self.ask()

        self.assertEqual([(MESSAGE, "192.0.2.1", "192.0.2.80", "")], self.answers.asked)
        self.assertEqual(
            [
                ("Content-Type", "application/dns-message"),
                ("Cache-Control", "max-age=60"),
            ],
            response.fields,
        )
        self.assertEqual((200, b"reply"), (response.status, response.body))
        self.assertIsNone(response.lasting)

    def test_get_needs_no_waiting(self) -> None:
        """An answer that is there is there at once."""
        request = make_request(TARGET, scheme="https")

        self.assertIsInstance(answer_of(self.handler, request), Response)

    def test_head(self) -> None:
        """HEAD is GET; the connection leaves the content out."""
        self.assertEqual(b"reply", self.ask(method="HEAD").body)

    def test_post(self) -> None:
        """The message may be the content."""
        response = self.ask("/", method="POST", content=MESSAGE, fields=KIND)

        self.assertEqual(b"reply", response.body)
        self.assertEqual(MESSAGE, self.answers.asked[0][0])

    def test_later(self) -> None:
        """An answer that takes its time comes when it is there."""
        for more in ({}, {"method": "POST", "content": MESSAGE, "fields": KIND}):
            self.answers.reply = Deferred()
            answer: Any = answer_of(
                self.handler, make_request(TARGET, scheme="https", **more)
            )
            self.assertNoResult(answer)
            self.answers.reply.callback(NameReply(b"late", 1, True))
            self.assertEqual(b"late", self.successResultOf(answer).body)

    def test_private(self) -> None:
        """What depends on the client is for the client's own cache.  RFC 8484 5.1."""
        self.answers.reply = NameReply(b"reply", 60, False)

        self.assertEqual("private, max-age=60", self.ask().get("Cache-Control"))

    def test_bad_parameters(self) -> None:
        """Anything but one message in base64url is 400."""
        for query in ("", "?", "?dnS=AAAA", "?dns=AA==", "?dns=A+/A"):
            self.assertEqual(400, self.status("/" + query), query)
        for query in ("?dns=AAAAA", "?dns=AAAA&dns=AAAA", "?dns=%41AAA", "?dns=\xe9"):
            self.assertEqual(400, self.status("/" + query), query)
        self.assertEqual([], self.answers.asked)

    def test_other_parameters(self) -> None:
        """Parameters beside it mean nothing."""
        self.assertEqual(200, self.ask(TARGET.replace("?", "?ct&x=1&")).status)

    def test_silence(self) -> None:
        """What DNS has no reply for is 400."""
        self.answers.reply = None

        self.assertEqual(400, self.status())

    def test_methods(self) -> None:
        """405 with Allow for others."""
        problem = refusal(self.handler, TARGET, scheme="https", method="PUT")

        self.assertEqual(405, problem.status)
        self.assertEqual((("Allow", "GET, HEAD, POST, OPTIONS"),), problem.fields)
        self.assertEqual(204, self.ask(method="OPTIONS").status)

    def test_media_types(self) -> None:
        """415 for content that is something else, or compressed."""
        for kind in ("text/plain", "application/dns-json", ""):
            fields = {"Content-Type": kind}
            self.assertEqual(
                415, self.status("/", method="POST", content=MESSAGE, fields=fields)
            )
        fields = {**KIND, "Content-Encoding": "gzip"}
        self.assertEqual(
            415, self.status("/", method="POST", content=MESSAGE, fields=fields)
        )
        fields = {"Content-Type": "Application/DNS-Message;x=1"}
        self.ask("/", method="POST", content=MESSAGE, fields=fields)

    def test_too_long(self) -> None:
        """413 for what no message can be."""
        content = bytes(65536)
        self.assertEqual(
            413, self.status("/", method="POST", content=content, fields=KIND)
        )
        query = "/?dns=" + urlsafe_b64encode(content + b"\0\0").decode()
        self.assertEqual(413, self.status(query))

    def test_accept(self) -> None:
        """406 for those who would not take the answer."""
        for accept, is_taken in (
            ("application/dns-message", True),
            ("application/dns-json, application/*;q=0.1", True),
            ("*/*", True),
            ("text/html", False),
            ("application/dns-message;q=0", False),
            ("application/dns-message; q=0.000, text/*", False),
        ):
            fields = {"Accept": accept}
            if is_taken:
                self.assertEqual(200, self.ask(fields=fields).status, accept)
            else:
                self.assertEqual(406, self.status(fields=fields), accept)

    def test_below(self) -> None:
        """There is nothing below the path."""
        self.assertEqual(404, self.status("/x?dns=AAAA"))


class PlaintextTests(SynchronousTestCase):
    """Without TLS."""

    def test_never(self) -> None:
        """By default there is no answer."""
        handler = NamesHandler(Answers())

        self.assertEqual(403, refusal(handler, TARGET).status)

    def test_loopback(self) -> None:
        """A proxy on the same machine may ask, where that is allowed."""
        handler = NamesHandler(Answers(), "loopback")
        near = Origin("http", "127.0.0.1", False)

        self.assertEqual(200, ask(handler, TARGET, origin=near).status)
        self.assertEqual(403, refusal(handler, TARGET).status)

    def test_always(self) -> None:
        """Everybody may, where that is allowed."""
        self.assertEqual(200, ask(NamesHandler(Answers(), "always"), TARGET).status)
