"""Errors as their reader wants them: a page, JSON for programs, or a line of text."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.http.dialogue.framing import REASONS
from netservices.interfaces import (
    DiskFull,
    FileProblem,
    NotFound,
    QuotaExceeded,
    StoreError,
    StoreReadOnly,
    StoreUnavailable,
)
from netservices.web.accept import best_type
from netservices.web.handler import Handler, answer_of
from netservices.web.problems import BodyLost, Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response, text

_log = Logger()

_HTML, _JSON, _TEXT = "text/html", "application/problem+json", "text/plain"
_DETAILS = {
    400: "The request cannot be understood.",
    401: "You have to log in to see this.",
    403: "You may not see or do this.",
    404: "There is nothing at this address.",
    405: "This cannot be done here.",
    413: "That is more than is taken here.",
    429: "Too many requests have come from your network; try again in a while.",
    500: "Something went wrong on our side. It has been noted.",
    503: "The server cannot do this now; try again in a while.",
    507: "There is no room for that.",
}
"""What a page says where nobody has said it better."""


class ShowErrors:
    """The layer: makes a response of whatever is raised.

    ``own_page`` gives the page that a site has for a status, or None.
    """

    def __init__(
        self, own_page: Callable[[Request, int], Awaitable[bytes | None]] | None = None
    ) -> None:
        self._own_page = own_page

    def __call__(self, request: Request, handler: Handler) -> Answer:
        """The handler's response, or that to its error."""
        try:
            answer = answer_of(handler, request)
        except Exception:
            return self._shown(request, Failure())
        if isinstance(answer, Deferred):
            return answer.addErrback(lambda failure: self._later(request, failure))
        return answer

    def _later(self, request: Request, failure: Failure) -> Any:
        return answer_of(lambda _request: self._shown(request, failure), request)

    def _shown(self, request: Request, failure: Failure) -> Answer:
        if failure.check(BodyLost, CancelledError):
            # Nobody is there to read it.
            failure.raiseException()
        problem = problem_of(failure)
        if problem.log_text:
            _log.info(
                "{session}: {method} {path}: {why}",
                session=request.origin.session,
                method=request.method,
                path=request.path,
                why=problem.log_text,
            )
        response = error_response(request, problem)
        is_page = response.get("Content-Type").startswith(_HTML)
        if self._own_page is None or not is_page:
            return response
        return self._with_own_page(self._own_page, request, response)

    async def _with_own_page(
        self,
        own_page: Callable[[Request, int], Awaitable[bytes | None]],
        request: Request,
        response: Response,
    ) -> Response:
        try:
            found = await own_page(request, response.status)
        except Exception:
            # What keeps the page from being read has been told as the error itself.
            return response
        if found is not None:
            response.body = found
            # It may have styles and scripts of its own.
            response.remove("Content-Security-Policy")
        return response


def problem_of(failure: Failure) -> Problem:
    """The problem that an exception is to the peer; a bug is logged and is 500."""
    error = failure.value
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotFound):
        return Problem(404)
    if isinstance(error, QuotaExceeded | DiskFull | StoreReadOnly):
        # RFC 4918 11.5.
        return Problem(507)
    if isinstance(error, StoreUnavailable):
        return Problem(503, fields=[("Retry-After", "5")], log_text=str(error))
    if isinstance(error, FileProblem):
        return Problem(403)
    if isinstance(error, StoreError):
        return Problem(409)
    _log.failure("a handler failed", failure)
    return Problem(500)


def error_response(request: Request, problem: Problem) -> Response:
    """The answer to a problem."""
    status = problem.status
    reason = REASONS.get(status, "Error")
    detail = problem.detail or _DETAILS.get(status, "")
    response: Response
    wanted = best_type(request.fields.get("accept"), (_TEXT, _HTML, _JSON))
    if wanted == _HTML:
        from netservices.web.pages import page

        # Where nothing else is, the start page may be.
        home = status in (403, 404) and request.path != "/"
        response = page("error", status, reason=reason, detail=detail, home=home)
    elif wanted == _JSON:
        # RFC 9457 3: the type about:blank says no more than the status.
        told = {"status": status, "title": reason, "detail": detail}
        response = text(json.dumps(told), status, _JSON)
        response.set("Content-Type", _JSON)
    else:
        response = text(f"{status} {reason}\n{detail}\n".replace("\n\n", "\n"), status)
    response.vary("Accept")
    response.add("Cache-Control", "no-store")
    response.fields += problem.fields
    response.must_close = problem.must_close
    return response
