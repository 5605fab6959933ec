"""How many connections and requests a peer may have, and what people see of them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.limits import Limits, LimitsSettings
from netservices.core.settings import with_values
from netservices.http.handlers.whole import whole_server
from netservices.http.layers.misdirected import CoveredHosts
from netservices.http.layers.rates import RequestRates
from netservices.http.server.guard import Guard
from netservices.http.settings import HTTPSettings
from netservices.values import Origin
from netservices.web.handler import layered
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response, text
from tests.http.requests import make_request
from tests.http.talk import Talk

GET = b"GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8\r\n\r\n"


class Heard:
    """Events, as they are emitted."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def emit(self, event: str, /, **fields: object) -> None:
        """Part of IEvents."""
        self.events.append((event, fields))


def path(request: Request) -> Answer:
    """Answers with the path."""
    return text(request.path)


class GuardTests(SynchronousTestCase):
    """Connections are counted."""

    def setUp(self) -> None:
        self.heard = Heard()
        self.first = Talk(path)
        self.seconds = 0.0

    def guard(self, most: int, **limits: Any) -> Guard:
        """A guard for the connections of ``self.first``."""
        events: Any = self.heard
        found = Guard(
            most,
            Limits(with_values(LimitsSettings, **limits), lambda: self.seconds),
            events,
        )
        self.first.shared.guard = found
        return found

    def test_one_too_many(self) -> None:
        """One connection too many from an address gets 503 and ends; there is one
        event, however often that happens."""
        guard = self.guard(100, sessions_per_address=2)
        talks = [Talk(path, shared=self.first.shared) for _ in range(5)]
        said = [talk.send(GET) for talk in talks[:2]]
        self.assertTrue(all(b"200 OK" in one for one in said))
        for talk in talks[2:]:
            self.assertIn(b"503 Service Unavailable", talk.wire.value())
            self.assertIn(b"Retry-After: 10", talk.wire.value())
            self.assertTrue(talk.wire.disconnecting)
        [(event, fields)] = self.heard.events

        self.assertEqual("session_refused", event)
        self.assertEqual("too many sessions of one address", fields["reason"])
        self.assertEqual(3, guard.refused)

    def test_who_leaves_makes_room(self) -> None:
        """A connection that has ended counts no more."""
        self.guard(100, sessions_per_address=1)
        talk = Talk(path, shared=self.first.shared)
        talk.connection.connectionLost()
        talk = Talk(path, shared=self.first.shared)

        self.assertIn(b"200 OK", talk.send(GET))

    def test_idle_connections_make_room(self) -> None:
        """When all are in use, the oldest idle connection makes room; where none is
        idle, the new one gets 503."""
        waiting: list[Deferred[Response]] = []

        def handler(request: Request) -> Answer:
            waiting.append(Deferred())
            return waiting[-1]

        self.first = Talk(handler)
        guard = self.guard(3)
        busy = Talk(handler, shared=self.first.shared)
        self.first.send(GET)
        busy.send(GET)
        idle = Talk(handler, shared=self.first.shared)
        new = Talk(handler, shared=self.first.shared)
        self.assertTrue(idle.wire.disconnecting)
        self.assertEqual((1, 0), (guard.reused, guard.refused))
        new.send(GET)
        late = Talk(handler, shared=self.first.shared)

        self.assertIn(b"503 Service Unavailable", late.wire.value())
        self.assertEqual((1, 1), (guard.reused, guard.refused))


class RatesTests(SynchronousTestCase):
    """Requests are counted by address."""

    def ask(self, address: str, layer: RequestRates) -> Response | Problem:
        """The answer to one request."""
        request = make_request(origin=Origin("http", address, False))
        try:
            answer: Any = layer(request, path)
        except Problem as problem:
            return problem
        return answer  # type: ignore[no-any-return]

    def test_too_often(self) -> None:
        """More requests than the burst get 429 and the time to wait; others do not.
        RFC 6585 4."""
        settings = with_values(HTTPSettings, requests_per_second=2, request_burst=4)
        now = [0.0]
        limits = Limits(
            with_values(LimitsSettings, exempt=("192.0.2.9",)), lambda: now[0]
        )
        layer = RequestRates(settings, limits)
        answers = [self.ask("192.0.2.1", layer) for _ in range(6)]
        self.assertEqual([200] * 4 + [429] * 2, [one.status for one in answers])
        self.assertIn(("Retry-After", "1"), list(answers[5].fields))
        self.assertEqual(200, self.ask("192.0.2.2", layer).status)
        now[0] += 1.0
        answers = [self.ask("192.0.2.1", layer) for _ in range(3)]
        self.assertEqual([200, 200, 429], [one.status for one in answers])
        answers = [self.ask(f"2001:db8::{n}", layer) for n in range(1, 7)]
        self.assertEqual([200] * 4 + [429] * 2, [one.status for one in answers])
        answers = [self.ask("192.0.2.9", layer) for n in range(9)]

        self.assertEqual([200] * 9, [one.status for one in answers])


