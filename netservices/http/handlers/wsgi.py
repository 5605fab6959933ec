"""WSGI (PEP 3333): applications that answer in a thread of their own.

Theory.  Nothing in a thread waits for a client longer than it must: the content of the
request has come before a thread is taken.  In the thread the application is called and
its content gathered; where that is complete at once, or the application has said its
length and given as much, the whole response goes back in one piece.  Otherwise head and
content go to the reactor as they come, through a ``Flow``; the thread blocks while too
much is under way, and gets ``ConnectionAbortedError`` when the client is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from threading import Condition
from typing import IO, Any
from wsgiref.util import FileWrapper

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.core.threads import TooManyWaiting, Workers
from netservices.http.handlers.flow import MOST_OCTETS, Flow
from netservices.http.handlers.guest import (
    Bounds,
    GuestFault,
    places,
    response_from,
    waiting,
    within,
)
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response

_log = Logger()
_STATUS = re.compile(r"([2-9][0-9]{2})(?: .*)?")


class WSGIHandler:
    """Answers with what an application says."""

    def __init__(
        self,
        application: Any,
        threads: Workers,
        files: Workers,
        reactor: Any,
        bounds: Bounds,
    ) -> None:
        """``threads`` run the application, ``files`` write content that waits."""
        self._application = application
        self._threads = threads
        self._files = files
        self._reactor = reactor
        self._bounds = bounds

    async def __call__(self, request: Request) -> Response:
        """The application's response."""
        if self._threads.unfinished >= self._threads.size + self._threads.max_waiting:
            raise _busy()
        content = await waiting(request.body, self._bounds, self._files)
        call = _Call(self._application, environ_of(request, content), self._reactor)
        clock: IReactorTime = self._reactor
        return await within(call.begin(self._threads, content), self._bounds, clock)


def _busy() -> Problem:
    return Problem(503, "The application is busy.", [("Retry-After", "5")])


def environ_of(request: Request, content: IO[bytes]) -> dict[str, Any]:
    """The environment of a request (PEP 3333); strings are octets as ISO 8859-1."""
    mount, path = places(request)
    server, port = request.server
    default = 443 if request.is_secure else 80
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": _native(mount),
        "PATH_INFO": _native(path),
        "QUERY_STRING": request.query or "",
        "REQUEST_URI": request.target,
        "SERVER_NAME": request.host or server or "localhost",
        "SERVER_PORT": str(request.port or port or default),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": request.origin.address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": content,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if request.is_secure:
        environ["HTTPS"] = "on"
    if request.account is not None:
        environ["REMOTE_USER"] = request.account.login
    if request.body.length is None or "content-length" in request.fields:
        environ["CONTENT_LENGTH"] = str(request.body.received_octets)
    for name, _ in request.fields:
        # An underscore would make two names one; Proxy would name a proxy of ours.
        if "_" in name or name in ("proxy", "content-length", "transfer-encoding"):
            continue
        key = name.upper().replace("-", "_")
        if name != "content-type":
            key = f"HTTP_{key}"
        environ[key] = request.fields.get(name)
    return environ


