"""Resources of twisted.web as guests: ``IResource`` trees, klein applications.

Each request becomes a ``twisted.web.server.Request`` on a channel that is no connection
but a ``Flow``: what a resource writes, now or after ``NOT_DONE_YET``, goes there, and
its producers are paused while too much is under way.
"""

from __future__ import annotations

from typing import IO, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Request as ServerRequest
from twisted.web.server import Site

from netservices.core.threads import Workers
from netservices.http.handlers.flow import MOST_OCTETS, Flow
from netservices.http.handlers.guest import (
    Bounds,
    below_mount,
    response_from,
    waiting,
    within,
)
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response


class ResourceHandler:
    """Answers with what a resource renders."""

    def __init__(
        self, resource: Any, files: Workers, reactor: Any, bounds: Bounds
    ) -> None:
        """``files`` write content that waits."""
        assert IResource.providedBy(resource)
        self._site = _Site(resource, reactor=reactor)
        self._files = files
        self._reactor = reactor
        self._bounds = bounds

    async def __call__(self, request: Request) -> Response:
        """The resource's response."""
        content = await waiting(request.body, self._bounds, self._files)
        channel = _Channel(self._site, request, self._reactor)
        answer = channel.begin(content)
        if isinstance(answer, Response):
            return answer
        return await within(answer, self._bounds, self._reactor)

    def stop(self) -> None:
        """End the sessions that the resources have begun."""
        for session in list(self._site.sessions.values()):
            session.expire()


class _Site(Site):
    """Finds resources below the place of the mount."""

    def getResourceFor(self, request: Any) -> Any:  # noqa: N802
        """The resource of what follows the mount."""
        request.prepath, request.postpath = request.channel.paths
        return super().getResourceFor(request)


class _Channel:
    """What a request of twisted.web takes for its connection."""

    factory = None

    def __init__(self, site: _Site, request: Request, reactor: Any) -> None:
        self.site = site
        self.transport = self
        self.paths = _paths(request)
        self._request = request
        self._reactor = reactor
        self._guest: Any = None
        self._answer: Deferred[Response] = Deferred(lambda _: self._gone())
        self._flow = Flow(self._taken, self._gone)
        self._head: Response | None = None
        self._early: list[bytes] | None = []
        """What is written before the call has returned."""
        self._is_done = False
        self._under_way = 0
        self._producer: Any = None
        self._is_pulled = False
        self._is_paused = False

    def begin(self, content: IO[bytes]) -> Response | Deferred[Response]:
        """Have the request rendered; the response, if it is complete."""
        self._guest = guest = ServerRequest(self)
        request = self._request
        for name, value in request.fields:
            guest.requestHeaders.addRawHeader(
                name.encode("latin-1"), value.encode("latin-1")
            )
        guest.parseCookies()
        guest.content = content
        content.seek(0, 2)
        target = request.path
        if request.query is not None:
            target += f"?{request.query}"
        guest.requestReceived(
            request.method.encode(),
            target.encode("latin-1"),
            f"HTTP/{request.version}".encode(),
        )
        early, self._early = self._early or [], None
        head = self._head
        if head is None or self._answer.called:
            return self._answer
        if self._is_done:
            head.body = b"".join(early)
            return head
        head.body = self._flow
        for data in early:
            self._flow.push(data)
        return head

    # --- what a request calls -------------------------------------------------------

    def getPeer(self) -> IPv4Address | IPv6Address:
        """The client."""
        return _address(self._request.origin.address, 0)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Our address."""
        return _address(*self._request.server)

    def isSecure(self) -> bool:  # noqa: N802
        """Whether there is TLS."""
        return self._request.is_secure

    def writeHeaders(  # noqa: N802
        self, version: bytes, code: bytes, reason: bytes, headers: Any
    ) -> None:
        """The head of the response."""
        # The framing is ours.
        self._guest.chunked = 0
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in headers.getAllRawHeaders()
            for value in values
            if name.lower() != b"server"
        ]
        self._head = response_from(int(code), pairs)
        if self._early is None and not self._answer.called:
            self._head.body = self._flow
            self._answer.callback(self._head)

    def write(self, data: bytes) -> None:
        """Content."""
        if not data:
            return
        self._under_way += len(data)
        if self._early is None:
            self._flow.push(data)
        else:
            self._early.append(data)
        if self._under_way >= MOST_OCTETS and not self._is_pulled:
            self._pause()

    def writeSequence(self, pieces: Any) -> None:
        """Content, in pieces."""
        self.write(b"".join(pieces))

    def requestDone(self, _guest: Any) -> None:  # noqa: N802
        """That was all."""
        self._is_done = True
        self._flow.finish()

    def loseConnection(self) -> None:
        """The resource gives up."""
        self._give_up(Problem(500, must_close=True, log_text="a resource gave up"))

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        self._give_up(Problem(400, "The content of the request cannot be read."))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Content will come from ``producer``."""
        self._producer = producer
        self._is_pulled = not streaming
        self._pull()

    def unregisterProducer(self) -> None:
        """It is done."""
        self._producer = None
        self._is_paused = False

    # --- room -----------------------------------------------------------------------

    def _pause(self) -> None:
        if self._producer is not None and not self._is_paused:
            self._is_paused = True
            self._producer.pauseProducing()

    def _pull(self) -> None:
        """Have a pull producer write, as long as there is room."""
        if self._producer is None or not self._is_pulled:
            return
        if self._under_way < MOST_OCTETS:
            self._producer.resumeProducing()
            self._reactor.callLater(0, self._pull)

    def _taken(self, octets: int) -> None:
        was_full = self._under_way >= MOST_OCTETS
        self._under_way -= octets
        if not was_full or self._under_way >= MOST_OCTETS:
            return
        if self._is_pulled:
            self._pull()
        elif self._producer is not None and self._is_paused:
            self._is_paused = False
            self._producer.resumeProducing()

    # --- the end --------------------------------------------------------------------

    def _give_up(self, problem: Problem) -> None:
        if not self._answer.called and (self._head is None or self._early is not None):
            self._answer.errback(problem)
        else:
            self._flow.fail(problem)

    def _gone(self) -> None:
        """The client is gone, or waits no longer."""
        if self._is_done or self._guest is None:
            return
        self._is_done = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self._guest.connectionLost(Failure(ConnectionLost()))


def _address(host: str, port: int) -> IPv4Address | IPv6Address:
    kind = IPv6Address if ":" in host else IPv4Address
    return kind("TCP", host, port)


def _paths(request: Request) -> tuple[list[bytes], list[bytes]]:
    """The decoded segments up to the mount, and those behind it."""
    return (
        [_octets(word) for word in request.mount],
        [_octets(word) for word in below_mount(request)],
    )


def _octets(word: str) -> bytes:
    return word.encode("utf-8", "surrogateescape")