class SessionTests(SynchronousTestCase):
    """What ``netservices session`` shows and does."""

    def test_idle(self) -> None:
        """An idle connection tells since when it is idle."""
        talk = Talk(path)
        talk.send(GET)
        talk.clock.advance(20)
        status = talk.connection.status()

        self.assertEqual("192.0.2.1", status["address"])
        self.assertEqual(20, status["idle_seconds"])
        self.assertIsNone(status["transfer"])
        talk.connection.end()
        self.assertTrue(talk.wire.disconnecting)

    def test_upload(self) -> None:
        """One on which something moves tells what, and how fast."""

        async def handler(request: Request) -> Response:
            async for _piece in request.body:
                pass
            return Response(204)

        talk = Talk(handler)
        talk.send(
            b"PUT /big HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n"
            b"User-Agent: curl/8\r\n\r\n"
        )
        talk.send(b"x" * 300)
        talk.clock.advance(10)
        status = talk.connection.status()

        self.assertEqual("curl/8", status["client"])
        self.assertEqual(
            {
                "verb": "PUT",
                "path": "/big",
                "octets": 300,
                "total_octets": 1000,
                "percent": 30,
                "rate": 30,
                "seconds": 10.0,
            },
            status["transfer"],
        )
        talk.connection.end()
        self.assertTrue(talk.wire.aborted)

    def test_trace(self) -> None:
        """A trace shows heads as they travel, without secrets, and how much content
        goes by."""
        lines: list[str] = []
        talk = Talk(lambda request: Response(200, [("Set-Cookie", "s=1")], b"abc"))
        talk.shared.trace = lambda session, who, line: lines.append(
            f"{who}: {line.decode()}"
        )
        talk.send(
            GET[:-2] + b"Cookie: s=1\r\nAuthorization: Basic QQ==\r\n"
            b"Content-Length: 2\r\n\r\nxy"
        )

        self.assertEqual(
            [
                "C: GET /a HTTP/1.1",
                "C: Host: h",
                "C: User-Agent: curl/8",
                "C: Cookie: ***",
                "C: Authorization: Basic ***",
                "C: Content-Length: 2",
                "S: HTTP/1.1 200 OK",
                "S: Set-Cookie: ***",
                "S: Content-Length: 3",
                "S: Date: Wed, 18 Nov 2026 11:06:40 GMT",
                "C: <2 octets>",
                "S: <3 octets>",
            ],
            lines,
        )

    def test_trace_of_a_refusal(self) -> None:
        """Of a request that is refused the trace tells what is wrong with it."""
        lines: list[str] = []
        talk = Talk(path)
        talk.shared.trace = lambda session, who, line: lines.append(
            f"{who}: {line.decode()}"
        )
        talk.send(GET[:-2] + b"Content-Length: 1, 1\r\n\r\n")

        self.assertIn(
            "S: <refuses: Content-Length is no plain number, or is there twice>", lines
        )


class Named:
    """A TLS connection that was made for a name."""

    def __init__(self, server_name: str | None) -> None:
        self.server_name = server_name


class TwoCertificates:
    """One for a.example and b.example, one for c.example."""

    def is_covered(self, asked: str, host: str) -> bool:
        """Part of ICertificates."""
        return {asked, host} <= {"a.example", "b.example"}


class MisdirectedTests(SynchronousTestCase):
    """Requests on the wrong connection.  RFC 9110 7.4, 15.5.20."""

    def status(self, server_name: str | None, host: str) -> int:
        """Of a request for ``host`` on a connection made for ``server_name``."""
        certificates: Any = TwoCertificates()
        handler = layered([CoveredHosts(certificates)], path)
        request = make_request(host=host, scheme="https", tls=Named(server_name))
        try:
            answer: Any = handler(request)
        except Problem as problem:
            return problem.status
        return int(answer.status)

    def test_covered(self) -> None:
        """Hosts of one certificate may share a connection, and so may all where the
        client named none."""
        self.assertEqual(200, self.status("a.example", "a.example"))
        self.assertEqual(200, self.status("A.example.", "a.example"))
        self.assertEqual(200, self.status("a.example", "b.example"))
        self.assertEqual(200, self.status("x.example", "x.example"))
        self.assertEqual(200, self.status(None, "c.example"))

    def test_not_covered(self) -> None:
        """A host that the certificate is not for is misdirected."""
        self.assertEqual(421, self.status("a.example", "c.example"))

    def test_other_scheme(self) -> None:
        """So is a target with another scheme than the connection's."""
        talk = Talk(path)
        said = talk.send(b"GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n" + GET)

        self.assertIn(b"HTTP/1.1 421 Misdirected Request", said)
        self.assertIn(b"200 OK", said)


class WholeServerTests(SynchronousTestCase):
    """Requests that are about no resource."""

    def test_options(self) -> None:
        """``OPTIONS *`` tells what the server can do.  RFC 9110 9.3.7."""
        talk = Talk(whole_server)
        for target in (b"*", b"http://h"):
            said = talk.send(b"OPTIONS %b HTTP/1.1\r\nHost: h\r\n\r\n" % target)

            self.assertTrue(said.startswith(b"HTTP/1.1 204 "), said)
            self.assertIn(b"Allow: GET, HEAD", said)

    def test_connect(self) -> None:
        """CONNECT is for proxies.  RFC 9110 9.3.6."""
        talk = Talk(whole_server)
        said = talk.send(b"CONNECT a.example:25 HTTP/1.1\r\nHost: h\r\n\r\n")

        self.assertTrue(said.startswith(b"HTTP/1.1 501 "), said)
        self.assertTrue(talk.is_closed)