def _native(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


class ErrorLog:
    """``wsgi.errors``: lines for the log."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._rest = ""

    def write(self, text: str) -> int:
        """Note ``text``; whole lines are logged."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Note all of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log what is no whole line, too."""
        if self._rest:
            self.write("\n")


def _log_line(line: str) -> None:
    _log.error("an application says: {line}", line=line)


class _Call:
    """One call of an application."""

    def __init__(self, application: Any, environ: dict[str, Any], reactor: Any) -> None:
        self._application = application
        self._environ = environ
        self._is_head = environ["REQUEST_METHOD"] == "HEAD"
        self._reactor = reactor
        self._answer: Deferred[Response] = Deferred(self._cancelled)
        self._flow = Flow(self._taken, self._gone)
        self._running: Deferred[Response | None] | None = None
        # In the thread:
        self._head: Response | None = None
        self._is_begun = False
        self._sent_octets = 0
        # On both sides:
        self._room = Condition()
        self._under_way = 0
        self._is_gone = False

    # --- in the reactor's thread ----------------------------------------------------

    def begin(self, threads: Workers, content: IO[bytes]) -> Deferred[Response]:
        """Run it; its response."""
        self._running = threads.call(self._run, content)
        self._running.addCallbacks(self._ran, self._failed)
        return self._answer

    def _ran(self, response: Response | None) -> None:
        if response is not None and not self._answer.called:
            self._answer.callback(response)

    def _failed(self, failure: Failure) -> None:
        if failure.check(TooManyWaiting):
            failure = Failure(_busy())
        if not self._answer.called:
            self._answer.errback(failure)
        elif not failure.check(ConnectionAbortedError, CancelledError, Problem):
            _log.failure("an application failed", failure)
            self._flow.fail(GuestFault("the application failed"))

    def _cancelled(self, _answer: Deferred[Response]) -> None:
        self._gone()
        if self._running is not None:
            self._running.addErrback(lambda _: None).cancel()

    def _taken(self, octets: int) -> None:
        with self._room:
            self._under_way -= octets
            self._room.notify()

    def _gone(self) -> None:
        with self._room:
            self._is_gone = True
            self._room.notify()

    def _start(self, response: Response) -> None:
        if self._answer.called:
            response.close()
        else:
            self._answer.callback(response)

    # --- in a thread of the pool ----------------------------------------------------

    def _run(self, content: IO[bytes]) -> Response | None:
        """The response; None where it was handed over before the end."""
        errors = ErrorLog(partial(self._reactor.callFromThread, _log_line))
        self._environ["wsgi.errors"] = errors
        try:
            with content:
                iterable = self._application(self._environ, self._start_response)
                try:
                    return self._pass_on(iterable)
                finally:
                    close = getattr(iterable, "close", None)
                    if close is not None:
                        close()
        finally:
            errors.flush()

    def _pass_on(self, iterable: Iterable[bytes]) -> Response | None:
        if isinstance(iterable, list | tuple) and not self._is_begun:
            iterable = [b"".join(iterable)]
            if self._head is not None and self._head.length is None:
                # PEP 3333, Handling the Content-Length Header: it is known.
                self._head.length = len(iterable[0]) or None
        for data in iterable:
            if not isinstance(data, bytes):
                raise GuestFault(f"content is octets, not {type(data).__name__}")
            if data:
                self._write(data)
        if self._head is None:
            raise GuestFault("no start_response")
        if not self._is_begun:
            return self._without_content(self._head)
        if self._head.body is self._flow:
            self._reactor.callFromThread(self._flow.finish)
        return None

    def _without_content(self, response: Response) -> Response:
        if self._is_head and response.length is None:
            # Nobody knows what GET would have brought.
            self._flow.finish()
            response.body = self._flow
        elif response.length and not self._is_head and response.status != 304:
            raise GuestFault("the content is shorter than its Content-Length")
        return response

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """PEP 3333, the start_response() callable."""
        if exc_info is not None:
            try:
                if self._is_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head is not None:
            raise GuestFault("start_response is called twice")
        match = _STATUS.fullmatch(status) if isinstance(status, str) else None
        if match is None:
            raise GuestFault(f"a response with the status {status!r}")
        if not all(isinstance(word, str) for pair in headers for word in pair):
            raise GuestFault("fields of a response that are no strings")
        self._head = response_from(int(match[1]), headers)
        return self._write

    def _write(self, data: bytes) -> None:
        """Hand octets over; wait while too many are under way."""
        head = self._head
        if head is None:
            raise GuestFault("content before start_response")
        if head.length is not None and not self._is_head:
            # PEP 3333: no more than was announced.
            data = data[: head.length - self._sent_octets]
        with self._room:
            while self._under_way >= MOST_OCTETS and not self._is_gone:
                self._room.wait()
            if self._is_gone:
                raise ConnectionAbortedError("the client is gone")
        self._sent_octets += len(data)
        if not self._is_begun:
            self._is_begun = True
            if self._sent_octets == head.length:
                head.body = data
                self._reactor.callFromThread(self._start, head)
                return
            head.body = self._flow
            self._reactor.callFromThread(self._start, head)
        if data and head.body is self._flow:
            with self._room:
                self._under_way += len(data)
            self._reactor.callFromThread(self._flow.push, data)
