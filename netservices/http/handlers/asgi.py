"""ASGI 3: applications that answer in an asyncio loop of their own thread.

Theory.  Each request is a task of the loop and a ``_Call``, whose one half lives in the
reactor's thread and whose other half in the loop's; they only send each other calls.
``receive`` asks the reactor for the next octets of the body, so that nothing is read
from the client but what the application wants; ``send`` hands content to a ``Flow`` and
waits while too much is under way.  When the client goes, ``receive`` says so, ``send``
raises ``OSError``, and a task that does not heed it is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.http.handlers.flow import MOST_OCTETS, Flow
from netservices.http.handlers.guest import (
    Bounds,
    GuestFault,
    places,
    response_from,
    within,
)
from netservices.http.handlers.loop import Loop
from netservices.web.body import Body
from netservices.web.fields import Pairs
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response

_log = Logger()

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

GRACE_SECONDS = 5.0
"""How long a task may go on after its client has gone."""

VERSIONS = {"version": "3.0", "spec_version": "2.4"}


class ASGIHandler:
    """Answers with what an application sends."""

    def __init__(
        self,
        application: Application,
        loop: Loop,
        reactor: Any,
        bounds: Bounds,
        state: dict[str, Any],
    ) -> None:
        """``state`` is what the application's lifespan has put there."""
        self._application = application
        self._loop = loop
        self._reactor = reactor
        self._bounds = bounds
        self._state = state

    def __call__(self, request: Request) -> Deferred[Response]:
        """The application's response."""
        octets = max(request.body.length or 0, request.body.received_octets)
        if octets > self._bounds.longest_body:
            raise _too_long(self._bounds.longest_body)
        call = _Call(request, self._loop, self._bounds.longest_body)
        scope = scope_of(request, dict(self._state))
        answer = call.begin(self._application, scope)
        return within(answer, self._bounds, self._reactor)


def _too_long(most: int) -> Problem:
    return Problem(413, f"At most {most} octets are taken here.")


def scope_of(request: Request, state: dict[str, Any]) -> dict[str, Any]:
    """The connection scope of a request (HTTP & WebSocket ASGI Message Format)."""
    mount, path = places(request)
    extensions: dict[str, Any] = {
        "http.response.trailers": {},
        "http.response.early_hint": {},
    }
    if request.account is not None:
        extensions["netservices"] = {"account": request.account.login}
    return {
        "type": "http",
        "asgi": VERSIONS,
        "http_version": request.version,
        "method": request.method,
        "scheme": request.scheme,
        "path": _text(mount + path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": (request.query or "").encode("latin-1"),
        "root_path": _text(mount),
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in request.fields
        ],
        "client": (request.origin.address, 0),
        "server": request.server,
        "state": state,
        "extensions": extensions,
    }


def _text(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Call:
    """One request and its task."""

    def __init__(self, request: Request, loop: Loop, longest_body: int) -> None:
        self._request = request
        self._loop = loop
        self._longest_body = longest_body
        # In the reactor's thread:
        self._answer: Deferred[Response] = Deferred(lambda _: self._gone())
        self._flow = Flow(self._taken, self._gone)
        self._trailers: list[tuple[str, str]] = []
        # In the loop's thread:
        self._task: asyncio.Task[Any] | None = None
        self._head: Response | None = None
        self._is_begun = False
        self._is_complete = False
        self._has_trailers = False
        self._sent_octets = 0
        self._under_way = 0
        self._room = asyncio.Event()
        self._gone_event = asyncio.Event()
        self._read: asyncio.Future[bytes] | None = None
        self._has_whole_body = False
        self._first = _received_whole(request.body)

    # --- in the reactor's thread ----------------------------------------------------

    def begin(
        self, application: Application, scope: dict[str, Any]
    ) -> Deferred[Response]:
        """Run the application; its response."""
        self._loop.soon(self._begin, application, scope)
        return self._answer

    def _start(self, response: Response) -> None:
        if self._answer.called:
            response.close()
        else:
            self._answer.callback(response)

    def _ended(self, failure: Failure) -> None:
        """The task has ended, but not its response; or it has failed after that."""
        if not self._answer.called:
            self._answer.errback(failure)
            return
        if not failure.check(asyncio.CancelledError):
            _log.failure("an application failed", failure)
        self._flow.fail(GuestFault("the application failed"))

    def _pull(self) -> None:
        """Read from the client."""
        self._request.body.read().addCallbacks(self._pulled, self._lost)

    def _pulled(self, data: bytes) -> None:
        if self._request.body.received_octets > self._longest_body:
            problem = _too_long(self._longest_body)
            if self._answer.called:
                self._flow.fail(problem)
            else:
                self._answer.errback(problem)
            self._gone()
            return
        self._loop.soon(self._received, data)

    def _lost(self, failure: Failure) -> None:
        self._gone()

    def _taken(self, octets: int) -> None:
        self._loop.soon(self._took, octets)

    def _gone(self) -> None:
        self._loop.soon(self._disconnected)

    # --- in the loop's thread -------------------------------------------------------

    def _begin(self, application: Application, scope: dict[str, Any]) -> None:
        self._task = self._loop.task(self._run(application, scope))

    async def _run(self, application: Application, scope: dict[str, Any]) -> None:
        try:
            await application(scope, self._receive, self._send)
            if not self._is_complete and not self._gone_event.is_set():
                raise GuestFault("the application ended before its response")
        except BaseException as error:
            # Whatever happens once the client has gone is what applications do then.
            if not self._gone_event.is_set():
                self._loop.tell(self._ended, Failure(error))
            if isinstance(error, asyncio.CancelledError):
                raise

    def _disconnected(self) -> None:
        self._gone_event.set()
        self._room.set()
        read, self._read = self._read, None
        if read is not None and not read.done():
            read.cancel()
        if self._task is not None and not self._task.done():
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._task.cancel)

    def _received(self, data: bytes) -> None:
        read, self._read = self._read, None
        if read is not None and not read.done():
            read.set_result(data)

    def _took(self, octets: int) -> None:
        self._under_way -= octets
        self._room.set()

    async def _receive(self) -> Message:
        """The next message of the client."""
        if self._is_complete:
            return {"type": "http.disconnect"}
        if self._first is not None:
            data, self._first = self._first, None
            self._has_whole_body = True
            return {"type": "http.request", "body": data, "more_body": False}
        if self._has_whole_body:
            await self._gone_event.wait()
            return {"type": "http.disconnect"}
        self._read = asyncio.get_running_loop().create_future()
        read = self._read
        if self._gone_event.is_set():
            return {"type": "http.disconnect"}
        self._loop.tell(self._pull)
        try:
            data = await read
        except asyncio.CancelledError:
            if self._gone_event.is_set():
                return {"type": "http.disconnect"}
            raise
        self._has_whole_body = not data
        return {"type": "http.request", "body": data, "more_body": bool(data)}

    async def _send(self, message: Message) -> None:
        """Take a message of the application."""
        if self._gone_event.is_set():
            raise OSError("the client is gone")
        kind = message["type"]
        if kind == "http.response.start" and self._head is None:
            pairs = _pairs(message.get("headers", ()))
            self._head = response_from(message["status"], pairs)
            self._has_trailers = bool(message.get("trailers"))
        elif kind == "http.response.body" and self._head and not self._is_complete:
            await self._send_body(
                self._head, bytes(message.get("body", b"")), message.get("more_body")
            )
        elif kind == "http.response.trailers" and self._has_trailers:
            self._send_trailers(message)
        elif kind == "http.response.early_hint" and self._head is None:
            links = [("Link", link.decode("latin-1")) for link in message["links"]]
            hints = response_from(200, links).fields
            self._loop.tell(self._request.early_hints, hints)
        else:
            raise GuestFault(f"the message {kind} out of place")

    async def _send_body(self, head: Response, data: bytes, more: object) -> None:
        if self._request.method == "HEAD":
            self._send_head(head, data, more)
            return
        is_last = not more and not self._has_trailers
        self._sent_octets += len(data)
        if head.length is not None:
            is_short = is_last and self._sent_octets < head.length
            if self._sent_octets > head.length or (is_short and head.status != 304):
                raise GuestFault("the content is not as long as its Content-Length")
        self._is_complete = is_last
        if not self._is_begun:
            self._is_begun = True
            if is_last:
                head.body = data
                self._loop.tell(self._start, head)
                return
            head.body = self._flow
            if self._has_trailers:
                head.trailers = lambda: self._trailers
            self._loop.tell(self._start, head)
        if data:
            self._under_way += len(data)
            self._loop.tell(self._flow.push, data)
        if is_last:
            self._loop.tell(self._flow.finish)
            return
        while self._under_way >= MOST_OCTETS and not self._gone_event.is_set():
            self._room.clear()
            await self._room.wait()

    def _send_head(self, head: Response, data: bytes, more: object) -> None:
        """The response to HEAD; its content is thrown away."""
        self._is_complete = not more
        if not self._is_begun:
            self._is_begun = True
            if head.length is None:
                head.body = self._flow
                self._loop.tell(self._flow.finish)
            if not more:
                head.length = head.length or len(data)
            self._loop.tell(self._start, head)

    def _send_trailers(self, message: Message) -> None:
        pairs = response_from(200, _pairs(message.get("headers", ()))).fields
        self._loop.tell(self._trailers.extend, pairs)
        if not message.get("more_trailers"):
            self._is_complete = True
            self._loop.tell(self._flow.finish)


def _pairs(headers: Any) -> Pairs:
    """Fields as strings.  GuestFault."""
    try:
        return [
            (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
            for name, value in headers
        ]
    except (TypeError, ValueError):
        raise GuestFault("fields of a response that are no octets") from None


def _received_whole(body: Body) -> bytes | None:
    """The content, where all of it has come already."""
    if not body.is_complete:
        return None
    pieces: list[bytes] = []
    while True:
        read = body.read()
        found: list[bytes] = []
        read.addCallback(found.append)
        if not found or not found[0]:
            return b"".join(pieces)
        pieces.append(found[0])
